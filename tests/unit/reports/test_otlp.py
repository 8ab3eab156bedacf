"""A stored run as OpenTelemetry: taken by a real receiver, decoded with OpenTelemetry's own messages."""

from __future__ import annotations

import gzip
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from benchbook.cli.pipeline import Manner, sent_after
from benchbook.errors import UserError
from benchbook.records import Trial
from benchbook.reports.otlp import DEFAULT, _why, base_of, lines, send
from benchbook.results import journal
from benchbook.runner.tally import BUCKETS_S
from benchbook.simulator.process import start_process
from benchbook.stages.execute import execute
from tests.conftest import Bench


@dataclass
class Received:
    """What a collector was sent: (path, headers, body) of every request; it answers with `status`."""

    address: str = ""
    status: int = 200
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def spans(self) -> list[Any]:
        found = []
        for path, _, body in self.requests:
            if path == "/v1/traces":
                message = ExportTraceServiceRequest.FromString(body)
                found += [s for r in message.resource_spans for scope in r.scope_spans for s in scope.spans]
        return found

    @property
    def metrics(self) -> dict[str, Any]:
        found = {}
        for path, _, body in self.requests:
            if path == "/v1/metrics":
                message = ExportMetricsServiceRequest.FromString(body)
                found |= {m.name: m for r in message.resource_metrics for s in r.scope_metrics for m in s.metrics}
        return found


@contextmanager
def collector(status: int = 200) -> Iterator[Received]:
    received = Received(status=status)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            received.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(received.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *words: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    received.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Measured:
    bench: Bench
    run_id: str
    port: int

    @property
    def trials(self) -> list[Trial]:
        return self.bench.trials()

    @property
    def offset_ns(self) -> int:
        return int(journal.read_run(self.bench.results, self.run_id).segments[0].start["wall_offset_ns"])


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Measured]:
    """A stored run of two targets at a known address, with failures and retries."""
    bench = Bench(tmp_path_factory.mktemp("otlp"), targets=("openai", "anthropic"))
    bench.faults = [{"kind": "server_error", "rate": 0.6, "match": "sim-openai"}]
    bench.write()
    with start_process(str(bench.folder / "profile.yaml")) as address:
        params = {"temperature": 0.5, "max_tokens": 99}
        targets = [
            {"name": "a", "provider": "openai", "model": "sim-openai", "base_url": f"{address}/v1", "params": params},
            {"name": "b", "provider": "anthropic", "model": "sim-anthropic", "base_url": address, "params": params},
        ]
        bench.execute = {"targets": targets}
        run_id = execute(bench.job()).run_id
        yield Measured(bench, run_id, int(address.rsplit(":", 1)[1]))


def attributes(of: Any) -> dict[str, Any]:
    found = {}
    for pair in of.attributes:
        kind = pair.value.WhichOneof("value")
        value = getattr(pair.value, kind)
        found[pair.key] = [item.string_value for item in value.values] if kind == "array_value" else value
    return found


def test_the_times_of_spans_are_the_stored_stamps(measured: Measured) -> None:
    with collector() as received:
        sent = send(measured.bench.results, measured.run_id, received.address)
    spans = received.spans
    calls = {call.call_id: call for trial in measured.trials for call in trial.calls}
    trials = {trial.planned.trial_id: trial for trial in measured.trials}
    assert sent.spans == len(spans) == len(calls) + len(trials)
    offset = measured.offset_ns
    for span in spans:
        told = attributes(span)
        if not span.parent_span_id:
            trial = trials.pop(told["benchbook.trial_id"])
            times = trial.started_ns, trial.ended_ns
        else:
            call = calls.pop(told["benchbook.call_id"])
            times = call.sent_ns, call.closed_ns
            stamps = {event.name: event.time_unix_nano - offset for event in span.events}
            if call.chunks:
                assert stamps["benchbook.first_chunk"] == call.chunks[0].at_ns
                assert stamps["benchbook.last_chunk"] == call.chunks[-1].at_ns
            assert stamps["benchbook.first_byte"] == call.first_byte_ns
        assert (span.start_time_unix_nano - offset, span.end_time_unix_nano - offset) == times
    assert not calls
    assert not trials


def test_names_are_those_of_the_conventions(measured: Measured) -> None:
    with collector() as received:
        send(measured.bench.results, measured.run_id, received.address)
    calls = {call.call_id: call for trial in measured.trials for call in trial.calls}
    kinds: Counter[str] = Counter()
    for span in (span for span in received.spans if span.parent_span_id):
        told = attributes(span)
        call = calls[told["benchbook.call_id"]]
        assert span.name == f"chat {call.model_requested}"
        assert span.kind == span.SPAN_KIND_CLIENT
        assert told["gen_ai.operation.name"] == "chat"
        assert told["gen_ai.provider.name"] == {"sim-openai": "openai"}.get(call.model_requested, "anthropic")
        assert (told["server.address"], told["server.port"]) == ("127.0.0.1", measured.port)
        assert (told["gen_ai.request.temperature"], told["gen_ai.request.max_tokens"]) == (0.5, 99)
        assert told["gen_ai.request.stream"] is True
        assert "gen_ai.system" not in told
        kinds[call.error_kind or "none"] += 1
        if call.error_kind:
            assert (told["error.type"], span.status.code) == (call.error_kind, span.status.STATUS_CODE_ERROR)
        else:
            assert told["gen_ai.response.model"] == call.model_served
            assert told["gen_ai.usage.input_tokens"] == call.usage.input
            assert told["gen_ai.usage.output_tokens"] == call.usage.output
            assert told["gen_ai.response.finish_reasons"] == [call.finish_reason]
            assert "error.type" not in told
    assert set(kinds) == {"none", "server_error"}


def test_a_trial_is_a_trace_and_twice_the_same_one(measured: Measured) -> None:
    with collector() as first, collector() as second:
        send(measured.bench.results, measured.run_id, first.address)
        send(measured.bench.results, measured.run_id, f"{second.address}/v1/traces")
    assert [body for _, _, body in first.requests] == [body for _, _, body in second.requests]
    traces: dict[bytes, list[Any]] = {}
    for span in first.spans:
        traces.setdefault(span.trace_id, []).append(span)
    assert len(traces) == len(measured.trials)
    for root, *calls in traces.values():
        assert {span.parent_span_id for span in calls} == {root.span_id}
    assert len({span.span_id for span in first.spans}) == len(first.spans)


def test_metrics_are_histograms_of_the_same_calls(measured: Measured) -> None:
    with collector() as received:
        sent = send(measured.bench.results, measured.run_id, received.address)
    calls = [call for trial in measured.trials for call in trial.calls]
    assert set(received.metrics) == {
        "gen_ai.client.operation.duration",
        "gen_ai.client.operation.time_to_first_chunk",
        "gen_ai.client.token.usage",
    }
    points = {name: metric.histogram.data_points for name, metric in received.metrics.items()}
    assert sent.points == sum(len(found) for found in points.values())
    durations = points["gen_ai.client.operation.duration"]
    assert sum(point.count for point in durations) == len(calls)
    assert tuple(durations[0].explicit_bounds) == BUCKETS_S["e2e"]
    total_s = sum((call.closed_ns - (call.sent_ns or 0)) / 1e9 for call in calls)
    assert sum(point.sum for point in durations) == pytest.approx(total_s)
    assert sum(point.count for point in points["gen_ai.client.operation.time_to_first_chunk"]) == sum(
        bool(call.chunks) for call in calls
    )
    tokens = points["gen_ai.client.token.usage"]
    output = sum(point.sum for point in tokens if attributes(point)["gen_ai.token.type"] == "output")
    assert output == sum(call.usage.output or 0 for call in calls)
    started = min(trial.started_ns for trial in measured.trials) + measured.offset_ns
    assert {point.start_time_unix_nano for point in durations} == {started}


def test_the_standard_variables_hold(measured: Measured, monkeypatch: pytest.MonkeyPatch) -> None:
    with collector() as received:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.address)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-team=bench")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
        monkeypatch.setenv("OTEL_SERVICE_NAME", "mine")
        send(measured.bench.results, measured.run_id, DEFAULT)
    assert {headers["x-team"] for _, headers, _ in received.requests} == {"bench"}
    assert {headers["content-encoding"] for _, headers, _ in received.requests} == {"gzip"}
    message = ExportTraceServiceRequest.FromString(received.requests[0][2])
    assert attributes(message.resource_spans[0].resource)["service.name"] == "mine"


def test_a_file_holds_the_same_spans_with_ids_in_hex(measured: Measured) -> None:
    with collector() as received:
        send(measured.bench.results, measured.run_id, received.address)
    written = [orjson.loads(line) for line in lines(measured.bench.results, measured.run_id)]
    spans = [s for line in written for r in line["resourceSpans"] for scope in r["scopeSpans"] for s in scope["spans"]]
    assert [(s["traceId"], s["spanId"], int(s["startTimeUnixNano"])) for s in spans] == [
        (span.trace_id.hex(), span.span_id.hex(), span.start_time_unix_nano) for span in received.spans
    ]
    assert {s["kind"] for s in spans} == {1, 3}


def test_a_collector_that_refuses_is_named_with_its_reason(
    measured: Measured, capsys: pytest.CaptureFixture[str]
) -> None:
    with collector(status=403) as received, pytest.raises(UserError, match=r"did not take the run \(.*403") as error:
        send(measured.bench.results, measured.run_id, received.address)
    assert received.address in str(error.value)
    assert capsys.readouterr().err == ""


def test_a_complaint_is_told_in_the_systems_words() -> None:
    wrapped = "Transient error HTTPConnectionPool(... [Errno 111] Connection refused)) encountered, retrying in 1 s"
    assert _why([wrapped, "Failed to export."]) == "Connection refused"
    assert _why(["Failed to export."]) == "Failed to export"


def test_a_collector_that_is_not_there_is_refused(measured: Measured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    with collector() as gone:
        pass
    with pytest.raises(UserError, match=r"did not take the run \(.*\); 0 spans went before it"):
        send(measured.bench.results, measured.run_id, gone.address)


def test_a_run_that_can_not_be_sent_is_a_remark_even_if_quiet(
    measured: Measured, capsys: pytest.CaptureFixture[str]
) -> None:
    job = measured.bench.job()
    with collector(status=403) as received:
        sent_after(job, measured.run_id, Manner(as_json=True, otel=received.address))
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"note: otel: {received.address}: did not take the run (")
    assert f"benchbook export {measured.run_id} --format otlp --to ENDPOINT" in said.err
    with collector() as received:
        sent_after(job, measured.run_id, Manner(quiet=True, otel=received.address))
        sent_after(job, measured.run_id, Manner(otel=received.address))
    assert capsys.readouterr().err.count("otel: ") == 1


@pytest.mark.parametrize("endpoint", ["", "localhost:4318", "ftp://host", "http://"])
def test_what_is_no_address_is_refused(endpoint: str) -> None:
    with pytest.raises(UserError, match="is no collector"):
        base_of(endpoint)
