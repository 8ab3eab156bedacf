"""Agents as tools: the entry calls the other members as it calls tools, and answers itself.

A worker begins each call anew; a worker that is called twice at once refuses the second call (Strands' own rule), and
the supervisor reads that. Workers that are called in one message work side by side.
"""

from __future__ import annotations

from dataclasses import replace

from benchbook.workloads.team.building import answer, build, report
from benchbook.workloads.team.work import Reached, Work


async def work_together(work: Work) -> Reached:
    """The supervisor's answer."""
    team = work.team
    workers = [build(work, member) for member in team.members if member.name != team.entry]
    tools = [worker.as_tool() for worker in workers]
    supervisor = build(work, team.member(team.entry), tools=tools, history=work.before)
    try:
        reached = await answer(work, supervisor, work.task)
    finally:
        for worker in workers:
            report(work, worker)
    return replace(reached, end_state={"answered_by": [team.entry]}) if reached.text else reached
