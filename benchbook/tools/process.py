"""A program of ours or the system's, run for a tool: off the event loop, with bounded output, ended with its children.

This is no cage: what runs here is trusted (git, our own drawing of charts), and what it reads is not. Whoever awaits
it may be cancelled, by a time limit for one; then the whole process group is killed before the cancellation goes on.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import IO

from benchbook.tools.aside import waited

_COMPLAINT_BYTES = 4_000


@dataclass(frozen=True, slots=True)
class Command:
    """What is run. environ: all of its environment; most_bytes: where its output is cut off and it is ended."""

    words: Sequence[str]
    folder: Path
    environ: Mapping[str, str] = field(repr=False)
    stdin: bytes = field(default=b"", repr=False)
    most_bytes: int = 1_000_000


@dataclass(frozen=True, slots=True)
class Ended:
    """How it ended. status: its exit status, negative for a signal; cut: more came than was kept, so that it was ended;
    complaint: the end of what it wrote to stderr."""

    status: int
    output: bytes
    complaint: str
    cut: bool = False


async def ran(command: Command) -> Ended:
    """Run it to its end, in a thread. Raises OSError where it can't be started."""
    running = _Running(command)
    task = asyncio.create_task(waited(running.run))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        running.end()
        with suppress(Exception):
            await task  # the group is gone: this is over at once
        raise


def run(command: Command) -> Ended:
    """The same for callers in a thread of their own."""
    return _Running(command).run()


class _Running:
    """A command from its start to its end; `end` may come from another thread at any time, also before the start."""

    def __init__(self, command: Command) -> None:
        self._command = command
        self._lock = Lock()
        self._ended = False
        self._process: subprocess.Popen[bytes] | None = None

    def run(self) -> Ended:
        command = self._command
        with tempfile.TemporaryFile() as fed, tempfile.TemporaryFile() as complaints:
            fed.write(command.stdin)
            fed.seek(0)
            process = self._start(fed, complaints)
            if process is None:
                return Ended(-signal.SIGKILL, b"", "")
            try:
                output, cut = self._gather(process)
            finally:
                self.end()
                status = process.wait()
            complaints.seek(max(0, complaints.seek(0, os.SEEK_END) - _COMPLAINT_BYTES))
            return Ended(status, output, complaints.read().decode("utf-8", "replace").strip(), cut)

    def end(self) -> None:
        """Kill the whole group, if anything of it is left."""
        with self._lock:
            self._ended = True
            if self._process is not None:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._process.pid, signal.SIGKILL)

    def _start(self, fed: IO[bytes], complaints: IO[bytes]) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self._ended:
                return None
            self._process = subprocess.Popen(
                list(self._command.words),
                stdin=fed,
                stdout=subprocess.PIPE,
                stderr=complaints,
                cwd=self._command.folder,
                env=dict(self._command.environ),
                start_new_session=True,
            )
            return self._process

    def _gather(self, process: subprocess.Popen[bytes]) -> tuple[bytes, bool]:
        with process.stdout as pipe:  # type: ignore[union-attr]  # it was asked for
            output = pipe.read(self._command.most_bytes + 1)
        if len(output) > self._command.most_bytes:
            return output[: self._command.most_bytes], True
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5)  # output is at its end: it is about to leave
        return output, False
