"""A task in steps: decomposed, each step a member's, in graph order, independent ones side by side, results joined.

    plan        the team's fixed steps, or those that its planner makes of the task
    step        a fresh agent of the member, tried again where it fails; a `step` span
    approval    where the step wants one: the trial pauses, goes on with the feedback, or ends
    aggregate   one answer by the aggregator, else the last steps' results as they are

Each of these is in the trial's checkpoint file when it is done. A process that takes up a trial of a killed one reads
it: what is done is neither done nor timed again, its time is carried over, and what was begun is done anew.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any

from benchbook.clock import monotonic_ns
from benchbook.records import Decision, PlannedTrial, Step, Trial
from benchbook.results.checkpoints import Checkpoint, Part, sessions
from benchbook.workloads import Desk, Slot
from benchbook.workloads.steps.approving import Question, decided, ended_by
from benchbook.workloads.steps.carrying import Carried, carried, excused_ns
from benchbook.workloads.steps.order import before, last, ready
from benchbook.workloads.steps.planning import asked, listed, plan_of, steps_of
from benchbook.workloads.steps.recovery import Tried, tried
from benchbook.workloads.steps.wording import gathered, joined, told
from benchbook.workloads.team.collector import Opening
from benchbook.workloads.team.work import Reached, Work, perform


async def run(planned: PlannedTrial, desk: Desk, slot: Slot) -> Trial:
    """One trial, or what is left of one. Raises StorageError where its checkpoints can't be written."""
    flow = _Flow(planned, desk)
    try:
        return await perform(planned, desk, slot, flow.run)
    finally:
        await flow.close()


class _Flow:
    """One trial's way through its steps. done: step -> what it came to, approved where it wants that."""

    def __init__(self, planned: PlannedTrial, desk: Desk) -> None:
        self._planned, self._folder = planned, desk.folder / "checkpoints"
        self._file: Checkpoint | None = None
        self._carried = Carried(0, 0)
        self._steps: tuple[Step, ...] = ()
        self._done: dict[str, str] = {}
        self._decisions: dict[str, Decision] = {}
        self._working = 0

    async def close(self) -> None:
        if self._file is not None:
            await self._file.close()

    async def run(self, work: Work) -> Reached:
        """The body of the trial."""
        self._take_up(work)
        ended = await self._plan(work) or await self._run_steps(work) or await self._aggregate(work)
        return Reached(
            ended.text,
            ended.error_kind,
            ended.error_message,
            end_state={**self._state(), **ended.end_state},
            status=ended.status,
        )

    def _take_up(self, work: Work) -> None:
        """Begin the checkpoint file; carry over what earlier processes left."""
        stamps = (work.intended_ns, work.started_ns)
        earlier = sessions(self._folder, self._planned)
        self._file = Checkpoint(self._folder, self._planned, stamps)
        if not earlier:
            return
        self._carried = found = carried(earlier, *stamps)
        pairs = [pair for part in found.parts for pair in zip(part.calls, part.answers, strict=True)]
        work.restore(pairs, [span for part in found.parts for span in part.spans])
        work.figures |= {part.key: part.reported for part in found.parts if part.reported}
        work.resumes(found.started_ns, found.intended_ns, excused_ns(found.parts))

    def _state(self) -> dict[str, Any]:
        """What was reached, for the row."""
        state: dict[str, Any] = {"done": list(self._done)}
        if self._decisions:
            state["approved"] = all(made.verdict == "approved" for made in self._decisions.values())
            state["decisions"] = {step: made.verdict for step, made in self._decisions.items()}
        if self._carried.resumed:
            state["resumed"] = self._carried.resumed
            state["shift_ms"] = [shift_ns / 1e6 for shift_ns in self._carried.shifts_ns]
            state["redone"] = list(self._carried.redone)
        return state

    # ------------------------------------------------------------ parts

    async def _plan(self, work: Work) -> Reached | None:
        team = work.team
        if team.planner is None:
            self._steps = team.steps
            return None
        if "plan" in self._carried.values:
            self._steps = steps_of(self._carried.values["plan"])
            return None
        self._begun("plan")
        with work.collector.inside("step", "plan", agent=team.planner, input=work.task) as span:
            found = await tried(
                work,
                team.member(team.planner),
                span,
                lambda refused: asked(team, work.task, refused),
                lambda text: plan_of(text, team),
            )
            _ended(span, found)
        self._steps = found.value or ()
        await self._keep(work, "plan", span, (listed(self._steps), found))
        return found.reached if found.value is None else None

    async def _run_steps(self, work: Work) -> Reached | None:
        """Every step as soon as what it needs is done. The first that fails, or is not approved, ends them all."""
        running: dict[asyncio.Task[Reached | None], str] = {}
        begun: set[str] = set()
        try:
            while len(self._done) < len(self._steps):
                for step in ready(self._steps, self._done, begun):
                    begun.add(step.name)
                    running[asyncio.create_task(self._one(work, step))] = step.name
                finished, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in finished:
                    del running[task]
                    if (ended := task.result()) is not None:
                        return ended
        finally:
            for task in running:
                task.cancel()
            if running:
                work.cut_off("cancelled")
                await asyncio.gather(*running, return_exceptions=True)
        return None

    async def _one(self, work: Work, step: Step) -> Reached | None:
        """One step, with its approval; None: it is done."""
        prompt = told(step, work.task, self._done, self._feedback(before(self._steps, step.name)))
        output = self._carried.values.get(f"step:{step.name}")
        if output is None:
            self._working += 1
            try:
                output, failed = await self._worked(work, step, prompt)
            finally:
                self._working -= 1
            if failed is not None:
                return failed
        if step.approval and (ended := await self._approved(work, step, prompt, output)) is not None:
            return ended
        self._done[step.name] = output
        return None

    async def _worked(self, work: Work, step: Step, prompt: str) -> tuple[str, Reached | None]:
        self._begun(f"step:{step.name}")
        with work.collector.inside("step", step.name, agent=step.agent, input=prompt) as span:
            span.detail["needs"] = list(step.needs)
            found = await tried(work, work.team.member(step.agent), span, lambda _refused: prompt, str)
            _ended(span, found)
        if found.value is None:
            reached = found.reached
            said = f"step {step.name}, {step.agent}: {reached.error_message} (after {found.attempts} attempts)"
            state = {**reached.end_state, "ended_at": step.name}
            return "", Reached(error_kind=reached.error_kind, error_message=said, end_state=state)
        await self._keep(work, f"step:{step.name}", span, (found.value, found))
        return found.value, None

    async def _approved(self, work: Work, step: Step, prompt: str, output: str) -> Reached | None:
        key = f"approval:{step.name}"
        if key in self._carried.values:
            made = Decision(**self._carried.values[key])
        else:
            self._begun(key)
            number = [one.name for one in self._steps if one.approval].index(step.name)
            question = Question(step, prompt, output, number)
            made, spans = await decided(work, question, alone=self._working == 0)
            self._write(Part(key, asdict(made), spans=spans))
        self._decisions[step.name] = made
        return ended_by(made, step)

    async def _aggregate(self, work: Work) -> Reached:
        name = work.team.aggregator
        if name is None:
            return Reached(joined(last(self._steps), self._done))
        if "aggregate" in self._carried.values:
            return Reached(self._carried.values["aggregate"])
        outputs = {step.name: self._done[step.name] for step in self._steps}
        prompt = gathered(work.task, outputs, self._feedback(set(outputs)))
        self._begun("aggregate")
        with work.collector.inside("step", "aggregate", agent=name, input=prompt) as span:
            found = await tried(work, work.team.member(name), span, lambda _refused: prompt, str)
            _ended(span, found)
        if found.value is not None:
            await self._keep(work, "aggregate", span, (found.value, found))
        return found.reached

    def _feedback(self, steps: set[str]) -> list[str]:
        """What was said about these steps, in the steps' order."""
        found = (self._decisions.get(step.name) for step in self._steps if step.name in steps)
        return [made.feedback for made in found if made is not None]

    # ------------------------------------------------------------ checkpoints

    def _begun(self, key: str) -> None:
        if self._file is not None:
            self._file.begun(key, monotonic_ns())

    async def _keep(self, work: Work, key: str, span: Opening, came: tuple[Any, Tried[Any]]) -> None:
        """A part is done: its value, its calls and spans, and the SDK's figures go into the checkpoint."""
        value, found = came
        if found.value is None:
            return
        await work.decoded(span)
        spans, pairs = work.collector.under(span)
        calls, answers = tuple(call for call, _ in pairs), tuple(answer for _, answer in pairs)
        self._write(Part(key, value, calls, answers, spans, found.reported))

    def _write(self, part: Part) -> None:
        if self._file is not None:
            self._file.done(part, monotonic_ns())


def _ended(span: Opening, found: Tried[Any]) -> None:
    """What a part's span says."""
    span.says(found.reached.text, attempts=found.attempts)
    if found.value is None:
        span.fails(found.reached.error_message or "it failed")
