"""A server that dies in mid-run and comes back: what was in flight is rows, and what comes later succeeds."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import orjson

from benchbook.results import journal

LOST = {"refused", "reset", "truncated"}
_PATIENCE_S = 60


@contextmanager
def server(profile: Path, port: int = 0) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A simulator in a process of its own, and its port."""
    command = [sys.executable, "-m", "benchbook.simulator", "--port", str(port), "--profile", str(profile)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        address = json.loads(process.stdout.readline())["address"]
        yield process, int(address.rpartition(":")[2])
    finally:
        process.kill()
        process.communicate()


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Until it holds; the patience only ends a test that has failed."""
    for _ in range(_PATIENCE_S * 50):
        if condition():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    raise AssertionError("it never came to that")


def statuses(bench: Any) -> list[str]:
    """Of the trials so far, in order of finishing."""
    written = b"".join(path.read_bytes() for path in bench.results.glob("journal/*/segment-*.ndjson"))
    found = [orjson.loads(line) for line in written.split(b"\n")[:-1]]
    return [line["trial"]["status"] for line in found if "trial" in line]


def test_a_server_that_is_killed_and_comes_back(bench: Any) -> None:
    bench.cases, bench.law = 50, {"token_ms": 5}
    bench.write()
    profile = bench.folder / "profile.yaml"
    with server(profile) as (first, port):
        target = {"name": "t", "provider": "openai", "model": "m", "base_url": f"http://127.0.0.1:{port}/v1"}
        bench.execute = {"targets": [target], "repetitions": 100, "warmup": 0, "delay_s": 0.02}
        bench.execute |= {"retries": {"attempts": 2, "base_s": 0.01}, "load": {"kind": "closed", "concurrency": 4}}
        plan = bench.write()
        command = [sys.executable, "-m", "benchbook", "stage", "execute", "--plan", plan, "--results", bench.results]
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        wait_for(lambda: len(statuses(bench)) >= 8, running)
        first.send_signal(signal.SIGKILL)
        first.wait()
        wait_for(lambda: "failure" in statuses(bench), running)
    with server(profile, port):
        wait_for(lambda: statuses(bench)[-8:] == ["success"] * 8, running)
        running.send_signal(signal.SIGINT)
        assert running.communicate()[1].count(b"Traceback") == 0
    assert running.returncode == 130
    trials = bench.trials()
    spells = [status for status, _ in groupby(trial.status for trial in trials)]
    assert (spells[0], spells[-1]) == ("success", "success")
    lost = [trial for trial in trials if trial.status == "failure"]
    assert lost
    assert {call.error_kind for trial in lost for call in trial.calls} <= LOST
    assert all(trial.error_message for trial in lost)
    assert "refused" in {trial.error_kind for trial in lost} | {c.error_kind for t in trials for c in t.calls}
    run = journal.read_run(bench.results, bench.run_ids()[0])
    assert (run.status, run.damaged) == ("interrupted", [])
    end = run.segments[0].end
    assert end is not None
    assert end["records"] == len(trials)
    assert end["counts"]["succeeded"] + end["counts"]["failed"] == len(trials)
