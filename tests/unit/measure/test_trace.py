"""The reasoning trace: in order, complete, each step with its agent, answers told from thoughts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from benchbook.measure.trace import ACTED, steps
from benchbook.records import Span
from tests.spec.scoring.traces import alone, span


def lines(spans: tuple[Span, ...]) -> list[str]:
    return [f"{step.at_ns} {step.agent} {step.kind} {step.name}: {step.text}" for step in steps(spans)]


def test_an_agents_way_from_thought_to_answer() -> None:
    assert lines(alone()) == [
        "100 ada thought sim: I look it up.",
        '120 ada action search: {"query": "a"}',
        '125 ada action search: {"query": "b"}',
        "200 ada observation search: ",
        "290 ada observation search: ",
        "400 ada thought sim: Now the table.",
        "410 ada action sql: {}",
        "450 ada observation sql: no such table",
        "460 ada action sql: {}",
        "500 ada observation sql: 7",
        "510 ada action approval: Send 7?",
        "700 ada observation approval: approved",
        "800 ada thought sim: ",
        "950 ada answer sim: Seven.",
    ]
    assert [(step.status, step.error) for step in steps(alone()) if step.status != "ok"] == [
        ("error", "no such table"),
        ("error", "no such table"),
        ("error", "HTTP 529"),
    ]


def test_agents_side_by_side_interleave_and_each_has_its_answer() -> None:
    spans = (
        span("agent", "boss", 0, 100, span_id="B", agent="boss"),
        span("model", "m", 1, 10, parent="B", agent="boss", output="ask both"),
        span("handoff", "ann", 11, 60, span_id="H1", parent="B", agent="boss", input="one", output="1"),
        span("handoff", "bob", 11, 50, span_id="H2", parent="B", agent="boss", input="two", output="2"),
        span("agent", "ann", 12, 59, span_id="N", parent="H1", agent="ann"),
        span("agent", "bob", 12, 49, span_id="O", parent="H2", agent="bob"),
        span("model", "m", 13, 40, parent="N", agent="ann", output="1"),
        span("model", "m", 13, 30, span_id="m2", parent="O", agent="bob", output="2"),
        span("model", "m", 70, 90, parent="B", agent="boss", output="both"),
    )
    assert lines(spans) == [
        "10 boss thought m: ask both",
        "11 boss action ann: one",
        "11 boss action bob: two",
        "30 bob answer m: 2",
        "40 ann answer m: 1",
        "50 boss observation bob: 2",
        "60 boss observation ann: 1",
        "90 boss answer m: both",
    ]


def test_an_agent_that_was_stopped_has_no_answer() -> None:
    stopped = alone()[:7]
    assert [step.kind for step in steps(stopped)].count("answer") == 0


def test_what_takes_no_time_is_done_before_it_is_observed() -> None:
    spans = (span("tool", "t", 5, 5), span("model", "m", 1, 5, output="go"))
    assert [step.kind for step in steps(spans)] == ["thought", "action", "observation"]


KINDS = st.sampled_from(["agent", "model", "tool", "handoff", "human_wait", "rate_limit_wait", "round", "node", "step"])


@st.composite
def trees(draw: st.DrawFn) -> list[Span]:
    spans: list[Span] = []
    for number in range(draw(st.integers(0, 12))):
        parent = draw(st.sampled_from([None, *spans]))
        low, high = (0, 50) if parent is None else (parent.started_ns, parent.ended_ns)
        start, end = sorted((draw(st.integers(low, high)), draw(st.integers(low, high))))
        spans.append(span(draw(KINDS), "n", start, end, span_id=f"{number}", parent=parent and parent.span_id))
    return spans


@given(spans=trees(), rotation=st.integers(0, 12))
def test_nothing_is_left_out_or_told_twice_and_the_order_given_does_not_matter(
    spans: list[Span], rotation: int
) -> None:
    found = steps(spans)
    assert [step.at_ns for step in found] == sorted(step.at_ns for step in found)
    told = sorted((step.span_id, step.kind) for step in found if step.kind in ("action", "observation"))
    assert told == sorted(
        (one.span_id, kind) for one in spans if one.kind in ACTED for kind in ("action", "observation")
    )
    said = sorted(step.span_id for step in found if step.kind in ("thought", "answer"))
    assert said == sorted(one.span_id for one in spans if one.kind == "model")
    assert steps([*spans[rotation:], *spans[:rotation]]) == found
