"""The engine's side: handing a job to a keeper and waiting for its report, without a thread and without polling.

One keeper per kind of work and preparation is kept warm; it ends with this process, at the latest when its socket is
closed by this process's death. What a job prints goes to a file in memory, not through the event loop: only the part
that is kept is ever read, so a job that prints without end disturbs nothing that is being measured.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

_COMMAND = (sys.executable, "-I", "-m", "benchbook.tools.jail.keeper")
_MOST_KEEPERS = 8
_MOST_SILENT = 3
_REPORT_LIMIT = 1 << 20
_AGAIN_S = 0.005
_REPORTED_FILES = 50
_NO_LINUX = "needs Linux: no other system can lock a process in this way"


@dataclass(frozen=True, slots=True)
class Job:
    """One job. payload: JSON for the kind of work; folder: its scratch folder, None for none; may_lack: layers of the
    kernel that may be missing; keep_bytes: so much of what it prints is read, from both ends."""

    payload: Mapping[str, Any]
    time_s: float
    folder: Path | None = None
    memory_mb: int = 512
    disk_mb: int = 64
    file_mb: int = 32
    most_files: int = 1000
    may_lack: tuple[str, ...] = ()
    keep_bytes: int = 20_000


@dataclass(frozen=True, slots=True)
class Report:
    """How a job ended.

    ended: `exit`, `signal`, `time`, `disk`, `threads`, `refused` (it was never begun, `reason` says why) or `lost`
    (its keeper died); output: what it printed (`printed` bytes), or its head and tail around a note of what was left
    out.
    """

    ended: str
    output: str = ""
    printed: int = 0
    code: int = 0
    reason: str = ""
    files: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    used: Mapping[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class _Keeper:
    """A running keeper. busy: jobs that it has not reported on; silent: jobs in a row that were given up unreported."""

    process: subprocess.Popen[bytes]
    control: socket.socket
    busy: int = 0
    silent: int = 0

    def close(self) -> None:
        """It kills its jobs and ends as soon as its socket closes."""
        self.control.close()
        try:
            self.process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


_keepers: dict[tuple[int, str, str], _Keeper] = {}
_starting = threading.Lock()


async def run(program: str, preparation: Mapping[str, Any], job: Job) -> Report:
    """Do a job and tell how it ended. Cancelling this kills the job."""
    if sys.platform != "linux":
        return Report("refused", reason=_NO_LINUX)
    key = (os.getpid(), program, orjson.dumps(preparation, option=orjson.OPT_SORT_KEYS).decode())
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    output = os.memfd_create("output", os.MFD_CLOEXEC)
    try:
        with ours, theirs:
            keeper = _keeper(key)
            keeper.busy += 1
            try:
                await _hand_over(keeper, job, output, theirs)
                theirs.close()
                said = await _answer(keeper, ours)
            except asyncio.CancelledError:
                keeper.silent += 1
                if keeper.silent >= _MOST_SILENT:
                    _discard(key)
                raise
            finally:
                keeper.busy -= 1
        if not said:
            _discard(key)
            return Report("lost", reason="the process that runs it ended")
        return _report(orjson.loads(said), output, job.keep_bytes)
    finally:
        os.close(output)


def lacking(may_lack: Collection[str] = ()) -> str | None:
    """Why no job would be begun on this system, or None."""
    if sys.platform != "linux":
        return _NO_LINUX
    from benchbook.tools.jail import confine

    return confine.lacking(may_lack)


def close() -> None:
    """End every keeper of this process; the next job starts a new one."""
    for key in list(_keepers):
        _discard(key)


def _keeper(key: tuple[int, str, str]) -> _Keeper:
    with _starting:
        found = _keepers.pop(key, None)
        if found is None or found.process.poll() is not None:
            found = _started(key)
        _keepers[key] = found  # the last used stands last
        idle = [other for other, keeper in _keepers.items() if other != key and not keeper.busy]
        for other in idle[: max(0, len(_keepers) - _MOST_KEEPERS)]:
            _discard(other)
        return found


def _started(key: tuple[int, str, str]) -> _Keeper:
    """Ready or not: what it is asked meanwhile waits in its socket."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(0)
    with theirs:
        process = subprocess.Popen(
            [*_COMMAND, *key[1:]],
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=_clean_environment(),
            cwd="/",
            start_new_session=True,
        )
    return _Keeper(process, ours)


def _clean_environment() -> dict[str, str]:
    """Nothing of the engine's own: its variables hold keys."""
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "MPLBACKEND": "Agg",
        **threads,
    }


async def _hand_over(keeper: _Keeper, job: Job, output: int, report: socket.socket) -> None:
    order = {
        "payload": job.payload,
        "time_s": job.time_s,
        "folder": str(job.folder.resolve()) if job.folder else "",
        "memory_mb": job.memory_mb,
        "disk_mb": job.disk_mb,
        "file_mb": job.file_mb,
        "most_files": job.most_files,
        "may_lack": job.may_lack,
    }
    source = os.memfd_create("order", os.MFD_CLOEXEC)
    with os.fdopen(source, "wb", buffering=0) as file:
        file.write(orjson.dumps(order))
        while True:
            try:
                socket.send_fds(keeper.control, [b"j"], [source, output, report.fileno()])
            except BlockingIOError:
                await asyncio.sleep(_AGAIN_S)  # hundreds of jobs wait in its socket
            except OSError:
                return  # it died: closing our end of the report tells it to whoever waits
            else:
                return


async def _answer(keeper: _Keeper, ours: socket.socket) -> bytes:
    """Empty where the keeper died."""
    ours.settimeout(0)
    said = await asyncio.get_running_loop().sock_recv(ours, _REPORT_LIMIT)
    keeper.silent = 0
    return said


def _report(said: Mapping[str, Any], output: int, keep_bytes: int) -> Report:
    return Report(
        ended=said["ended"],
        output=_kept(output, keep_bytes),
        printed=os.fstat(output).st_size,
        code=said.get("code", 0),
        reason=said.get("reason", ""),
        files=tuple(said.get("files", ())[:_REPORTED_FILES]),
        layers=tuple(said.get("layers", ())),
        missing=tuple(said.get("missing", ())),
        used={name: said[name] for name in ("cpu_ms", "wall_ms", "peak_mb") if name in said},
    )


def _kept(output: int, most: int) -> str:
    """Head and tail of what was printed: errors stand at the end."""
    size = os.fstat(output).st_size
    if size <= most:
        return os.pread(output, size, 0).decode("utf-8", "replace")
    head = os.pread(output, most * 3 // 4, 0).decode("utf-8", "replace")
    tail = os.pread(output, most // 4, size - most // 4).decode("utf-8", "replace")
    return f"{head}\n[... {size - most:,} bytes left out ...]\n{tail}"


def _discard(key: tuple[int, str, str]) -> None:
    keeper = _keepers.pop(key, None)
    if keeper is not None:
        keeper.close()


atexit.register(close)
