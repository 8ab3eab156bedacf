"""A swarm: whoever works hands the task to another member by a tool call of Strands' own, until one just answers.

Each invocation begins anew with the task, the message handed over and what was shared. A handoff is the tool call; the
member that made it ends its invocation first.
"""

from __future__ import annotations

from strands.multiagent import Swarm

from benchbook.clock import monotonic_ns
from benchbook.workloads.arrangements.nodes import NodeWatch, said
from benchbook.workloads.arrangements.outcome import answer_of, members, sdk_figures
from benchbook.workloads.attempts import SECOND_NS
from benchbook.workloads.team.building import failed, report
from benchbook.workloads.team.work import Reached, Work

_SPARE_S = 60.0
"""Strands' own time limits come that much after ours: one of them decides, and it says so."""


async def work_together(work: Work) -> Reached:
    """The answer of the member that handed nothing on."""
    swarm = _swarm(work)
    try:
        result = await swarm.invoke_async(work.task)
    finally:
        for node in swarm.nodes.values():
            report(work, node.executor)
        work.reported.update(sdk_figures(swarm.state, len(swarm.state.node_history)))
    broken = next((node.result for node in result.results.values() if isinstance(node.result, Exception)), None)
    if broken is not None:
        return await failed(work, broken)
    return answer_of(work, {node.node_id: said(result.results[node.node_id]) for node in result.node_history[-1:]})


def _swarm(work: Work) -> Swarm:
    agents = members(work)
    most = work.team.limits.handoffs + 1
    left_s = (work.deadline_ns - monotonic_ns()) / SECOND_NS + _SPARE_S
    return Swarm(
        list(agents.values()),
        entry_point=agents[work.team.entry],
        max_handoffs=most,
        max_iterations=most,
        execution_timeout=left_s,
        node_timeout=left_s,
        hooks=[NodeWatch(work)],
    )
