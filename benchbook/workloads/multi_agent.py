"""A team of agents, arranged as its file says: a supervisor with workers, a graph, a swarm."""

from __future__ import annotations

from benchbook.records import PlannedTrial, Trial
from benchbook.workloads import Desk, Slot
from benchbook.workloads.arrangements import arrangement
from benchbook.workloads.team.work import Reached, Work, perform


async def run(planned: PlannedTrial, desk: Desk, slot: Slot) -> Trial:
    """One trial: the team works on the case's task until one answer is there, a limit is reached, or it failed."""
    return await perform(planned, desk, slot, _together)


async def _together(work: Work) -> Reached:
    return await arrangement(work.team.kind)(work)
