"""One run from its first check to its last record: what surrounds the loop.

Order matters. Everything that can be refused is refused before a run folder exists: keys, addresses, the
simulator. Then the manifest is written, what can't be done is recorded as skipped, and each finished trial is
in the journal before the next one counts. A session ends `finished`, `interrupted` or `budget`; a resume opens
another session in the same folder.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchbook import clock
from benchbook.datasets import to_dict
from benchbook.errors import PlanError, WireError
from benchbook.providers import Provider, open_provider
from benchbook.providers.transport import Transport
from benchbook.results import journal
from benchbook.results.paths import files_folder, journal_folder
from benchbook.results.writer import next_segment
from benchbook.runner.descriptors import allow_most
from benchbook.runner.desk import Desk
from benchbook.runner.harness.calibrating import MANY, as_note, calibrate, calibration_seconds, noted
from benchbook.runner.lanes import Share
from benchbook.runner.loops import loop_factory
from benchbook.runner.measuring import Left, Measuring, OnProgress
from benchbook.runner.plan import Plan
from benchbook.runner.preflight import Unit, reachable, skip_reasons
from benchbook.runner.progress import Progress
from benchbook.runner.provenance import harness, provenance
from benchbook.runner.simulated import StandIns, addressed, stand_ins
from benchbook.runner.teams import require_ready
from benchbook.runner.worker import Assignment
from benchbook.stats.calibration import Calibration


@dataclass(frozen=True, slots=True)
class Orders:
    """How to run a plan, apart from the plan.

    resume: the run to finish; preflight: refuse the whole run when no target can be reached (a scheduled run
    does not: there an outage is a result); origin: facts of the caller, kept in the
    manifest; checks: what was found in the datasets, kept beside it; facts: of this session, kept with its
    segment; workers: measuring processes, which share the load.
    """

    results: Path
    resume: str | None = None
    budget_usd: float | None = None
    preflight: bool = True
    origin: Mapping[str, Any] = field(default_factory=dict)
    checks: bytes = b""
    facts: Mapping[str, Any] = field(default_factory=dict)
    workers: int = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a session came to. status: `finished`, `interrupted` or `budget`."""

    run_id: str
    status: str
    progress: Progress
    notes: tuple[str, ...] = ()


def execute(plan: Plan, orders: Orders, on_progress: OnProgress | None = None) -> Outcome:
    """Run the plan, or what is missing of the run that `orders.resume` names, on a loop of its own.

    Raises UserError (keys, addresses, busy or unwritable folder, full disk). Provider failures are rows.
    """
    allow_most()
    with ExitStack() as stack:
        stack.enter_context(journal.lock(orders.results))
        found = stack.enter_context(stand_ins(plan.spec))
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(Session(plan, orders, on_progress).run(found))


def calibrated(seconds: float, streams: int) -> Calibration:
    """A calibration on a loop as runs have it, without a run."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(calibrate(seconds, streams))


class Session:
    """One session of one run."""

    def __init__(self, plan: Plan, orders: Orders, on_progress: OnProgress | None) -> None:
        self._plan, self._orders = plan, orders
        self._on_progress = on_progress or (lambda _progress: None)

    async def run(self, found: StandIns) -> Outcome:
        """Refuse or run. `found`: the simulator and the cassettes, where the plan has targets that use them."""
        self._addresses = found.addresses
        targets = [addressed(target, found.addresses) for target in self._plan.targets.values()]
        providers = {target.name: open_provider(target) for target in targets}
        for provider in providers.values():
            provider.check()
        require_ready(self._plan.spec, os.environ)
        transport = Transport()
        try:
            if self._orders.preflight:
                await reachable({name: self._address(name, provider) for name, provider in providers.items()})
            skips, notes = await skip_reasons(self._plan, providers, transport)
            run_id = self._open_run()
            self._plan = replace(self._plan, salt=run_id)
            desk = Desk(self._plan, providers, transport, files_folder(self._orders.results, run_id))
            return await self._record(run_id, desk, skips, (*found.notes, *notes))
        finally:
            await transport.close()

    def _address(self, name: str, provider: Provider) -> str:
        prompt = next(iter(self._plan.prompts.values()))
        try:
            return provider.prepare(self._plan.request_to(self._plan.targets[name], prompt)).url
        except WireError as error:
            raise PlanError(f"target {name}", str(error), "choose another model or wire") from None

    async def _record(self, run_id: str, desk: Desk, skips: Mapping[Unit, str], notes: tuple[str, ...]) -> Outcome:
        progress = Progress(run_id, planned=len(self._plan.trials))
        progress.expect({lane.target: len(lane) for lane in self._plan.trials.lanes})
        left = Left(self._plan, self._done(run_id, progress), skips)
        if not progress.not_started:
            return Outcome(run_id, journal.FINISHED, progress, (*notes, f"run {run_id} misses nothing"))
        facts = {
            "wall_offset_ns": clock.wall_offset_ns(clock.SystemClock()),
            "harness": harness(),
            **self._orders.facts,
        }
        calibration_s = calibration_seconds(self._plan.spec.execute.calibrate)
        if self._orders.workers > 1:
            return await self._by_crew(left, progress, facts, notes)
        with journal.JournalWriter(self._orders.results, run_id, facts) as writer:
            if calibration_s and progress.not_started >= MANY:
                await noted("before", calibration_s, writer.note)
            await desk.warm(Share(0))
            measuring = Measuring(left, desk, writer, progress)
            status = await measuring.run(Share(clock.monotonic_ns()), self._budget_usd(), self._on_progress)
            if calibration_s and status == journal.FINISHED:
                await noted("after", calibration_s, writer.note)
            await desk.close()
            writer.finish(status, progress.fields())
        return Outcome(run_id, status, progress, notes)

    async def _by_crew(self, left: Left, base: Progress, facts: Mapping[str, Any], notes: tuple[str, ...]) -> Outcome:
        """Have worker processes measure; this one only looks on."""
        from benchbook.runner.crew import Crew

        first = next_segment(journal_folder(self._orders.results) / base.run_id)
        most = max((level.slots for level in self._plan.load.levels), default=self._orders.workers)
        most = min(most, self._plan.spec.execute.max_in_flight or most)
        workers = min(self._orders.workers, most)
        calibration_s = calibration_seconds(self._plan.spec.execute.calibrate)
        found = [as_note(await calibrate(calibration_s))] if calibration_s else []
        crew = Crew(
            [
                Assignment(
                    results=str(self._orders.results),
                    run_id=base.run_id,
                    number=number,
                    of=workers,
                    segment=first + number,
                    session=first,
                    addresses=self._addresses,
                    facts={**facts, "session": first},
                    origins_ns=tuple(left.origins()),
                    skips=tuple((*unit, reason) for unit, reason in left.skips.items()),
                    again=bool(left.done),
                    notes=tuple(found) if number == 0 else (),
                )
                for number in range(workers)
            ],
            base,
            self._on_progress,
        )
        status, progress = await crew.run(self._budget_usd())
        return Outcome(base.run_id, status, progress, (*notes, *crew.notes))

    def _budget_usd(self) -> float | None:
        return self._orders.budget_usd or self._plan.spec.execute.budget_usd

    def _done(self, run_id: str, progress: Progress) -> frozenset[str]:
        """Ids of the trials that the run already holds; they are counted."""
        if not self._orders.resume:
            return frozenset()
        counting = Left(self._plan, frozenset(), {})
        done = set()
        for trial in journal.read_run(self._orders.results, run_id).trials():
            counting.count(progress, trial)
            done.add(trial.planned.trial_id)
        progress.earlier = progress.done
        return frozenset(done)

    def _open_run(self) -> str:
        """The run's folder, new or resumed: its id."""
        if self._orders.resume:
            return journal.find_run(self._orders.results, self._orders.resume)
        run_id = journal.mint_run_id(clock.SystemClock(), random.SystemRandom())
        manifest = {
            "run_id": run_id,
            "plan_hash": self._plan.plan_hash,
            "workload_hash": self._plan.workload_hash,
            "planned": len(self._plan.trials),
            "plan": self._plan.spec.frozen(),
            "offered_per_s": self._plan.load.rate_per_s,
            "started_wall_ns": clock.SystemClock().wall_ns(),
            **provenance(self._plan.datasets),
            **self._orders.origin,
        }
        datasets = [{"path": d.path, "sha256": d.sha256, "content": to_dict(d)} for d in self._plan.datasets]
        journal.create_run(self._orders.results, run_id, manifest, datasets, checks=self._orders.checks)
        return run_id
