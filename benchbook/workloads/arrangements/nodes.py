"""Strands' node hooks as `node` spans: one member's invocation in a graph or swarm, from before it to after it.

Ways that were taken on to a node (a graph's edges) become `handoff` spans: from the end of the batch of nodes that they
come from, when it is seen which are open, to the beginning of the one that they lead to.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from strands.hooks import AfterNodeCallEvent, BeforeNodeCallEvent, HookProvider, HookRegistry
from strands.multiagent.base import Status

from benchbook.clock import monotonic_ns
from benchbook.workloads.team.collector import Opening, one_line
from benchbook.workloads.team.hooks import text_of
from benchbook.workloads.team.work import Work


class NodeWatch(HookProvider):
    """Records the nodes of one graph or swarm."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._open: dict[str, tuple[Opening, Any]] = {}
        self._runs: dict[str, int] = {}
        self._ended_ns: dict[str, int] = {}
        self._ways: dict[str, list[tuple[str, int]]] = {}

    def register_hooks(self, registry: HookRegistry, **_: Any) -> None:
        registry.add_callback(BeforeNodeCallEvent, self._before)
        registry.add_callback(AfterNodeCallEvent, self._after)

    def leads(self, ways: Iterable[tuple[str, str]], batch: Iterable[str]) -> None:
        """Ways from nodes of a batch that has ended were taken: those they lead to will begin."""
        ended_ns = max(self._ended_ns[name] for name in batch)
        for source, to in ways:
            self._ways.setdefault(to, []).append((source, ended_ns))

    def _before(self, event: BeforeNodeCallEvent) -> None:
        name, collector = event.node_id, self._work.collector
        began_ns = monotonic_ns()
        for source, ended_ns in self._ways.pop(name, ()):
            handoff = collector.open("handoff", name, agent=source, started_ns=ended_ns)
            handoff.detail.update({"from": source, "to": name})
            collector.close(handoff, ended_ns=began_ns)
        self._runs[name] = self._runs.get(name, 0) + 1
        opening = collector.open("node", name, agent=name, started_ns=began_ns)
        opening.detail["run"] = self._runs[name]
        collector.enter(opening)
        self._open[name] = opening, event.source.state.results.get(name)  # type: ignore[attr-defined]

    def _after(self, event: AfterNodeCallEvent) -> None:
        name, collector = event.node_id, self._work.collector
        opening, before = self._open.pop(name)
        result = event.source.state.results.get(name)  # type: ignore[attr-defined]
        collector.leave(opening)
        self._ended_ns[name] = monotonic_ns()
        ended_ns = self._ended_ns[name]
        if result is None or result is before:
            collector.close(opening, status="cancelled", ended_ns=ended_ns)
        elif result.status is Status.FAILED:
            why = result.result if isinstance(result.result, Exception) else "the node failed"
            collector.close(opening, error=one_line(why), ended_ns=ended_ns)
        else:
            collector.close(opening, output=said(result), ended_ns=ended_ns)


def said(result: Any) -> str:
    """The text that a node's result holds; "" of one that failed."""
    return text_of(getattr(result.result, "message", None))
