"""What the host says of the measuring process: processor time, waiting for it, and what the hypervisor took.

Ports for the monitor; where the system has no such file (it is Linux's /proc), a reading is None and stays missing.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

_STEAL, _TICKS = 7, 8


@dataclass(frozen=True, slots=True)
class Reading:
    """Counters since some start; only differences mean something. None: not to be had here.

    cpu_ns, delay_ns: the thread's time on a processor, and ready without one; process_cpu_s: of all threads;
    steal_ticks, host_ticks: of all processors together.
    """

    cpu_ns: int | None = None
    delay_ns: int | None = None
    process_cpu_s: float | None = None
    steal_ticks: int | None = None
    host_ticks: int | None = None


class Host(Protocol):
    """Where readings come from; tests pass a script."""

    def read(self) -> Reading: ...

    def close(self) -> None: ...


class ProcHost:
    """Linux. Speaks of the thread that made it; some ten microseconds a reading."""

    def __init__(self) -> None:
        self._thread = _opened("/proc/thread-self/schedstat")
        self._stat = _opened("/proc/stat")

    def read(self) -> Reading:
        cpu_ns, delay_ns = _numbers(self._thread, skip=0, count=2)
        ticks = _numbers(self._stat, skip=1, count=_TICKS)
        known = [tick for tick in ticks if tick is not None]
        times = os.times()
        return Reading(
            cpu_ns=cpu_ns,
            delay_ns=delay_ns,
            process_cpu_s=times.user + times.system,
            steal_ticks=ticks[_STEAL],
            host_ticks=sum(known) if len(known) == _TICKS else None,
        )

    def close(self) -> None:
        for descriptor in (self._thread, self._stat):
            if descriptor is not None:
                os.close(descriptor)
        self._thread = self._stat = None


def _opened(path: str) -> int | None:
    with suppress(OSError):
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    return None


def _numbers(descriptor: int | None, *, skip: int, count: int) -> list[int | None]:
    """`count` numbers of the file's first line after `skip` words; None for each where it can't be read."""
    if descriptor is not None:
        with suppress(OSError, ValueError):
            words = os.pread(descriptor, 256, 0).split(b"\n", 1)[0].split()[skip : skip + count]
            if len(words) == count:
                return [int(word) for word in words]
    return [None] * count
