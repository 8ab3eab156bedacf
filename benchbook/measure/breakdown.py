"""Where a trial's wall time went, by interval union, exact in integer nanoseconds.

    wall = model + tool + human_wait + rate_limit_wait + orchestration,   each >= 0

Within one branch the innermost span wins; across concurrent branches an instant goes to the first of model,
tool, human_wait, rate_limit_wait; orchestration is what none covers. The other kinds only group: they cover
nothing by themselves. Spans that contradict one another (`tree`) are an error in the record, never clipped.

One sweep over the spans' edges, in order of time: a span counts as innermost while none that covers time is at
work inside it, and as a span lies inside the one around it, that is a count per span.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from operator import itemgetter

from benchbook.errors import RecordError
from benchbook.measure.tree import COVERING, COVERS, Interval, Tree, grow, refuse_impossible
from benchbook.records import Call, Span, Trial

ORCHESTRATION = "orchestration"
BREAKDOWN_COLUMNS = (*(f"{kind}_ms" for kind in COVERING), "orchestration_ms")


def breakdown_ns(wall: Interval, spans: Iterable[Span]) -> dict[str, int]:
    """Nanoseconds per covering kind and `orchestration`; `wall` is (started_ns, ended_ns) and they sum to it.

    Raises RecordError for spans that contradict themselves or one another: see `tree.grow`.
    """
    known = tuple(spans)
    if plain(known):
        return one_after_the_other(wall, known)
    return shares_ns(grow(wall, known))


def shares_ns(tree: Tree) -> dict[str, int]:
    """`breakdown_ns` of spans that are a tree already."""
    total = dict.fromkeys((*COVERING, ORCHESTRATION), 0)
    for start, end, kind in stretches(tree):
        total[kind] += end - start
    return total


def stretches(tree: Tree) -> Iterator[tuple[int, int, str]]:
    """The wall time in order, as stretches (started_ns, ended_ns, kind) between neighbouring edges of spans, each with
    the kind that it goes to. None is empty, and they leave no gap."""
    edges = [(at, span, step) for span in tree.covering for at, step in ((span.started_ns, 1), (span.ended_ns, -1))]
    edges.sort(key=itemgetter(0))
    working: dict[str, int] = {}
    inside: dict[str, int] = {}
    innermost = dict.fromkeys(COVERING, 0)
    since, owner = tree.wall[0], ORCHESTRATION
    for at, changes in groupby(edges, key=itemgetter(0)):
        if at > since:
            yield since, at, owner
        for _, span, step in changes:
            shade = tree.shade[span.span_id]
            for one, counts in ((span, working), (shade, inside)):
                if one is not None:
                    innermost[one.kind] -= _is_innermost(one, working, inside)
                    counts[one.span_id] = counts.get(one.span_id, 0) + step
                    innermost[one.kind] += _is_innermost(one, working, inside)
        since, owner = at, next((kind for kind in COVERING if innermost[kind]), ORCHESTRATION)
    if tree.wall[1] > since:
        yield since, tree.wall[1], owner


def plain(spans: Sequence[Span]) -> bool:
    """Whether the spans follow one another, all of them covering time and none inside another, as those of every
    trial of plain calls do: then there is nothing to decide."""
    return all(span.parent_id is None and span.kind in COVERS for span in spans) and all(
        later.started_ns >= earlier.ended_ns for earlier, later in pairwise(spans)
    )


def one_after_the_other(wall: Interval, spans: Sequence[Span]) -> dict[str, int]:
    """`breakdown_ns` of spans that are `plain`."""
    total = dict.fromkeys((*COVERING, ORCHESTRATION), 0)
    known: set[str] = set()
    for span in spans:
        refuse_impossible(span, wall)
        if span.span_id in known:
            raise RecordError(f"span {span.span_id} is there twice")
        known.add(span.span_id)
        total[span.kind] += span.ended_ns - span.started_ns
    total[ORCHESTRATION] = wall[1] - wall[0] - sum(total.values())
    return total


def api_spans(trial: Trial) -> tuple[Span, ...]:
    """The spans of a trial of calls: one `model` span a call, from its dispatch (its taking up, if it was never
    sent) to its close, one `rate_limit_wait` span for each back-off, and one `human_wait` span for the user's pause
    before each further turn of a conversation.
    """
    spans: list[Span] = []
    free_ns, turn = trial.started_ns, 1
    for index, call in enumerate(trial.calls):
        if call.turn != turn:
            turn = call.turn
            if call.intended_ns > free_ns:
                wait = f"the user's pause before turn {turn}"
                spans.append(Span(f"{call.call_id}.think", None, "human_wait", wait, free_ns, call.intended_ns))
                free_ns = call.intended_ns
        waited_ns = free_ns + call.backoff_ns
        if call.backoff_ns:
            reason = _reason(trial.calls[:index])
            spans.append(Span(f"{call.call_id}.wait", None, "rate_limit_wait", reason, free_ns, waited_ns))
        start_ns = max(call.taken_up_ns, waited_ns) if call.sent_ns is None else call.sent_ns
        end_ns = call.closed_ns
        spans.append(Span(call.call_id, None, "model", call.model_requested, start_ns, end_ns, call_id=call.call_id))
        free_ns = call.closed_ns
    return tuple(spans)


def _reason(earlier: Sequence[Call]) -> str:
    kind = earlier[-1].error_kind if earlier else None
    return f"back-off after {kind}" if kind else "back-off"


def _is_innermost(span: Span, working: Mapping[str, int], inside: Mapping[str, int]) -> int:
    """1 while the span is at work and none that covers time is inside it, else 0."""
    return int(working.get(span.span_id, 0) > 0 and not inside.get(span.span_id, 0))
