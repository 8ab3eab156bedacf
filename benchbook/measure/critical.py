"""The chain of spans that the end of a trial waited for.

Walked backwards from the end: of the spans inside (at first of all that no span is around), the one that ended last
is on the chain, and is walked in the same way from its own end to its start; then, of those that had ended when it
started, the one that ended last, and so on. Time between them is the time of the span around. A span that was still
at work when the next one on the chain started did not make it wait, and is not on the chain: the way critical paths
are taken from traces with parent links, as in CRISP (Zhang et al., USENIX ATC 2022). What counts is the time on it
that falls to spans that cover time: to shorten the trial, shorten these. So a span with no such time in it is passed
over: a handoff in a graph is a way from one node to the next and holds nothing up by itself.
"""

from __future__ import annotations

from benchbook.measure.tree import COVERS, Interval, Tree
from benchbook.records import Span


def critical_ns(tree: Tree) -> dict[str, int]:
    """Nanoseconds on the critical path that fall to each span that covers time, by span id; 0 off the path.

    Their sum is at most the wall time less orchestration.
    """
    share = {span.span_id: 0 for span in tree.covering}
    covered = _with_covered_time(tree)
    ended = {
        parent: sorted((span for span in spans if span.span_id in covered), key=_from_the_end)
        for parent, spans in tree.children.items()
    }
    todo: list[tuple[Span | None, Interval, Span | None]] = [(None, tree.wall, None)]
    while todo:
        around, (start, at), owner = todo.pop()
        for span in ended.get(around.span_id if around else None, ()):
            if span.ended_ns > at:
                continue
            _give(share, owner, at - span.ended_ns)
            todo.append((span, (span.started_ns, span.ended_ns), span if span.kind in COVERS else owner))
            at = span.started_ns
        _give(share, owner, at - start)
    return share


def _with_covered_time(tree: Tree) -> set[str]:
    """Ids of the spans in which, or inside which, some time is covered."""
    found: set[str] = set()
    for span in reversed(tree.spans):  # what is inside comes before what is around
        if span.span_id in found or (span.kind in COVERS and span.started_ns < span.ended_ns):
            found |= {span.span_id} if span.parent_id is None else {span.span_id, span.parent_id}
    return found


def _from_the_end(span: Span) -> tuple[int, int, str]:
    return -span.ended_ns, span.started_ns, span.span_id


def _give(share: dict[str, int], owner: Span | None, time_ns: int) -> None:
    if owner is not None:
        share[owner.span_id] += time_ns
