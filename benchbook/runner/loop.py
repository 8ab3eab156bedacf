"""The one loop: planned trials x load x workload -> a stream of finished trials.

Per target there is a lane that takes trials up; each trial is a task of its own until it is handed, finished, to
`on_finished`. Lanes that are under load at the same time make a leg; the next leg starts when the last trial of the one
before has ended. Nothing between socket and clock waits for decoding or for the journal. A trial whose target's breaker
is open waits in its place and is taken up when it is let through. Stopping is graceful: nothing new is taken up, what
is in flight ends by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from benchbook.clock import monotonic_ns
from benchbook.config import ExecuteSection
from benchbook.records import PlannedTrial, Trial
from benchbook.runner.beginning import AT_ONCE, begun
from benchbook.runner.desk import Desk
from benchbook.runner.gate import Gate
from benchbook.runner.lanes import Begin, Cap, ClosedLane, ClosedPace, OpenLane, Share, Slot
from benchbook.runner.plan import Plan
from benchbook.schedules import Closed, think_ns
from benchbook.workloads import workload

_SECOND_NS = 1_000_000_000
_ROWS_AT_ONCE = 256


@dataclass(slots=True)
class Pulse:
    """How the loop is doing, for a live view: trials in flight, in all and by target; the newest one taken up."""

    in_flight: int = 0
    by_target: dict[str, int] = field(default_factory=dict)
    current: PlannedTrial | None = None

    def count(self, target: str, step: int) -> None:
        """One more in flight, or (-1) one less."""
        self.in_flight += step
        self.by_target[target] = self.by_target.get(target, 0) + step


@dataclass(frozen=True, slots=True)
class Todo:
    """One target's trials that are still to be done, in order. origin_ns: the first one's intended offset in the
    whole plan's lane, so that all processes of a run count alike."""

    trials: Iterator[PlannedTrial]
    origin_ns: int = 0


Starting = Callable[[int], Awaitable[int]]
"""Takes a leg's number, from 1 on; when it may start, says from which stamp its load counts."""


async def at_once(_leg: int) -> int:
    """A leg's start in a process that waits for nobody."""
    return monotonic_ns()


class Loop:
    """Runs `todo`, leg by leg and by target, of `plan`: await `run()`; call `stop()` to take up nothing more.

    on_finished: takes each trial as it ends, in order of ending; what it raises ends the loop.
    """

    def __init__(
        self, plan: Plan, todo: Sequence[Mapping[str, Todo]], desk: Desk, on_finished: Callable[[Trial], None]
    ) -> None:
        self._plan, self._todo, self._desk, self._on_finished = plan, todo, desk, on_finished
        self._lanes: list[OpenLane | ClosedLane] = []
        self._running: set[asyncio.Task[None]] = set()
        self._held_back: set[asyncio.Task[Any]] = set()
        self._stopped = False
        self._defect: BaseException | None = None
        self.pulse = Pulse()

    def stop(self) -> None:
        """Take up nothing more; what is in flight ends by itself."""
        self._stopped = True
        for lane in self._lanes:
            lane.stop()
        for task in self._held_back:
            task.cancel()

    def abandon(self) -> None:
        """Stop, and end what is in flight as well: those trials count as not started."""
        self.stop()
        for task in self._running:
            task.cancel()

    def fail(self, error: Exception) -> None:
        """End at once; `run` raises the first error that it was told of."""
        if self._defect is None:
            self._defect = error
            self.abandon()

    async def run(self, share: Share, starting: Starting = at_once) -> None:
        """Run this process's share to its end. Raises what `on_finished` or a defect of our own raised.

        share: of the first leg; starting: says when each leg after it starts.
        """
        decoding = asyncio.create_task(self._desk.decoder.work(lambda: self.pulse.in_flight))
        try:
            for number, todo in enumerate(self._todo):
                if number and self._stopped:
                    break
                if number:
                    share = replace(share, start_ns=await starting(number))
                await self._leg(todo, share)
        finally:
            decoding.cancel()
            await asyncio.gather(decoding, return_exceptions=True)
        if self._defect is not None:
            raise self._defect

    async def _leg(self, todo: Mapping[str, Todo], share: Share) -> None:
        """All lanes of a leg, until their last trial has ended."""
        self._lanes = [self._lane(each, share) for each in todo.values()]
        if self._stopped:
            self.stop()
        lanes = [asyncio.create_task(lane.run()) for lane in self._lanes]
        try:
            await asyncio.gather(*lanes)
            while self._running:
                await asyncio.wait(self._running)
            await self._skip_left_over()
        finally:
            left = [*lanes, *self._running]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    def _lane(self, todo: Todo, share: Share) -> OpenLane | ClosedLane:
        load, execute = self._plan.load, self._plan.spec.execute
        begin: Begin = self._begin
        if not load.levels:
            return OpenLane(todo.trials, share.start_ns - todo.origin_ns, begin, self._cap(share))
        ramp_s = load.ramp_s if isinstance(load, Closed) else None
        pace = ClosedPace(
            levels=load.levels,
            ramp_ns=None if ramp_s is None else round(ramp_s * _SECOND_NS),
            lasts_ns=None if load.lasts_s is None else round(load.lasts_s * _SECOND_NS),
            pause_ns=_pause(execute),
        )
        return ClosedLane(todo.trials, pace, share, self._desk.decoder).beginning(begin)

    def _cap(self, share: Share) -> Cap | None:
        """This process's part of the plan's cap, for one target."""
        execute = self._plan.spec.execute
        if execute.max_in_flight is None:
            return None
        return Cap(share.slots(execute.max_in_flight), self._drop if execute.on_full == "drop" else None)

    def _drop(self, trial: PlannedTrial, intended_ns: int) -> None:
        """A trial that was due when there was no room: a row at once, failed without a call."""
        said = f"{self._plan.spec.execute.max_in_flight} in flight already (execute.max_in_flight)"
        self._on_finished(_unsent(trial, "failure", intended_ns, ("dropped", said)))

    async def _skip_left_over(self) -> None:
        """Rows for what the load's own time left over."""
        for lane in self._lanes:
            for number, trial in enumerate(lane.left_over()):
                now_ns = monotonic_ns()
                self._on_finished(_unsent(trial, "skipped", now_ns, ("time_up", "the load's time was over")))
                if number % _ROWS_AT_ONCE == 0:
                    await asyncio.sleep(0)

    def _begin(self, trial: PlannedTrial, slot: Slot) -> None:
        self.pulse.count(trial.target, 1)
        self.pulse.current = trial
        trying = self._one(trial, slot)
        if trial.workload in AT_ONCE and self._desk.gate(trial.target) is None:
            trying = begun(trying)
        task = asyncio.create_task(trying)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _one(self, trial: PlannedTrial, slot: Slot) -> None:
        try:
            gate = self._desk.gate(trial.target)
            if gate is None or await self._admitted(trial, gate):
                self._on_finished(await workload(trial.workload)(trial, self._desk, slot))
        except Exception as error:  # noqa: BLE001 - ours: raised by `run`
            self.fail(error)
        finally:
            slot.release(monotonic_ns())
            self.pulse.count(trial.target, -1)

    async def _admitted(self, trial: PlannedTrial, gate: Gate) -> bool:
        """Wait as long as the target's breaker asks for, not in flight; ends where the loop is stopped meanwhile."""
        task = asyncio.current_task()
        if self._stopped or task is None:
            return False
        self._held_back.add(task)
        self.pulse.count(trial.target, -1)
        try:
            return await gate.admitted()
        finally:
            self.pulse.count(trial.target, 1)
            self._held_back.discard(task)


def _pause(execute: ExecuteSection) -> Callable[[PlannedTrial], int]:
    """What a slot rests after a trial, in ns: the plan's delay, and the think time drawn from the trial's seed."""
    delay_ns = round(execute.delay_s * _SECOND_NS)
    if execute.think_s is None:
        return lambda _trial: delay_ns
    law = execute.think_s.model_dump()
    return lambda trial: delay_ns + think_ns(law, trial.seed)


def _unsent(trial: PlannedTrial, status: str, intended_ns: int, error: tuple[str, str]) -> Trial:
    """The row of a trial that was never sent. error: its kind and message."""
    now_ns = monotonic_ns()
    return Trial(trial, status, intended_ns, now_ns, now_ns, error_kind=error[0], error_message=error[1])
