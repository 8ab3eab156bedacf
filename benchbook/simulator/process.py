"""The simulator as a process of its own: started, waited for until it listens, stopped by its pid."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

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
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints)
        try:
            yield _address(process, complaints)
        finally:
            _stop(process)


def _address(process: subprocess.Popen[bytes], complaints: IO[bytes]) -> str:
    line = process.stdout.readline() if process.stdout is not None else b""
    if line:
        return str(json.loads(line)["address"])
    process.wait()
    complaints.seek(0)
    said = complaints.read().decode(errors="replace").strip().splitlines()
    raise PlanError("", said[-1] if said else f"the simulator ended with exit code {process.returncode}")


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
