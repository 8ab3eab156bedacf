"""When each agent of a trial was at work, and when none was.

An agent is active while one of its own spans is under way: its invocation (`agent`) or what it does itself (a model
call, a tool, a wait). While it has handed its work to another, its invocation does not count: it is then active only
by what else it does at that time. Instants of orchestration in which no agent is active are *handoff*: before,
between and after agents. A wait that is no agent's has a column of its own and is not among them.
"""

from __future__ import annotations

from collections.abc import Mapping

from benchbook.measure.tree import COVERS, Interval, Tree, union_ns, without
from benchbook.records import Span


def active_intervals(tree: Tree) -> dict[str, list[Interval]]:
    """By agent, intervals in which it is active, in no order and perhaps overlapping."""
    handed = _handed_over(tree)
    found: dict[str, list[Interval]] = {}
    for span in tree.spans:
        if not span.agent:
            continue
        if span.kind == "agent":
            found.setdefault(span.agent, []).extend(
                without((span.started_ns, span.ended_ns), handed.get(span.span_id, ()))
            )
        elif span.kind in COVERS:
            found.setdefault(span.agent, []).append((span.started_ns, span.ended_ns))
    return found


def active_ns(active: Mapping[str, list[Interval]]) -> dict[str, int]:
    """Nanoseconds per agent: the union of its intervals."""
    return {agent: union_ns(intervals) for agent, intervals in sorted(active.items())}


def handoff_ns(tree: Tree, active: Mapping[str, list[Interval]]) -> int:
    """Nanoseconds of the wall time in which no span that covers time is under way and no agent is active."""
    busy = [interval for intervals in active.values() for interval in intervals]
    busy += [(span.started_ns, span.ended_ns) for span in tree.covering]
    return tree.wall[1] - tree.wall[0] - union_ns(busy)


def _handed_over(tree: Tree) -> dict[str, list[Interval]]:
    """By invocation, the handoffs that it made itself: those with no other invocation between."""
    invocation: dict[str, Span | None] = {}
    found: dict[str, list[Interval]] = {}
    for span in tree.spans:
        caller = None if span.parent_id is None else invocation[span.parent_id]
        invocation[span.span_id] = span if span.kind == "agent" else caller
        if span.kind == "handoff" and caller is not None:
            found.setdefault(caller.span_id, []).append((span.started_ns, span.ended_ns))
    return found
