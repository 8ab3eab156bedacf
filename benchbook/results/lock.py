"""One run at a time in a results folder.

An advisory lock of the kernel on `RESULTS/.lock`: it is freed when its holder ends, however it ends, so no lock
is ever stale. The file carries the holder's process id, for people; nothing is decided by it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchbook.errors import BusyError
from benchbook.results.paths import writable


@contextmanager
def lock(results: Path) -> Iterator[None]:
    """Hold the results folder (made if need be). Raises BusyError that names the holder, or StorageError."""
    with writable(results):
        results.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(results / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _take(descriptor, results)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, results: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
        who = f"process {holder}" if holder else "another process"
        raise BusyError(
            str(results), f"{who} is at work in it", "wait for it to end, or choose another folder with --results"
        ) from None
    with writable(results):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
