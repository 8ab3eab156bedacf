"""A graph: members are nodes, edges say who comes after whom, and a condition on what was answered whether at all.

Nodes go in batches, as Strands has it: a batch's nodes run side by side, and when all have ended, every node that an
open edge leads to from one of them is in the next batch. An edge's condition is asked of the newest answer of the node
that it leaves. The answer is that of the last batch. A node's failure ends the graph.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any, cast

from strands import Agent
from strands.multiagent import GraphBuilder
from strands.multiagent.graph import Graph, GraphState

from benchbook.records import Edge
from benchbook.workloads.arrangements.nodes import NodeWatch, said
from benchbook.workloads.arrangements.outcome import answer_of, members, sdk_figures
from benchbook.workloads.team.building import failed, report
from benchbook.workloads.team.work import Reached, Work


async def work_together(work: Work) -> Reached:
    """The answer of the last batch's nodes, in the order of their ends."""
    watch = NodeWatch(work)
    agents = members(work)
    graph = _graph(work, agents, watch)
    last = [work.team.entry]
    try:
        async with aclosing(cast("AsyncGenerator[dict[str, Any]]", graph.stream_async(work.task))) as events:
            async for event in events:
                if event.get("type") == "multiagent_handoff":
                    last = event["to_node_ids"]
                    if not _goes_on(work, graph, watch, event):
                        break
    except Exception as error:  # noqa: BLE001 - a node's failure is this trial's result
        return await failed(work, error)
    finally:
        for agent in agents.values():
            report(work, agent)
        order = [node.node_id for node in graph.state.execution_order]
        work.reported.update(sdk_figures(graph.state, len(order)))
    answered = [name for name in order[-len(last) :] if name in last]
    return answer_of(work, {name: said(graph.state.results[name]) for name in answered})


def _graph(work: Work, agents: Mapping[str, Agent], watch: NodeWatch) -> Graph:
    builder = GraphBuilder()
    for name, agent in agents.items():
        builder.add_node(agent, name)
    for edge in work.team.edges:
        builder.add_edge(edge.source, edge.to, None if edge.when is None else _condition(edge))
    builder.set_entry_point(work.team.entry)
    builder.set_max_node_executions(work.team.limits.handoffs + 1)
    builder.set_hook_providers([watch])
    return builder.build()


def _condition(edge: Edge) -> Callable[[GraphState], bool]:
    def is_open(state: GraphState) -> bool:
        found = state.results.get(edge.source)
        return found is not None and edge.holds(said(found))

    return is_open


def _goes_on(work: Work, graph: Graph, watch: NodeWatch, event: dict[str, Any]) -> bool:
    """Count the edges that were taken; whether the team may take so many."""
    results = graph.state.results
    taken = [
        edge
        for edge in work.team.edges
        if edge.source in event["from_node_ids"]
        and edge.to in event["to_node_ids"]
        and edge.holds(said(results[edge.source]))
    ]
    if not work.hands_over(len(taken)):
        return False
    watch.leads([(edge.source, edge.to) for edge in taken], event["from_node_ids"])
    return True
