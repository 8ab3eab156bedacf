"""Where a trial's wall time went, by interval union, exact in integer nanoseconds.

    wall = model + tool + human_wait + rate_limit_wait + orchestration,   each >= 0

Within one branch the innermost span wins; across concurrent branches an instant goes to the first of model,
tool, human_wait, rate_limit_wait; orchestration is what none covers. `agent` and `handoff` spans only group:
they cover nothing by themselves. A span that reaches outside its trial, or ends before it starts, is an error
in the record and is never clipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from benchbook.errors import RecordError
from benchbook.measure.provenance import MEASURED, Metrics, metrics_of, missing
from benchbook.records import Call, Span, Trial

COVERING = ("model", "tool", "human_wait", "rate_limit_wait")
"""The kinds that cover time, the first winning where branches run at once."""
BREAKDOWN_COLUMNS = (*(f"{kind}_ms" for kind in COVERING), "orchestration_ms")

_NS_PER_MS = 1_000_000


def breakdown_ns(wall: tuple[int, int], spans: Iterable[Span]) -> dict[str, int]:
    """Nanoseconds per covering kind and `orchestration`; `wall` is (started_ns, ended_ns) and they sum to it.

    Raises RecordError for a span that is there twice, ends before it starts or reaches outside the wall time.
    """
    known: dict[str, Span] = {}
    for span in spans:
        if known.setdefault(span.span_id, span) is not span:
            raise RecordError(f"span {span.span_id} is there twice")
        _refuse_impossible(span, wall)
    covering = [span for span in known.values() if span.kind in COVERING]
    total = dict.fromkeys((*COVERING, "orchestration"), 0)
    if all(later.started_ns >= earlier.ended_ns for earlier, later in pairwise(covering)):
        for span in covering:  # one after the other, as in every trial of plain calls: nothing to decide
            total[span.kind] += span.ended_ns - span.started_ns
        total["orchestration"] = wall[1] - wall[0] - sum(total.values())
        return total
    edges = sorted({*wall, *(edge for span in covering for edge in (span.started_ns, span.ended_ns))})
    for start, end in pairwise(edges):
        active = [span for span in covering if span.started_ns <= start and span.ended_ns >= end]
        total[_owner(active, known)] += end - start
    return total


def breakdown(wall: tuple[int, int], spans: Iterable[Span]) -> dict[str, float]:
    """`breakdown_ns` in milliseconds, by column. Raises RecordError as it does."""
    return {f"{kind}_ms": value / _NS_PER_MS for kind, value in breakdown_ns(wall, spans).items()}


def trial_breakdown(trial: Trial, spans: Iterable[Span]) -> Metrics:
    """The breakdown columns of a trial, or every one of them missing with the contradiction that was found."""
    try:
        parts = breakdown((trial.started_ns, trial.ended_ns), spans)
    except RecordError as error:
        return metrics_of(dict.fromkeys(BREAKDOWN_COLUMNS, missing(str(error))))
    return metrics_of({column: (parts[column], MEASURED) for column in BREAKDOWN_COLUMNS})


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


def _refuse_impossible(span: Span, wall: tuple[int, int]) -> None:
    if span.ended_ns < span.started_ns:
        raise RecordError(f"span {span.span_id} ends {span.started_ns - span.ended_ns} ns before it starts")
    if span.started_ns < wall[0] or span.ended_ns > wall[1]:
        raise RecordError(f"span {span.span_id} reaches outside its trial's wall time")


def _owner(active: Sequence[Span], known: Mapping[str, Span]) -> str:
    """The kind an instant goes to, given the covering spans active in it."""
    shadowed = {ancestor for span in active for ancestor in _ancestors(span, known)}
    innermost = {span.kind for span in active if span.span_id not in shadowed}
    return next((kind for kind in COVERING if kind in innermost), "orchestration")


def _ancestors(span: Span, known: Mapping[str, Span]) -> set[str]:
    """Ids of the spans around this one."""
    found: set[str] = set()
    parent = span.parent_id
    while parent is not None and parent in known and parent not in found:
        found.add(parent)
        parent = known[parent].parent_id
    return found
