"""The measuring itself, in one process: the loop, the journal it feeds, and what ends it early.

A trial is in the journal before it counts. A signal or a spent budget ends it gracefully; a second signal at once.
"""

from __future__ import annotations

import asyncio
import gc
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

from benchbook import clock
from benchbook.measure.cost import cost_usd
from benchbook.records import Event, PlannedTrial, Trial
from benchbook.results import journal
from benchbook.runner.desk import Desk
from benchbook.runner.finishing import Pile
from benchbook.runner.gate import STATE_WORDS, gates
from benchbook.runner.harness.monitor import Monitor
from benchbook.runner.lanes import Share
from benchbook.runner.loop import Loop, Starting, Todo, at_once
from benchbook.runner.plan import Plan
from benchbook.runner.preflight import Unit, unit_of
from benchbook.runner.progress import Progress
from benchbook.runner.services import Services
from benchbook.runner.trials import Lane
from benchbook.runner.turns import Leg

OnProgress = Callable[[Progress], None]
_TICK_S = 0.25


@dataclass(frozen=True, slots=True)
class Left:
    """What of a plan is left to do: all but `done` (trial ids); what `skips` names is recorded and not tried.

    origins_ns: leg by leg, by target, the intended offset that the leg's start stands for; None: that of the first
    trial left.
    """

    plan: Plan
    done: frozenset[str]
    skips: Mapping[Unit, str]
    origins_ns: Sequence[Mapping[str, int]] | None = None

    def todo(self, share: Share) -> list[dict[str, Todo]]:
        """A process's share of the trials, leg by leg, by target: a leg is what is under load at the same time."""
        lanes = self.plan.trials.lanes
        return [
            {
                lanes[leg.lane].target: Todo(self._dealt(leg, share), origins.get(lanes[leg.lane].target, 0))
                for leg in legs
            }
            for legs, origins in zip(self.plan.trials.legs, self.origins(), strict=True)
        ]

    def origins(self) -> Sequence[Mapping[str, int]]:
        """The offset at which each target's load begins: of an open loop that is resumed, the first one left."""
        if self.origins_ns is not None:
            return self.origins_ns
        lanes = self.plan.trials.lanes
        return [
            {lanes[leg.lane].target: self._origin(leg) for leg in legs if lanes[leg.lane].offsets_ns}
            for legs in self.plan.trials.legs
        ]

    def planned(self, share: Share) -> dict[str, int]:
        """How many trials of each target the share holds, those that are skipped with the first process's."""
        counts = Counter({lane.target: 0 for lane in self.plan.trials.lanes})
        legs = [leg for together in self.plan.trials.legs for leg in together]
        if self.done or self.skips:
            for leg in legs:
                counts[self._lane(leg).target] += sum(1 for _ in self._dealt(leg, share))
            for trial in self.skipped() if share.number == 0 else ():
                counts[trial.planned.target] += 1
            return counts
        hands = self._hands(share)
        mine = [hand for hand in range(hands) if hand % share.of == share.number]
        for leg in legs:
            rounds, rest = divmod(leg.stop - leg.start, hands)
            counts[self._lane(leg).target] += rounds * len(mine) + sum(hand < rest for hand in mine)
        return counts

    def holds(self, trial: PlannedTrial, share: Share) -> bool:
        """Whether a trial is of the share."""
        place, begins = self.plan.trials.begins(trial)
        return (place - begins) % self._hands(share) % share.of == share.number

    def skipped(self) -> Iterator[Trial]:
        """The rows of what is not tried."""
        targets = {unit[0] for unit in self.skips}
        for lane in self.plan.trials.lanes:
            if lane.target in targets:
                yield from (_skipped(trial, self.skips[unit_of(trial)]) for trial in lane if self._is_skip(trial))

    def count(self, progress: Progress, trial: Trial) -> None:
        """Count a finished trial and what its calls cost, as far as that is known."""
        targets, own = self.plan.targets, trial.planned.target
        progress.count(trial, [cost_usd(targets[call.target or own].price, call.usage)[0] for call in trial.calls])

    def _hands(self, share: Share) -> int:
        """Trials are dealt one by one to the processes, or, in a closed loop, to the slots, which the processes hold
        in turn."""
        return max(share.of, max((level.slots for level in self.plan.load.levels), default=0))

    def _lane(self, leg: Leg) -> Lane:
        return self.plan.trials.lanes[leg.lane]

    def _dealt(self, leg: Leg, share: Share) -> Iterator[PlannedTrial]:
        lane, hands, all_left = self._lane(leg), self._hands(share), not self.done and not self.skips
        for place in range(leg.start, leg.stop):
            if (place - leg.start) % hands % share.of == share.number:
                trial = lane[place]
                if all_left or self._is_left(trial):
                    yield trial

    def _origin(self, leg: Leg) -> int:
        lane = self._lane(leg)
        if lane.offsets_ns is None or leg.start == leg.stop:
            return 0
        if not self.done and not self.skips:
            return lane.offsets_ns[leg.start]
        left = (place for place in range(leg.start, leg.stop) if self._is_left(lane[place]))
        return lane.offsets_ns[next(left, leg.start)]

    def _is_left(self, trial: PlannedTrial) -> bool:
        return trial.trial_id not in self.done and unit_of(trial) not in self.skips

    def _is_skip(self, trial: PlannedTrial) -> bool:
        return trial.trial_id not in self.done and unit_of(trial) in self.skips


class Measuring:
    """One process's measuring. Run it once."""

    def __init__(self, left: Left, desk: Desk, writer: journal.JournalWriter, progress: Progress) -> None:
        self._left, self._desk, self._writer, self._progress = left, desk, writer, progress
        self._loop = Loop(left.plan, (), desk, self._finished)
        self._budget_usd: float | None = None
        self._stopped_by: str | None = None
        self._monitor: Monitor | None = None
        self._pile = Pile(self._put_down, self._failed)

    async def run(
        self, share: Share, budget_usd: float | None, on_progress: OnProgress, starting: Starting = at_once
    ) -> str:
        """Measure the share; how it ended: `finished`, `interrupted` or `budget`. Raises StorageError.

        starting: see `Loop.run`.
        """
        self._budget_usd = budget_usd
        if budget_usd is not None:  # each trial's cost decides about the next
            self._pile = Pile(self._put_down, self._failed, most=1)
        if share.number == 0:
            for trial in self._left.skipped():
                self._finished(trial)
        plan = self._left.plan
        self._desk.gates = gates(plan.spec.execute.breaker, plan.targets, partial(self._changed, share))
        self._desk.services = Services(plan.spec.execute.breaker, partial(self._note, share))
        self._loop = Loop(plan, self._left.todo(share), self._desk, self._finished)
        if self._stopped_by is not None:
            self._loop.stop()
        self._listen()
        started_ns = clock.monotonic_ns()
        ticking = asyncio.create_task(self._tick(on_progress, started_ns))
        self._monitor = Monitor(partial(self._note, share), lambda: self._loop.pulse.in_flight)
        try:
            with _unpaused(_PILE_OF_AGENTS if plan.spec.teams else _PILE), self._monitor:
                await self._loop.run(share, starting)
        finally:
            ticking.cancel()
            try:
                self._pile.put_down()
            finally:
                self._report(on_progress, started_ns)
        return "finished" if self._progress.not_started == 0 else self._stopped_by or "finished"

    def stop(self, reason: str) -> None:
        """End gracefully: what is in flight may end."""
        self._stopped_by = self._stopped_by or reason
        self._loop.stop()

    def interrupt(self) -> None:
        """First time: what is in flight may end, unless it waits for a person. Second time: it may not."""
        if self._stopped_by == "interrupted":
            self._loop.abandon()
        self._stopped_by = "interrupted"
        self._desk.leave_waiting()
        self._loop.stop()

    def _listen(self) -> None:
        running = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                running.add_signal_handler(number, self.interrupt)
            except (ValueError, RuntimeError, NotImplementedError):  # not in the main thread: the caller decides
                return

    def _finished(self, trial: Trial) -> None:
        self._pile.add(trial)

    def _put_down(self, trials: Sequence[Trial]) -> None:
        """Into the journal, and then they count."""
        self._writer.append(*trials)
        for trial in trials:
            self._left.count(self._progress, trial)
        if self._budget_usd is not None and self._progress.spent_usd >= self._budget_usd:
            self.stop("budget")

    def _failed(self, error: Exception) -> None:
        self._loop.fail(error)

    def _note(self, share: Share, event: Event) -> None:
        """Write an event down; of one of several processes with its number."""
        self._writer.note(event if share.of == 1 else replace(event, fields={**event.fields, "worker": share.number}))

    def _changed(self, share: Share, event: Event) -> None:
        """A target's breaker changed its state. Each of several processes has its own."""
        self._note(share, event)
        self._progress.tally(event.target).state = STATE_WORDS.get(event.name, "")

    async def _tick(self, on_progress: OnProgress, started_ns: int) -> None:
        while True:
            self._report(on_progress, started_ns)
            await asyncio.sleep(_TICK_S)

    def _report(self, on_progress: OnProgress, started_ns: int) -> None:
        pulse, progress = self._loop.pulse, self._progress
        progress.in_flight = pulse.in_flight
        for target, in_flight in pulse.by_target.items():
            progress.tally(target).in_flight = in_flight
        progress.current = f"{pulse.current.test_id} @ {pulse.current.target}" if pulse.current else ""
        if self._monitor is not None:
            progress.loop_lag_ms = self._monitor.lag_ms
        progress.elapsed_s = (clock.monotonic_ns() - started_ns) / 1e9
        on_progress(progress)


_PILE = (200_000, 20, 100)
"""Objects by which the heap must have grown before it is looked through, and after how many such sweeps a wider one
comes: only cycles grow it for long, and trials that end as they should leave none, and a sweep of a busy heap holds
every stamp back."""
_PILE_OF_AGENTS = (10_000, 2, 100)
"""Agents and the official clients leave cycles behind with every call: short sweeps, then, and often. Half of what one
sees is still in use and dead a little later, so the wider one must not wait until a hundred thousand have gathered."""


@contextmanager
def _unpaused(pile: tuple[int, int, int]) -> Iterator[None]:
    """Garbage collection without pauses: what is there is never looked at again, and what comes only if it piles up."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*pile)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _skipped(trial: PlannedTrial, reason: str) -> Trial:
    now_ns = clock.monotonic_ns()
    return Trial(trial, "skipped", now_ns, now_ns, now_ns, error_message=reason)
