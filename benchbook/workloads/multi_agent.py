"""A team of agents, arranged as its file says: a supervisor with workers, a graph, a swarm."""

from __future__ import annotations

from dataclasses import replace

from benchbook.records import PlannedTrial, Trial
from benchbook.workloads import Desk, Slot
from benchbook.workloads.arrangements import arrangement
from benchbook.workloads.arrangements.outcome import course
from benchbook.workloads.team.work import Reached, Work, perform


async def run(planned: PlannedTrial, desk: Desk, slot: Slot) -> Trial:
    """One trial: the team works on the case's task until one answer is there, a limit is reached, or it failed."""
    trial = await perform(planned, desk, slot, _together)
    return replace(trial, end_state={**course(trial.spans), "answered_by": [], **trial.end_state})


async def _together(work: Work) -> Reached:
    return await arrangement(work.team.kind)(work)
