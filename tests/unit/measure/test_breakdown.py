"""The breakdown by hand; `tests/spec/spans/test_span_law.py` holds it against a plain answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchbook.errors import RecordError
from benchbook.measure.breakdown import api_spans, breakdown_ns, stretches
from benchbook.measure.tree import grow
from benchbook.records import Call, PlannedTrial, Span, Trial

WALL = (0, 100)


def span(name: str, kind: str, start: int, end: int, parent: str | None = None) -> Span:
    return Span(name, parent, kind, name, start, end)


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], {"orchestration": 100}),
        ([span("a", "agent", 0, 100), span("m", "model", 10, 40, "a")], {"model": 30, "orchestration": 70}),
        ([span("m", "model", 10, 40), span("w", "rate_limit_wait", 20, 30, "m")], {"model": 20, "rate_limit_wait": 10}),
        ([span("m", "model", 10, 40), span("w", "rate_limit_wait", 20, 30)], {"model": 30}),
        ([span("t", "tool", 0, 50), span("h", "human_wait", 10, 20, "t")], {"tool": 40, "human_wait": 10}),
        ([span("t", "tool", 0, 50), span("u", "tool", 30, 80)], {"tool": 80}),
        ([span("t", "tool", 0, 50), span("m", "model", 30, 80)], {"model": 50, "tool": 30}),
        ([span("h", "handoff", 0, 90), span("b", "agent", 5, 85, "h"), span("m", "model", 9, 19, "b")], {"model": 10}),
        ([span("t", "tool", 0, 90), span("b", "agent", 5, 85, "t"), span("m", "model", 9, 19, "b")], {"tool": 80}),
        ([span("m", "model", 7, 7)], {"orchestration": 100}),
    ],
)
def test_by_hand(spans: list[Span], expected: dict[str, int]) -> None:
    total = breakdown_ns(WALL, spans)
    assert {kind: total[kind] for kind in expected} == expected
    assert sum(total.values()) == 100


@pytest.mark.parametrize(
    ("spans", "message"),
    [
        ([span("m", "model", 30, 20)], "span m ends 10 ns before it starts"),
        ([span("m", "model", -1, 20)], "span m reaches outside"),
        ([span("m", "model", 1, 101)], "span m reaches outside"),
        ([span("m", "model", 1, 10), span("m", "tool", 1, 10)], "span m is there twice"),
        ([span("m", "model", 1, 10), span("m", "tool", 10, 20)], "span m is there twice"),
        ([span("m", "model", 1, 10, "a")], "span m is inside a, which is not there"),
        ([span("a", "agent", 0, 9), span("m", "model", 1, 10, "a")], "span m reaches outside a, the span around it"),
        ([span("a", "agent", 2, 11), span("m", "model", 1, 10, "a")], "span m reaches outside a"),
        ([span("a", "model", 0, 9, "b"), span("b", "tool", 0, 9, "a")], "span a is inside itself"),
        ([span("c", "agent", 0, 9), span("m", "model", 0, 9, "m")], "span m is inside itself"),
    ],
)
def test_an_impossible_span_is_an_error(spans: list[Span], message: str) -> None:
    with pytest.raises(RecordError, match=message):
        breakdown_ns(WALL, spans)


def test_a_span_of_no_known_kind_cannot_be_built() -> None:
    with pytest.raises(RecordError, match="span kind 'nap'"):
        span("n", "nap", 0, 1)


def test_stretches_tell_what_each_instant_was_given_to() -> None:
    tree = grow(
        WALL, [span("a", "agent", 5, 90), span("m", "model", 10, 40, "a"), span("w", "rate_limit_wait", 20, 30, "m")]
    )
    assert list(stretches(tree)) == [
        (0, 10, "orchestration"),
        (10, 20, "model"),
        (20, 30, "rate_limit_wait"),
        (30, 40, "model"),
        (40, 100, "orchestration"),
    ]


# ---------------------------------------------------------------- api trials

PLANNED = PlannedTrial("t", 0, "d", "1", "case", "", "target", "api", 0, "measured", "", 1)
FIRST = Call("t.1", 1, "m", True, 0, 5, 10, 30, error_kind="rate_limited")
SECOND = Call("t.2", 2, "m", True, 0, 5, 75, 90, backoff_ns=40)
TRIAL = Trial(PLANNED, "success", 0, 5, 100, (FIRST, SECOND))


def test_spans_of_an_api_trial() -> None:
    assert api_spans(TRIAL) == (
        Span("t.1", None, "model", "m", 10, 30, call_id="t.1"),
        Span("t.2.wait", None, "rate_limit_wait", "back-off after rate_limited", 30, 70),
        Span("t.2", None, "model", "m", 75, 90, call_id="t.2"),
    )
    parts = breakdown_ns((5, 100), api_spans(TRIAL))
    assert parts == {"model": 35, "tool": 0, "human_wait": 0, "rate_limit_wait": 40, "orchestration": 20}


def test_a_call_that_was_never_sent_counts_from_its_taking_up() -> None:
    lonely = replace(TRIAL, calls=(replace(FIRST, sent_ns=None),))
    assert api_spans(lonely) == (Span("t.1", None, "model", "m", 5, 30, call_id="t.1"),)
    retried = replace(TRIAL, calls=(FIRST, replace(SECOND, sent_ns=None)))
    assert api_spans(retried)[-1] == Span("t.2", None, "model", "m", 70, 90, call_id="t.2")


def test_a_wait_before_the_first_attempt_starts_with_the_trial() -> None:
    waited = replace(TRIAL, calls=(replace(SECOND, attempt=1),))
    assert api_spans(waited)[0] == Span("t.2.wait", None, "rate_limit_wait", "back-off", 5, 45)
