"""The breakdown law, against an oracle that asks every nanosecond in turn."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchbook.errors import RecordError
from benchbook.measure.breakdown import (
    BREAKDOWN_COLUMNS,
    COVERING,
    api_spans,
    breakdown,
    breakdown_ns,
    trial_breakdown,
)
from benchbook.records import SPAN_KINDS, Call, PlannedTrial, Span, Trial

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
    ],
)
def test_an_impossible_span_is_an_error(spans: list[Span], message: str) -> None:
    with pytest.raises(RecordError, match=message):
        breakdown_ns(WALL, spans)


def test_a_span_of_no_known_kind_cannot_be_built() -> None:
    with pytest.raises(RecordError, match="span kind 'nap'"):
        span("n", "nap", 0, 1)


def test_a_ring_of_parents_ends() -> None:
    ring = [span("a", "model", 0, 10, "b"), span("b", "tool", 0, 10, "a")]
    assert sum(breakdown_ns(WALL, ring).values()) == 100


@st.composite
def trees(draw: st.DrawFn) -> list[Span]:
    spans: list[Span] = []
    for index in range(draw(st.integers(0, 8))):
        start, end = sorted((draw(st.integers(0, 100)), draw(st.integers(0, 100))))
        parent = draw(st.none() | st.sampled_from([known.span_id for known in spans])) if spans else None
        spans.append(span(f"s{index}", draw(st.sampled_from(SPAN_KINDS)), start, end, parent))
    return spans


def owner_at(instant: int, spans: list[Span]) -> str:
    """The plain answer for the nanosecond that begins at `instant`."""
    active = [s for s in spans if s.kind in COVERING and s.started_ns <= instant < s.ended_ns]
    parents = {s.span_id: s.parent_id for s in spans}
    outer = set()
    for candidate in active:
        above = parents[candidate.span_id]
        while above is not None:
            outer.add(above)
            above = parents[above]
    kinds = [s.kind for s in active if s.span_id not in outer]
    return min(kinds, key=COVERING.index) if kinds else "orchestration"


@given(trees())
def test_every_nanosecond_goes_to_one_kind(spans: list[Span]) -> None:
    plain = dict.fromkeys((*COVERING, "orchestration"), 0)
    for instant in range(*WALL):
        plain[owner_at(instant, spans)] += 1
    total = breakdown_ns(WALL, spans)
    assert total == plain
    assert sum(total.values()) == WALL[1] - WALL[0]
    assert min(total.values()) >= 0


@given(trees(), st.randoms())
def test_the_order_of_spans_does_not_matter(spans: list[Span], chance) -> None:  # type: ignore[no-untyped-def]
    shuffled = list(spans)
    chance.shuffle(shuffled)
    assert breakdown_ns(WALL, shuffled) == breakdown_ns(WALL, spans)


def test_milliseconds_by_column() -> None:
    parts = breakdown((0, 3_000_000), [span("m", "model", 500_000, 2_000_000)])
    assert tuple(parts) == BREAKDOWN_COLUMNS
    assert (parts["model_ms"], parts["orchestration_ms"]) == (1.5, 1.5)


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


def test_trial_breakdown_or_the_contradiction() -> None:
    good = trial_breakdown(TRIAL, api_spans(TRIAL))
    assert good.values["rate_limit_wait_ms"] == 40 / 1e6
    assert set(good.provenance.values()) == {"measured"}
    late = replace(TRIAL, ended_ns=80)
    bad = trial_breakdown(late, api_spans(late))
    assert set(bad.values.values()) == {None}
    assert set(bad.provenance.values()) == {"missing: span t.2 reaches outside its trial's wall time"}
