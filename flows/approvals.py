"""Approvals by way of Prefect: what a run asks is shown on its server, what is answered there is written down.

Beside the measurement a background task watches the folder of requests; neither the flow nor any trial but the one
that asks is paused. Who answers sends the flow run an input, from wherever Prefect's client can reach its server:

    Decided(request="5f1c...", approve=True, feedback="name the sources").send_to(flow_run_id)

`benchbook approve` works all the same; whichever answer comes first holds.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from prefect.artifacts import acreate_table_artifact
from prefect.input import RunInput
from prefect.logging import get_run_logger
from pydantic import ValidationError

from benchbook.clock import SystemClock
from benchbook.errors import ApprovalError
from benchbook.records import Decision
from benchbook.results import approvals
from benchbook.results.approvals import Approval
from benchbook.stages import Job
from tasks.live import unless_unreachable, watcher

_LOOK_S = 1.0
_SHOWN = 500
"""Characters of a result in the artifact."""


class Decided(RunInput):
    """An answer to a request, whose id may be cut short; by: who decided."""

    request: str
    approve: bool
    feedback: str = ""
    by: str = "prefect"


@asynccontextmanager
async def approvals_bridged(job: Job) -> AsyncIterator[None]:
    """While this lasts, requests of the job's plan are shown and answers taken; nothing where no person is asked."""
    approver = job.spec().execute.approver
    if approver is None or approver.kind != "human":
        yield
        return
    bridging = asyncio.create_task(Bridge(Path(job.results), SystemClock().wall_ns()).work())
    try:
        yield
    finally:
        bridging.cancel()
        await asyncio.gather(bridging, return_exceptions=True)


class Bridge:
    """Between one results folder and the flow run around. from_wall_ns: older requests are somebody else's."""

    def __init__(self, results: Path, from_wall_ns: int) -> None:
        self._results, self._from_wall_ns = results, from_wall_ns
        self._told: tuple[str, ...] = ()
        self._answers = Decided.receive(timeout=None)

    async def work(self) -> None:
        """Runs until cancelled. A server that does not answer is tried again at the next look."""
        while True:
            waiting = await asyncio.to_thread(self._waiting)
            with unless_unreachable("approvals"):
                await self._tell(waiting)
                if waiting:
                    await self._take_answers()
            await asyncio.sleep(_LOOK_S)

    def _waiting(self) -> list[Approval]:
        found = approvals.approvals(self._results)
        return [one for one in found if one.decision is None and one.request.asked_wall_ns >= self._from_wall_ns]

    async def _tell(self, waiting: Sequence[Approval]) -> None:
        """Say each new request once, and keep the table of them as it is."""
        ids = tuple(one.request.request_id for one in waiting)
        if ids == self._told:
            return
        for one in waiting:
            if one.request.request_id not in self._told:
                watcher().say(_line(one))
        self._told = ids
        said = "Waiting for approval: send this flow run a Decided input, or use `benchbook approve`"
        await acreate_table_artifact([_row(one) for one in waiting], key="approvals", description=said)

    async def _take_answers(self) -> None:
        while found := await self._answers.filter_for_inputs():
            for one in found:
                try:
                    self._decide(self._answers.to_instance(one))
                except ValidationError as error:
                    get_run_logger().warning("an answer that can't be read: %s", error)

    def _decide(self, answer: Decided) -> None:
        verdict = "approved" if answer.approve else "rejected"
        made = Decision(verdict, answer.by, "prefect", answer.feedback, SystemClock().wall_ns())
        try:
            asked = approvals.find(self._results, answer.request)
            approvals.decide(asked.folder, asked.request.request_id, made)
        except ApprovalError as refused:
            get_run_logger().warning("%s", refused)


def _line(one: Approval) -> str:
    asked = one.request
    return f"approval: step {asked.step} of {asked.test_id} waits; benchbook approve {asked.request_id} --show"


def _row(one: Approval) -> dict[str, str]:
    asked = one.request
    return {
        "request": asked.request_id,
        "case": asked.test_id,
        "target": asked.target,
        "step": asked.step,
        "agent": asked.agent,
        "result": asked.output[:_SHOWN],
    }


__all__ = ["Decided", "approvals_bridged"]
