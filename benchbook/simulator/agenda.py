"""Calls at exact monotonic times. One timer for all: a Linux timerfd, else the loop's own.

The loops round their timers to a millisecond (uvloop may even be early, asyncio's epoll is late), which is a
tenth of a token. A timerfd takes nanoseconds and wakes the loop like a socket.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

from benchbook.clock import monotonic_ns

_CLOCK_MONOTONIC, _ABSOLUTE = 1, 1


SLICE_NS = 250_000
"""How long due calls may hold the loop before sockets are read again."""


Call = Callable[[], "int | None"]
"""What is called when it is due; it returns when it wants to be called next, or None."""


class Agenda:
    """`at(due_ns, call)` runs `call` not before `due_ns`; calls due together run in order of asking."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, precise: bool = True) -> None:
        self._heap: list[tuple[int, int, Call]] = []
        self._order = count()
        self._armed_ns: int | None = None
        self._timer: _Timer = (_timerfd(loop, self._ring) if precise else None) or _LoopTimer(loop, self._ring)

    def at(self, due_ns: int, call: Call) -> None:
        heappush(self._heap, (due_ns, next(self._order), call))
        if self._armed_ns is None or due_ns < self._armed_ns:
            self._arm()

    def close(self) -> None:
        self._heap.clear()
        self._timer.close()

    def _arm(self) -> None:
        due_ns = self._armed_ns = self._heap[0][0] if self._heap else None
        if due_ns is not None:
            self._timer.set(due_ns)

    def _ring(self) -> None:
        """Run what is due by now, for a slice at most; the rest, and what falls due meanwhile, waits for the next
        ring, so that sockets get a turn: a request is stamped when it arrives, not behind everyone's chunks."""
        self._armed_ns = 0  # calls that ask for more don't set the timer: once, at the end, is enough
        start_ns, heap, order = monotonic_ns(), self._heap, self._order
        until_ns = start_ns + SLICE_NS
        while heap and heap[0][0] <= start_ns:
            call = heappop(heap)[2]
            again_ns = call()
            if again_ns is not None:
                heappush(heap, (again_ns, next(order), call))
            if monotonic_ns() >= until_ns:
                break
        if heap:
            self._arm()
        else:
            self._armed_ns = None
            self._timer.stop()


class _Timer:
    """Rings once at a monotonic time; setting it again replaces the time. Who is rung sets it again or stops it."""

    def set(self, due_ns: int) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class _LoopTimer(_Timer):
    """The loop's own timer, as exact as the loop rounds it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop, self._ring = loop, ring
        self._handle: asyncio.TimerHandle | None = None

    def set(self, due_ns: int) -> None:
        self.stop()
        self._handle = self._loop.call_later(max(0, due_ns - monotonic_ns()) / 1e9, self._ring)

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    close = stop


class _TimerFd(_Timer):
    """A timerfd that the loop watches. It is never read: to set it makes it unready, as a read would."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None], libc: ctypes.CDLL, fd: int) -> None:
        self._loop, self._fd = loop, fd
        self._when = (ctypes.c_long * 4)()
        self._set, self._place = libc.timerfd_settime, ctypes.byref(self._when)
        loop.add_reader(fd, ring)

    def set(self, due_ns: int) -> None:
        self._when[2], self._when[3] = divmod(max(1, due_ns), 1_000_000_000)
        self._set(self._fd, _ABSOLUTE, self._place, None)

    def stop(self) -> None:
        if self._fd >= 0:
            self._when[2] = self._when[3] = 0
            self._set(self._fd, _ABSOLUTE, self._place, None)

    def close(self) -> None:
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1


def _timerfd(loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> _Timer | None:
    if not sys.platform.startswith("linux") or ctypes.sizeof(ctypes.c_long) != 8:
        return None
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        fd = libc.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, AttributeError):
        return None
    return _TimerFd(loop, ring, libc, fd) if fd >= 0 else None
