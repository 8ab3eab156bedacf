"""One target's trials in time: when each is taken up, and by which slot.

An open lane starts each trial at its intended time, however many are in flight; where the plan caps that number, a
trial that finds no room waits with its intended time unchanged, or is dropped as a row. A closed lane holds slots: a
slot's next trial is intended for the moment the slot became free. Several processes share one schedule: each takes its
share of the trials, or of the slots, and all count from the same start.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from benchbook.clock import monotonic_ns, sleep_until
from benchbook.records import PlannedTrial
from benchbook.schedules import Level

_RAMP_NS = 100_000
"""Slots of a closed loop open 0.1 ms apart (0.1 s for 1,000), unless the plan says otherwise: a start is no burst."""


@dataclass(frozen=True, slots=True)
class Share:
    """A process's part of a load: the `number`-th of `of` processes, which all count from `start_ns` (monotonic)."""

    start_ns: int
    number: int = 0
    of: int = 1

    def slots(self, total: int) -> int:
        """Its part of so many slots."""
        return total // self.of + (self.number < total % self.of)


class Slot(Protocol):
    """A trial's place, as `workloads.Slot` describes it."""

    intended_ns: int

    def release(self, at_ns: int) -> None: ...

    async def retake(self) -> None: ...


Begin = Callable[[PlannedTrial, Slot], None]


class OpenSlot:
    """An open loop's place: there is always one."""

    __slots__ = ("intended_ns",)

    def __init__(self, intended_ns: int) -> None:
        self.intended_ns = intended_ns

    def release(self, at_ns: int) -> None:
        """Nothing to give back."""

    async def retake(self) -> None:
        """Always granted."""


class Cap:
    """At most so many trials of an open lane in flight.

    drop: takes a trial that finds no room, and its intended start; None: it waits, and so do those behind it.
    """

    def __init__(self, most: int, drop: Callable[[PlannedTrial, int], None] | None = None) -> None:
        self._most, self.drop = most, drop
        self._busy = 0
        self._line: deque[asyncio.Future[None]] = deque()

    @property
    def full(self) -> bool:
        """Whether a trial that is due now would find no room."""
        return self._busy >= self._most

    async def take(self, *, ahead: bool = False) -> None:
        """Wait for room and take it; ahead: before all that wait for their first."""
        if not self.full:
            self._busy += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if ahead:
            self._line.appendleft(turn)
        else:
            self._line.append(turn)
        await turn

    def free(self) -> None:
        """Give room back: to whoever is first in line, if anybody is."""
        while self._line:
            turn = self._line.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._busy -= 1

    def let_go(self) -> None:
        """Nobody waits any longer: what was due is not begun, and what is in flight ends."""
        for turn in self._line:
            if not turn.done():
                turn.set_result(None)
                self._busy += 1
        self._line.clear()


class CappedSlot:
    """A place under a cap, given back when the exchange is over."""

    __slots__ = ("_cap", "_held", "intended_ns")

    def __init__(self, intended_ns: int, cap: Cap) -> None:
        self.intended_ns = intended_ns
        self._cap, self._held = cap, True

    def release(self, at_ns: int) -> None:  # noqa: ARG002 - room is there at once, whatever the stamp says
        if self._held:
            self._held = False
            self._cap.free()

    async def retake(self) -> None:
        if not self._held:
            await self._cap.take(ahead=True)
            self._held = True


class OpenLane:
    """Starts each trial at its offset, counted from the first one's, as far as there is room under the cap.

    start_ns: the stamp that offset 0 stands for; cap: None for any number in flight.
    """

    def __init__(self, trials: Iterator[PlannedTrial], start_ns: int, begin: Begin, cap: Cap | None = None) -> None:
        self._trials, self._start_ns, self._begin, self._cap = trials, start_ns, begin, cap
        self._stopped = False

    async def run(self) -> None:
        for trial in self._trials:
            intended_ns = self._start_ns + (trial.intended_offset_ns or 0)
            await sleep_until(intended_ns)
            if self._stopped:
                return
            if self._cap is None:
                self._begin(trial, OpenSlot(intended_ns))
            elif self._cap.full and self._cap.drop is not None:
                self._cap.drop(trial, intended_ns)
            else:
                await self._cap.take()
                if self._stopped:
                    return
                self._begin(trial, CappedSlot(intended_ns, self._cap))

    def stop(self) -> None:
        self._stopped = True
        if self._cap is not None:
            self._cap.let_go()

    def left_over(self) -> Iterator[PlannedTrial]:
        """Nothing: an open load's end is that of its trials."""
        return iter(())


class ClosedSlot:
    """A place among a lane's slots; free for another trial after the lane's pause."""

    __slots__ = ("_held", "_lane", "_trial", "intended_ns")

    def __init__(self, trial: PlannedTrial, intended_ns: int, lane: ClosedLane) -> None:
        self.intended_ns = intended_ns
        self._trial, self._lane = trial, lane
        self._held = True

    def release(self, at_ns: int) -> None:
        if self._held:
            self._held = False
            self._lane.free(at_ns + self._lane.pause_ns(self._trial))

    async def retake(self) -> None:
        if not self._held:
            await self._lane.take()
            self._held = True


@dataclass(frozen=True, slots=True)
class ClosedPace:
    """levels: how many slots there are when; ramp_ns: over which the first level's slots open (None: 0.1 ms a slot);
    lasts_ns: after which no trial is taken up; pause_ns: what a slot rests after a trial."""

    levels: Sequence[Level]
    ramp_ns: int | None = None
    lasts_ns: int | None = None
    pause_ns: Callable[[PlannedTrial], int] = lambda _trial: 0


class Room(Protocol):
    """Whether there is room for another answer, and word when there is again (the decoder's backlog)."""

    @property
    def full(self) -> bool: ...

    def on_room(self, call: Callable[[], None]) -> None: ...


class ClosedLane:
    """A target's slots. `run` returns when the last trial has been taken up, or on `stop`."""

    def __init__(self, trials: Iterator[PlannedTrial], pace: ClosedPace, share: Share, room: Room) -> None:
        self._trials, self._pace, self._share, self._room = trials, pace, share, room
        self.pause_ns = pace.pause_ns
        self._begin: Begin = lambda _trial, _slot: None
        self._busy = 0
        self._idle = 0
        self._takers: deque[asyncio.Future[None]] = deque()
        self._held: deque[int] = deque()
        self._over = asyncio.Event()
        self._time_up = False

    def beginning(self, begin: Begin) -> ClosedLane:
        """The lane, told how a trial is begun."""
        self._begin = begin
        return self

    async def run(self) -> None:
        opening = asyncio.create_task(self._open())
        try:
            await self._over.wait()
        finally:
            opening.cancel()

    def stop(self) -> None:
        """Take up nothing more."""
        self._over.set()

    def left_over(self) -> Iterator[PlannedTrial]:
        """The trials that the load's own time left over; none where it was stopped, or ended with its last trial."""
        return self._trials if self._time_up else iter(())

    def free(self, at_ns: int) -> None:
        """A slot becomes free at `at_ns` (which may lie ahead): for a retry that waits, else for the next trial."""
        while self._takers:
            taker = self._takers.popleft()
            if not taker.done():
                taker.set_result(None)
                return
        if self._busy > self._allowed():
            self._busy -= 1
            return
        self._next(at_ns)

    async def take(self) -> None:
        """A slot for a trial that gave its own back: the next that becomes free, ahead of all new trials."""
        if self._idle:
            self._idle -= 1
            return
        taker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._takers.append(taker)
        await taker

    # ------------------------------------------------------------ inside

    async def _open(self) -> None:
        """Open each level's slots in their turn, the shares of all processes interleaved."""
        for number, level in enumerate(self._pace.levels):
            step_ns = _RAMP_NS
            if number == 0 and self._pace.ramp_ns is not None:
                step_ns = self._pace.ramp_ns // max(1, level.slots)
            from_ns = self._share.start_ns + level.from_ns
            await sleep_until(from_ns)
            while self._busy < self._share.slots(level.slots) and not self._over.is_set():
                opens_ns = from_ns + (self._busy * self._share.of + self._share.number) * step_ns
                await sleep_until(opens_ns)
                self._busy += 1
                self._next(opens_ns)

    def _allowed(self) -> int:
        levels, place = self._pace.levels, 0
        if len(levels) > 1:
            elapsed_ns = monotonic_ns() - self._share.start_ns
            place = bisect_right([level.from_ns for level in levels], elapsed_ns) - 1
        return self._share.slots(levels[max(0, place)].slots)

    def _next(self, free_ns: int) -> None:
        """Take up the next trial at `free_ns`, or as soon as there is room for its answer."""
        if self._over.is_set() or self._past(free_ns):
            self._time_up = self._time_up or not self._over.is_set()
            self._over.set()
            self._idle += 1
        elif self._room.full:
            if not self._held:
                self._room.on_room(self._resume)
            self._held.append(free_ns)
        elif (ahead_ns := free_ns - monotonic_ns()) > 0:
            asyncio.get_running_loop().call_later(max(ahead_ns, 1_000_000) / 1e9, self._next, free_ns)
        elif (trial := next(self._trials, None)) is None:
            self._over.set()
            self._idle += 1
        else:
            self._begin(trial, ClosedSlot(trial, free_ns, self))

    def _past(self, at_ns: int) -> bool:
        lasts_ns = self._pace.lasts_ns
        return lasts_ns is not None and at_ns >= self._share.start_ns + lasts_ns

    def _resume(self) -> None:
        held, self._held = self._held, deque()
        for free_ns in held:
            self._next(free_ns)
