"""The simulator as a process of its own: started, waited for until it listens, stopped by its pid."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from benchbook.errors import PlanError

STOP_S = 5.0


@contextlib.contextmanager
def start_process(profile: str | Path | None = None, port: int = 0, host: str = "127.0.0.1") -> Iterator[str]:
    """Run a simulator while the block runs; yields its address. It also ends when this process dies.

    Raises PlanError with the simulator's own words where it can't start (a bad profile, a port in use).
    """
    command = [sys.executable, "-m", "benchbook.simulator", "--port", str(port), "--host", host, "--with-parent"]
    if profile is not None:
        command += ["--profile", str(profile)]
    with started(command) as announced:
        yield str(announced["address"])


@contextlib.contextmanager
def started(command: Sequence[str]) -> Iterator[Any]:
    """Run a server's process while the block runs; yields the JSON line that it announces itself with.

    It should end with its standard input. It is in a process group of its own: a Ctrl-C in the terminal is for
    whoever started it, and may have to let requests end first. Raises PlanError with its last words where it can't
    start.
    """
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints, process_group=0
        )
        try:
            yield _announced(process, complaints)
        finally:
            _stop(process)


def _announced(process: subprocess.Popen[bytes], complaints: IO[bytes]) -> Any:
    line = process.stdout.readline() if process.stdout is not None else b""
    if line:
        return json.loads(line)
    process.wait()
    complaints.seek(0)
    said = complaints.read().decode(errors="replace").strip().splitlines()
    raise PlanError("", said[-1] if said else f"the server ended with exit code {process.returncode}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
