"""The simulator as a process: its one line, its complaints, and that it ends with its parent."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from benchbook.errors import PlanError
from benchbook.simulator import start_process

DYING = """
import os, signal
from benchbook.simulator import start_process
with start_process() as address:
    print(address, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
COMMAND = [sys.executable, "-m", "benchbook.simulator"]


def healthy(address: str) -> bool:
    with urllib.request.urlopen(f"{address}/health", timeout=60) as answer:
        return bool(json.load(answer)["status"] == "ok")


def test_start_and_stop() -> None:
    with start_process() as address:
        assert healthy(address)
    with pytest.raises(urllib.error.URLError):
        healthy(address)


def test_it_says_why_it_can_t_start(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("sed: 1\n", encoding="utf-8")
    with pytest.raises(PlanError, match=r"bad\.yaml:1: sed: unknown field"), start_process(tmp_path / "bad.yaml"):
        pass
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(PlanError, match="the port is in use"), start_process(port=taken.getsockname()[1]):
            pass


def test_bad_input_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "--profile", str(tmp_path / "none.yaml")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "none.yaml: no such profile" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(number: signal.Signals) -> None:
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["address"].startswith("http://127.0.0.1:")
        process.send_signal(number)
        assert process.wait(60) == 0


def test_it_dies_with_its_parent() -> None:
    """A parent that starts one and is killed: the simulator's input ends, and so does it."""
    parent = subprocess.run([sys.executable, "-c", DYING], capture_output=True, text=True, check=False)
    assert parent.returncode == -signal.SIGKILL
    host, port = parent.stdout.strip().removeprefix("http://").split(":")
    for _ in range(200):
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except ConnectionRefusedError:
            return
        os.sched_yield()
        subprocess.run([sys.executable, "-c", "pass"], check=True)
    pytest.fail("it outlived its parent")
