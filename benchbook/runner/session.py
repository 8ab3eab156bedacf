"""One run from its first check to its last record: what surrounds the loop.

Order matters. Everything that can be refused is refused before a run folder exists: keys, addresses, the
simulator. Then the manifest is written, what can't be done is recorded as skipped, and each finished trial is
in the journal before the next one counts. A session ends `finished`, `interrupted` or `budget`; a resume opens
another session in the same folder.
"""

from __future__ import annotations

import asyncio
import gc
import random
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchbook import clock
from benchbook.datasets import to_dict
from benchbook.errors import PlanError, WireError
from benchbook.measure.cost import cost_usd
from benchbook.providers import Provider, open_provider
from benchbook.providers.transport import Transport
from benchbook.records import PlannedTrial, Trial
from benchbook.results import journal
from benchbook.runner.descriptors import allow_most
from benchbook.runner.loop import Desk, Loop
from benchbook.runner.plan import Plan
from benchbook.runner.preflight import reachable, skip_reasons
from benchbook.runner.progress import Progress
from benchbook.runner.provenance import harness, provenance
from benchbook.runner.simulated import StandIns, addressed, stand_ins

OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Orders:
    """How to run a plan, apart from the plan.

    resume: the run to finish; preflight: refuse the whole run when no target can be reached (a scheduled run
    does not: there an outage is a result); origin: facts of the caller, kept in the
    manifest; checks: what was found in the datasets, kept beside it; facts: of this session, kept with its segment.
    """

    results: Path
    resume: str | None = None
    budget_usd: float | None = None
    preflight: bool = True
    origin: Mapping[str, Any] = field(default_factory=dict)
    checks: bytes = b""
    facts: Mapping[str, Any] = field(default_factory=dict)


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
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(Session(plan, orders, on_progress).run(found))


class Session:
    """One session of one run."""

    def __init__(self, plan: Plan, orders: Orders, on_progress: OnProgress | None) -> None:
        self._plan, self._orders = plan, orders
        self._on_progress = on_progress or (lambda _progress: None)
        self._stopped_by: str | None = None

    async def run(self, found: StandIns) -> Outcome:
        """Refuse or run. `found`: the simulator and the cassettes, where the plan has targets that use them."""
        targets = [addressed(target, found.addresses) for target in self._plan.targets.values()]
        providers = {target.name: open_provider(target) for target in targets}
        for provider in providers.values():
            provider.check()
        transport = Transport()
        try:
            if self._orders.preflight:
                await reachable({name: self._address(name, provider) for name, provider in providers.items()})
            skips, notes = await skip_reasons(self._plan, providers, transport)
            run_id, done = self._open_run()
            self._plan = replace(self._plan, salt=run_id)
            return await self._record(
                run_id, done, Desk(self._plan, providers, transport), (skips, (*found.notes, *notes))
            )
        finally:
            await transport.close()

    def _address(self, name: str, provider: Provider) -> str:
        prompt = next(iter(self._plan.prompts.values()))
        try:
            return provider.prepare(self._plan.request_to(self._plan.targets[name], prompt)).url
        except WireError as error:
            raise PlanError(f"target {name}", str(error), "choose another model or wire") from None

    async def _record(
        self, run_id: str, done: Mapping[str, Trial], desk: Desk, preflight: tuple[Mapping[str, str], tuple[str, ...]]
    ) -> Outcome:
        skips, notes = preflight
        progress = Progress(run_id, planned=len(self._plan.trials))
        progress.expect(self._plan.trials)
        for trial in done.values():
            self._take(progress, trial)
        progress.earlier = progress.done
        todo = [planned for planned in self._plan.trials if planned.trial_id not in done]
        if not todo:
            return Outcome(run_id, journal.FINISHED, progress, (*notes, f"run {run_id} misses nothing"))
        facts = {
            "wall_offset_ns": clock.wall_offset_ns(clock.SystemClock()),
            "harness": harness(),
            **self._orders.facts,
        }
        with journal.JournalWriter(self._orders.results, run_id, facts) as writer:
            for planned in todo:
                if planned.trial_id in skips:
                    writer.append(self._take(progress, _skipped(planned, skips[planned.trial_id])))
            loop = Loop(self._plan, [planned for planned in todo if planned.trial_id not in skips], desk)
            self._begin(loop, progress)
            with _unpaused():
                await self._follow(loop, progress, writer)
            status = self._status(progress)
            writer.finish(status, progress.fields())
        return Outcome(run_id, status, progress, notes)

    def _open_run(self) -> tuple[str, dict[str, Trial]]:
        """The run's folder, new or resumed: its id and the trials that it already holds."""
        if self._orders.resume:
            run_id = journal.find_run(self._orders.results, self._orders.resume)
            stored = journal.read_run(self._orders.results, run_id)
            return run_id, {trial.planned.trial_id: trial for trial in stored.trials()}
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
        return run_id, {}

    def _begin(self, loop: Loop, progress: Progress) -> None:
        self._loop, self._progress = loop, progress
        running = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                running.add_signal_handler(number, self._interrupt)
            except (ValueError, RuntimeError, NotImplementedError):  # not in the main thread: the caller decides
                return

    def _interrupt(self) -> None:
        """First signal: what is in flight may end. Second: it may not."""
        if self._stopped_by == "interrupted":
            self._loop.abandon()
        self._stopped_by = "interrupted"
        self._loop.stop()

    async def _follow(self, loop: Loop, progress: Progress, writer: journal.JournalWriter) -> None:
        started_ns = clock.monotonic_ns()
        ticking = asyncio.create_task(self._tick(loop, progress, started_ns))
        try:
            async for trial in loop.finished():
                writer.append(self._take(progress, trial))
                self._keep_to_budget(progress)
        finally:
            ticking.cancel()
            self._report(loop, progress, started_ns)

    async def _tick(self, loop: Loop, progress: Progress, started_ns: int) -> None:
        while True:
            self._report(loop, progress, started_ns)
            gc.collect(0)
            await asyncio.sleep(0.25)

    def _report(self, loop: Loop, progress: Progress, started_ns: int) -> None:
        progress.in_flight, progress.current = loop.pulse.in_flight, loop.pulse.current
        progress.elapsed_s = (clock.monotonic_ns() - started_ns) / 1e9
        self._on_progress(progress)

    def _take(self, progress: Progress, trial: Trial) -> Trial:
        """Count a finished trial and what its calls cost, as far as that is known."""
        price = self._plan.targets[trial.planned.target].price
        progress.count(trial, [cost_usd(price, call.usage)[0] for call in trial.calls])
        return trial

    def _keep_to_budget(self, progress: Progress) -> None:
        budget = self._orders.budget_usd or self._plan.spec.execute.budget_usd
        if budget is not None and progress.spent_usd >= budget and self._stopped_by is None:
            self._stopped_by = "budget"
            self._loop.stop()

    def _status(self, progress: Progress) -> str:
        return "finished" if progress.not_started == 0 else self._stopped_by or "interrupted"


@contextmanager
def _unpaused() -> Iterator[None]:
    """No garbage collection of its own accord: what is there is frozen, and young cycles are swept with each tick."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def _skipped(trial: PlannedTrial, reason: str) -> Trial:
    now_ns = clock.monotonic_ns()
    return Trial(trial, "skipped", now_ns, now_ns, now_ns, error_message=reason)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
