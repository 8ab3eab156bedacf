"""The longest prompts and answers, and a reader that is away in mid-stream: what the stored rows say."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchbook.results import journal
from benchbook.runner.harness.monitor import BEAT_NS
from benchbook.stages import Job
from benchbook.stages.store import store

CHUNKS, PROMPT_TOKENS = 20_000, 50_000
MOST_MIB = 250
EXECUTE = r"""
import json, re, sys
from pathlib import Path
from benchbook.stages import Job
from benchbook.stages.execute import execute
done = execute(Job(plan=sys.argv[1], results=sys.argv[2]))
most_kib = int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1])
print(json.dumps([done.progress["succeeded"], most_kib // 1024]))
"""


def executing(bench: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", EXECUTE, str(bench.plan), str(bench.results)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_a_prompt_of_50_000_tokens_and_an_answer_of_20_000_chunks(bench: Any) -> None:
    bench.law, bench.cases = {"tokens_out": CHUNKS}, 1
    bench.execute = {"repetitions": 2, "warmup": 0, "load": {"kind": "closed", "concurrency": 2}}
    bench.write()
    dataset = json.loads((bench.folder / "small.json").read_text())
    dataset["test_cases"][0] |= {"prompt": "abc " * PROMPT_TOKENS}
    (bench.folder / "small.json").write_text(json.dumps(dataset))
    succeeded, most_mib = json.loads(executing(bench).communicate()[0])
    assert succeeded == 2
    assert most_mib < MOST_MIB
    store(Job(plan=str(bench.plan), results=str(bench.results)))
    (run_id,) = bench.run_ids()
    calls, responses = (
        pq.read_table(bench.results / "tables" / table / f"run_id={run_id}" / "part-0.parquet").to_pylist()
        for table in ("calls", "responses")
    )
    for call in calls:
        assert len(call["chunk_offsets_us"]) == len(call["chunk_sizes"]) == CHUNKS
        assert call["chunk_offsets_us"] == sorted(call["chunk_offsets_us"])
        assert (call["tokens_in"], call["tokens_out"], call["error_kind"]) == (PROMPT_TOKENS, CHUNKS, None)
        assert sum(call["chunk_sizes"]) == 4 * CHUNKS
    assert {len(response["text"]) for response in responses} == {4 * CHUNKS}


# ---------------------------------------------------------------- a reader that is away

BEFORE, DURING, AFTER = 3, 12, 3


class Speaker:
    """Answers one streamed call, a chunk when it is told to; keeps when each was written."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.written_ns: list[int] = []
        self._written = 0
        self._more = threading.Semaphore(0)
        self._left = BEFORE + DURING + AFTER

    def say(self, chunks: int) -> None:
        """Let so many more chunks go."""
        for _ in range(chunks):
            self._more.release()

    def answer(self, write: Any) -> None:
        self.asked.set()
        for number in range(self._left):
            assert self._more.acquire(timeout=60)
            self.written_ns.append(time.monotonic_ns())
            write({"choices": [{"index": 0, "delta": {"content": f"{number} "}}]})
            self._written += 1
        write({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})

    def waits_for(self, written: int) -> None:
        while self._written < written:  # the patience of `answer` ends a test that has failed
            time.sleep(0.001)


@contextmanager
def speaking(speaker: Speaker) -> Iterator[str]:
    """A server with that speaker; its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            speaker.answer(lambda event: self._event(json.dumps({"id": "x", "model": "m", **event})))
            self._event("[DONE]")
            self.wfile.write(b"0\r\n\r\n")

        def _event(self, data: str) -> None:
            framed = f"data: {data}\n\n".encode()
            self.wfile.write(b"%x\r\n%b\r\n" % (len(framed), framed))

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def test_a_reader_that_is_away_shows_in_its_own_stamps(bench: Any) -> None:
    """The server writes on while the client is stopped: then one read brings what the server spread out."""
    speaker, away_s = Speaker(), 0.3
    with speaking(speaker) as address:
        target = {"name": "t", "provider": "openai", "model": "m", "base_url": f"{address}/v1"}
        bench.cases, bench.execute = 1, {"targets": [target], "repetitions": 1, "warmup": 0}
        bench.write()
        with executing(bench) as client:
            assert speaker.asked.wait(60)
            speaker.say(BEFORE)
            speaker.waits_for(BEFORE)
            client.send_signal(signal.SIGSTOP)
            while not stopped(client.pid):
                time.sleep(0.001)
            for _ in range(DURING):
                speaker.say(1)
                time.sleep(away_s / DURING)
            speaker.waits_for(BEFORE + DURING)
            client.send_signal(signal.SIGCONT)
            speaker.say(AFTER)
            client.communicate()
    (trial,) = bench.trials()
    (call,), (answer,) = trial.calls, trial.answers
    assert (trial.status, len(call.chunks)) == ("success", BEFORE + DURING + AFTER)
    written = speaker.written_ns
    at_ns = [chunk.at_ns for chunk in call.chunks]
    spread_ns = written[BEFORE + DURING - 1] - written[BEFORE]
    assert spread_ns >= (DURING - 1) * away_s / DURING * 1e9  # the server went on all the time
    assert len(set(at_ns[BEFORE : BEFORE + DURING])) == 1  # and its chunks wait for one read
    late_ns = [at - wrote for at, wrote in zip(at_ns, written, strict=True)]
    assert late_ns[BEFORE] >= spread_ns  # the first of them is read after the last one was written
    seconds = [event.fields for _, event in journal.read_run(bench.results, bench.run_ids()[0]).events()]
    lag_ms = max(fields["loop_lag_max_ms"] for fields in seconds if "loop_lag_max_ms" in fields)
    assert lag_ms * 1e6 >= spread_ns - BEAT_NS  # and the harness missed an appointment with itself: it was our doing
    assert max(answer.piece_sizes) > DURING * len("data: {}")
    assert answer.piece_at_ns.count(at_ns[BEFORE]) == 1
