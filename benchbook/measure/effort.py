"""How much was done, beside how long it took: time of spans, those side by side counted each.

A span's *own* time is the part of it in which no span that covers time is at work inside it, so that within one
branch each instant counts once, for the innermost span, as in the breakdown. The effort of a kind is the sum of
its spans' own times, and for spans with none inside them that is the sum of their lengths. Effort is at least the
covered part of the wall time, and equal to it exactly where nothing ran side by side.
"""

from __future__ import annotations

from collections.abc import Mapping

from benchbook.measure.tree import COVERING, Interval, Tree, union_ns


def own_ns(tree: Tree) -> dict[str, int]:
    """Own time in nanoseconds, by span id, of the spans that cover time."""
    inside: dict[str, list[Interval]] = {}
    covering = tree.covering
    for span in covering:
        shade = tree.shade[span.span_id]
        if shade is not None:
            inside.setdefault(shade.span_id, []).append((span.started_ns, span.ended_ns))
    return {span.span_id: span.ended_ns - span.started_ns - union_ns(inside.get(span.span_id, ())) for span in covering}


def effort_ns(tree: Tree, own: Mapping[str, int]) -> dict[str, int]:
    """Nanoseconds of effort per covering kind, from `own_ns`."""
    total = dict.fromkeys(COVERING, 0)
    for span in tree.covering:
        total[span.kind] += own[span.span_id]
    return total
