"""The only reader of time.

Durations come from the monotonic clock (CLOCK_MONOTONIC: one clock for every process of a host, so the
simulator's stamps and ours can be held against each other); the wall clock only dates things. A run stores
the offset between the two once per session.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, date, datetime
from typing import Protocol

monotonic_ns = time.monotonic_ns
"""Nanoseconds on the host's monotonic clock. Bound directly: the hot loop pays one C call."""

cpu_ns = time.process_time_ns
"""Nanoseconds of processor time, user and system, that this process has used."""


class Clock(Protocol):
    """The port through which everything but the hot loop reads time; tests pass a fake."""

    def monotonic_ns(self) -> int: ...

    def wall_ns(self) -> int: ...


class SystemClock:
    """The host's clocks."""

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def wall_ns(self) -> int:
        return time.time_ns()


_TICK_NS = 1_000_000


async def sleep_until(at_ns: int) -> None:
    """Sleep until that monotonic stamp, never less: a loop's timers may ring up to a millisecond early."""
    while (ahead_ns := at_ns - monotonic_ns()) > 0:  # noqa: ASYNC110 - a deadline, not a condition
        await asyncio.sleep(max(ahead_ns, _TICK_NS) / 1e9)


def wall_offset_ns(clock: Clock) -> int:
    """Wall time minus monotonic time, in ns: add it to a stamp to date it.

    Read between two monotonic readings, best of five, so that a preempted process does not skew it.
    """
    best_width, best_offset = None, 0
    for _ in range(5):
        before = clock.monotonic_ns()
        wall = clock.wall_ns()
        after = clock.monotonic_ns()
        if best_width is None or after - before < best_width:
            best_width, best_offset = after - before, wall - (before + after) // 2
    return best_offset


def today() -> date:
    """The day it is, in UTC."""
    return utc(time.time_ns()).date()


def utc(wall_ns: int) -> datetime:
    """A wall stamp in ns as an aware UTC datetime (microseconds)."""
    return datetime.fromtimestamp(wall_ns // 1_000_000_000, tz=UTC).replace(
        microsecond=wall_ns // 1_000 % 1_000_000,
    )
