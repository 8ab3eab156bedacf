"""What a plan and a case say of an agent's calls reaches the model; and an end by Ctrl-C, and a breaker."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from benchbook.records import ModelRequest, Usage
from benchbook.wire import wire
from benchbook.wire.events import Ended, Finished, Started, TextDelta, TimingReported, UsageReported
from tests.conftest import TARGETS, Bench
from tests.end_to_end.clerks import SCRIPT, TEAM, WIRES, once, write_script, write_team


def test_parameters_system_prompt_tools_and_history_of_a_case_reach_the_model(bench: Bench) -> None:
    bench.targets = WIRES
    bench.write()
    said = [{"role": "user", "content": "My word is kiwi."}, {"role": "assistant", "content": "Noted."}]
    config = {"temperature": 0.5, "top_p": 0.25, "max_tokens": 77, "stop": ["END"], "seed": 3}
    case = {"id": "told", "category": "k", "messages": [*said, {"role": "user", "content": "Which?"}]}
    case |= {"system": "Be brief.", "config": config}
    dataset = bench.folder / "told.json"
    dataset.write_text(json.dumps({"name": "told", "version": "1.0", "schema_version": "1", "test_cases": [case]}))
    bench.sections = {"validate": {"datasets": [str(dataset)]}}
    with listening() as (address, heard):
        plan = {"region": "us-east-1", "base_url": address}
        targets = [{"name": wire, "provider": wire, "model": TARGETS[wire], **plan} for wire in WIRES]
        trials = once(bench, TEAM, {"word 0": [{"say": "word 0"}]}, targets=targets)
    assert {trial.output for trial in trials} == {"ready"}
    assert len(heard) == 4
    for name, request in heard.items():
        assert [message.content for message in request.messages] == ["My word is kiwi.", "Noted.", "Which?"]
        assert [message.role for message in request.messages] == ["user", "assistant", "user"]
        assert (request.system or "").startswith("You are solo, a clerk.")
        assert (request.system or "").endswith("Be brief.")
        assert sorted(tool.name for tool in request.tools) == ["documents", "search"]
        params = request.params
        assert (params.temperature, params.top_p, params.max_tokens, params.stop) == (0.5, 0.25, 77, ("END",))
        assert params.seed == (3 if name in ("openai_chat", "ollama_chat") else None)


@contextmanager
def listening() -> Iterator[tuple[str, dict[str, ModelRequest]]]:
    """A server that answers every wire with one word; its address, and what it was asked, by wire."""
    heard: dict[str, ModelRequest] = {}
    paths = {"/chat/completions": "openai_chat", "/v1/messages": "anthropic_messages", "/api/chat": "ollama_chat"}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            name = next((wire for end, wire in paths.items() if self.path.endswith(end)), "bedrock_converse")
            heard[name] = request = wire(name).decode_request(self.path, body)
            writer = wire(name).writer(request, request_id="1")
            told = (Started(), TextDelta("ready"), Finished("stop"), TimingReported({"total_ms": 1.0}))
            events = (*told, UsageReported(Usage(input=1, output=1)), Ended())
            answer = b"".join([writer.write(event) for event in events])
            self.send_response(200)
            self.send_header("content-type", writer.content_type)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Nothing is said."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", heard
        server.shutdown()


def test_ctrl_c_twice_leaves_nothing_behind(bench: Bench) -> None:
    bench.targets = ("bedrock",)
    bench.faults = [{"kind": "stall", "every": 1, "for_s": None}]
    bench.execute = {"workloads": ["agent"], "teams": write_team(bench, TEAM), "timeout_s": 600, "warmup": 0}
    write_script(bench, {"word 0": [{"say": "word 0"}]})
    job = f"Job(plan={str(bench.write())!r}, results={str(bench.results)!r})"
    code = f"from benchbook.stages import Job; from benchbook.stages.execute import execute; execute({job})"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        _wait_until(lambda: bool(list(bench.results.glob("journal/*/segment-*"))), process)
        for _ in range(20):
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=1)
                break
        assert process.returncode is not None, "it hangs"
    finally:
        process.kill()
        process.communicate()
    assert bench.trials() == []


def _wait_until(true: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    for _ in range(6000):
        if true():
            return
        assert process.poll() is None
        time.sleep(0.01)
    pytest.fail("it has not begun")


def test_answers_are_whole_where_the_plan_says_so_and_the_sdk_can(bench: Bench) -> None:
    bench.targets, bench.cases = WIRES, 1
    trials = once(bench, TEAM, {"word 0": SCRIPT["word 0"]}, stream=False)
    for trial in trials:
        assert (trial.status, trial.output) == ("success", "The note is written: word 0.")
        can = trial.planned.target.startswith(("openai", "bedrock"))
        assert [call.streamed for call in trial.calls] == [not can] * 2
        assert all(bool(call.chunks) is not can for call in trial.calls)
        assert all((call.usage.output or 0) > 0 for call in trial.calls)


def test_steps_wait_for_the_targets_breaker(bench: Bench) -> None:
    bench.cases = 1
    bench.faults = [{"kind": "unavailable", "script": [2, 3]}]
    breaker = {"window": 4, "min_calls": 2, "failure_share": 0.5, "open_s": 0.2, "probes": 1}
    (trial,) = once(bench, TEAM, {"word 0": SCRIPT["word 0"]}, breaker=breaker, retries={"attempts": 4, "base_s": 0.01})
    assert (trial.status, trial.output) == ("success", "The note is written: word 0.")
    assert [call.error_kind for call in trial.calls] == [None, "overloaded", "overloaded", None]
    waits = [span for span in trial.spans if span.kind == "rate_limit_wait"]
    assert len(waits) == 2
    assert max(span.ended_ns - span.started_ns for span in waits) >= 150_000_000
