"""A trial's spans as a tree, checked: what contradicts itself is an error in the record and is never mended.

A span lies inside its trial's wall time and inside the span around it, does not end before it starts, is there
once, and the span around it is there. So a span's whole branch is at work while it is. All in integer nanoseconds;
the order in which the spans come changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchbook.errors import RecordError
from benchbook.records import Span

COVERING = ("model", "tool", "human_wait", "rate_limit_wait")
"""The kinds that cover time, the first winning where branches run at once. The other kinds only group."""
COVERS = frozenset(COVERING)
Interval = tuple[int, int]
"""(started_ns, ended_ns)."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A trial's wall time and its spans, those around before those inside.

    children: by span id the spans directly inside, `None` for those that no span is around;
    shade: by span id the nearest span around it that covers time, None where there is none.
    """

    wall: Interval
    spans: Sequence[Span]
    children: Mapping[str | None, Sequence[Span]]
    shade: Mapping[str, Span | None]

    @property
    def covering(self) -> list[Span]:
        """The spans that cover time."""
        return [span for span in self.spans if span.kind in COVERS]


def grow(wall: Interval, spans: Iterable[Span]) -> Tree:
    """The tree of a trial's spans; `wall` is (started_ns, ended_ns).

    Raises RecordError for a span that is there twice, ends before it starts, reaches outside its trial or the span
    around it, or whose parent is unknown or inside itself.
    """
    known: dict[str, Span] = {}
    for span in spans:
        if known.setdefault(span.span_id, span) is not span:
            raise RecordError(f"span {span.span_id} is there twice")
        refuse_impossible(span, wall)
    children: dict[str | None, list[Span]] = {}
    for span in known.values():
        _refuse_misplaced(span, known)
        children.setdefault(span.parent_id, []).append(span)
    return Tree(wall, *_from_the_top(known, children))


def union_ns(intervals: Iterable[Interval]) -> int:
    """Nanoseconds in which at least one of the intervals is under way."""
    return sum(end - start for start, end in merged(intervals))


def merged(intervals: Iterable[Interval]) -> list[Interval]:
    """The intervals' union as intervals that don't touch, in order; empty ones are left out."""
    found: list[Interval] = []
    for start, end in sorted(intervals):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        elif end > start:
            found.append((start, end))
    return found


def without(interval: Interval, holes: Iterable[Interval]) -> list[Interval]:
    """What is left of an interval outside `holes`, which lie inside it."""
    edges = [interval[0], *(edge for hole in merged(holes) for edge in hole), interval[1]]
    return [(start, end) for start, end in zip(edges[::2], edges[1::2], strict=True) if end > start]


def refuse_impossible(span: Span, wall: Interval) -> None:
    """Raises RecordError for a span that ends before it starts or reaches outside its trial's wall time."""
    if span.ended_ns < span.started_ns:
        raise RecordError(f"span {span.span_id} ends {span.started_ns - span.ended_ns} ns before it starts")
    if span.started_ns < wall[0] or span.ended_ns > wall[1]:
        raise RecordError(f"span {span.span_id} reaches outside its trial's wall time")


def _refuse_misplaced(span: Span, known: Mapping[str, Span]) -> None:
    if span.parent_id is None:
        return
    parent = known.get(span.parent_id)
    if parent is None:
        raise RecordError(f"span {span.span_id} is inside {span.parent_id}, which is not there")
    if span.started_ns < parent.started_ns or span.ended_ns > parent.ended_ns:
        raise RecordError(f"span {span.span_id} reaches outside {span.parent_id}, the span around it")


def _from_the_top(
    known: Mapping[str, Span], children: Mapping[str | None, Sequence[Span]]
) -> tuple[list[Span], Mapping[str | None, Sequence[Span]], dict[str, Span | None]]:
    order = list(children.get(None, ()))
    shade: dict[str, Span | None] = {span.span_id: None for span in order}
    for span in order:  # grows while it is walked
        inside = children.get(span.span_id, ())
        around = span if span.kind in COVERS else shade[span.span_id]
        shade.update((child.span_id, around) for child in inside)
        order += inside
    if len(order) < len(known):
        ring = min(known.keys() - shade.keys())
        raise RecordError(f"span {ring} is inside itself, by way of the spans around it")
    return order, children, shade
