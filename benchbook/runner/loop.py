"""The one loop: planned trials x load x workload -> a stream of finished trials.

Per target there is a lane that takes trials up; each trial is a task of its own until it is handed, finished, to
`on_finished`. Nothing between socket and clock waits for decoding or for the journal. A trial whose target's breaker
is open waits in its place and is taken up when it is let through. Stopping is graceful: nothing new is taken up, what
is in flight ends by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchbook.records import PlannedTrial, Trial
from benchbook.runner.desk import Desk
from benchbook.runner.gate import Gate
from benchbook.runner.lanes import Begin, ClosedLane, ClosedPace, OpenLane, Share, Slot
from benchbook.runner.plan import Plan
from benchbook.schedules import Closed
from benchbook.workloads import workload

_SECOND_NS = 1_000_000_000


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


class Loop:
    """Runs `todo`, by target, of `plan`: await `run()`; call `stop()` to take up nothing more.

    on_finished: takes each trial as it ends, in order of ending; what it raises ends the loop.
    """

    def __init__(self, plan: Plan, todo: Mapping[str, Todo], desk: Desk, on_finished: Callable[[Trial], None]) -> None:
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

    async def run(self, share: Share) -> None:
        """Run this process's share to its end. Raises what `on_finished` or a defect of our own raised."""
        decoding = asyncio.create_task(self._desk.decoder.work())
        self._lanes = [self._lane(todo, share) for todo in self._todo.values()]
        lanes = [asyncio.create_task(lane.run()) for lane in self._lanes]
        try:
            await asyncio.gather(*lanes)
            while self._running:
                await asyncio.wait(self._running)
        finally:
            left = [decoding, *lanes, *self._running]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
        if self._defect is not None:
            raise self._defect

    def _lane(self, todo: Todo, share: Share) -> OpenLane | ClosedLane:
        load, execute = self._plan.load, self._plan.spec.execute
        begin: Begin = self._begin
        if not load.levels:
            return OpenLane(todo.trials, share, todo.origin_ns, begin)
        delay_ns = round(execute.delay_s * _SECOND_NS)
        ramp_s = load.ramp_s if isinstance(load, Closed) else None
        pace = ClosedPace(
            levels=load.levels,
            ramp_ns=None if ramp_s is None else round(ramp_s * _SECOND_NS),
            lasts_ns=None if load.lasts_s is None else round(load.lasts_s * _SECOND_NS),
            pause_ns=lambda _trial: delay_ns,
        )
        return ClosedLane(todo.trials, pace, share, self._desk.decoder).beginning(begin)

    def _begin(self, trial: PlannedTrial, slot: Slot) -> None:
        self.pulse.count(trial.target, 1)
        self.pulse.current = trial
        task = asyncio.create_task(self._one(trial, slot))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _one(self, trial: PlannedTrial, slot: Slot) -> None:
        try:
            gate = self._desk.gate(trial.target)
            if gate is None or await self._admitted(trial, gate):
                self._on_finished(await workload(trial.workload)(trial, self._desk, slot))
        except Exception as error:  # noqa: BLE001 - ours: raised by `run`
            if self._defect is None:
                self._defect = error
                self.abandon()
        finally:
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
