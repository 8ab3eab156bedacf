"""A run that is watched by all who may: scraped while it goes, sent to a collector, profiled."""

from __future__ import annotations

import subprocess
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families


def test_a_watched_run_says_where_and_does_what_it_says(bench: Any) -> None:
    bodies: list[bytes] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/v1/traces":
                bodies.append(body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *words: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    plan = ("--plan", str(bench.write()), "--results", str(bench.results), "--no-flow")
    words = ("--metrics", "0", "--otel", f"http://127.0.0.1:{server.server_port}", "--profile=cpu")
    try:
        with subprocess.Popen(
            [sys.executable, "-m", "benchbook", "run", *plan, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as run:
            assert run.stderr is not None
            said = []
            for line in run.stderr:
                said.append(line.decode())
                if "metrics on" in said[-1]:
                    address = said[-1].split()[2]
                    with urllib.request.urlopen(address, timeout=60) as answer:
                        families = list(text_string_to_metric_families(answer.read().decode()))
        assert run.returncode == 0
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert "benchbook_build_info" in {family.name for family in families}
    assert any("otel: 24 spans and" in line for line in said), said
    messages = [ExportTraceServiceRequest.FromString(body) for body in bodies]
    assert sum(len(s.spans) for m in messages for r in m.resource_spans for s in r.scope_spans) == 24
    run_id = bench.run_ids()[0]
    assert any(f"profiles/{run_id}/000/" in line for line in said)
    assert (bench.results / "profiles" / run_id / "000" / "cpu.html").is_file()
