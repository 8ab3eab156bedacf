"""A team's agents, and what they came to: who worked, who handed to whom, who answered, what Strands says of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from strands import Agent

from benchbook.records import Span
from benchbook.workloads.team.building import build, stopped
from benchbook.workloads.team.work import Reached, Work


def members(work: Work) -> dict[str, Agent]:
    """The team's members as agents, by name. The entry knows what was said before the task."""
    before = {work.team.entry: work.before}
    return {one.name: build(work, one, history=before.get(one.name, ())) for one in work.team.members}


def course(spans: Iterable[Span]) -> dict[str, Any]:
    """The members in order of their work, and the handoffs that came about, in order of time."""
    every = tuple(spans)
    handoffs = [span.detail for span in every if span.kind == "handoff" and span.status == "ok"]
    return {
        "worked": [span.agent for span in every if span.kind == "agent"],
        "handoffs": [f"{detail['from']} -> {detail['to']}" for detail in handoffs],
    }


def answer_of(work: Work, texts: Mapping[str, str]) -> Reached:
    """The answer of the members who spoke last, by their names; none where a limit stopped one of them."""
    found = next((work.stops[name] for name in texts if name in work.stops), None)
    if found is not None:
        return stopped(*found)
    return Reached(text="\n\n".join(texts.values()), end_state={"answered_by": list(texts)})


def sdk_figures(result: Any, nodes: int) -> Mapping[str, float]:
    """What a graph's or swarm's result says of itself: a cross-check, never a metric. Its nodes' times are whole ms and
    add up past the wall where nodes run side by side; a node that ran twice is in there once."""
    usage = result.accumulated_usage
    return {
        "sdk_team_ms": float(result.execution_time),
        "sdk_nodes_ms": float(sum(node.execution_time for node in result.results.values())),
        "sdk_team_latency_ms": float(result.accumulated_metrics["latencyMs"]),
        "sdk_team_tokens_in": float(usage["inputTokens"]),
        "sdk_team_tokens_out": float(usage["outputTokens"]),
        "sdk_nodes": float(nodes),
    }
