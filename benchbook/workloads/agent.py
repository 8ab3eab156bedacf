"""One agent with tools: the model is asked, uses tools, is asked again, until it answers or a limit stops it."""

from __future__ import annotations

from benchbook.records import PlannedTrial, Trial
from benchbook.workloads import Desk, Slot
from benchbook.workloads.team.building import answer, build
from benchbook.workloads.team.work import Reached, Work, perform


async def run(planned: PlannedTrial, desk: Desk, slot: Slot) -> Trial:
    """One trial: the team's entry answers the case's task."""
    return await perform(planned, desk, slot, _answered)


async def _answered(work: Work) -> Reached:
    entry = work.team.member(work.team.entry or work.team.members[0].name)
    return await answer(work, build(work, entry, history=work.before), work.task)
