"""A trial's waterfall: nested, whole, within its width, told apart without colour; its split to the nanosecond."""

from __future__ import annotations

import re
from typing import Any

import pytest
from rich.cells import cell_len

from benchbook.reports import timeline, traces
from benchbook.reports.grid import Line
from tests.spec.scoring.traces import alone, span

MS = 1_000_000
TRIAL = {"trial_id": "t1", "workload": "agent", "team": "solo", "target": "sim", "dataset": "d", "test_id": "c1"}
TRIAL |= {"phase": "measured", "repetition": 2, "trial_status": "success", "error_kind": None, "score": 0.5}
PARTS = {"model_ms": 370, "tool_ms": 210, "human_wait_ms": 190, "rate_limit_wait_ms": 50, "orchestration_ms": 180}


def rows(spans: tuple[Any, ...]) -> list[dict[str, Any]]:
    """Rows of the question `timeline` for spans whose times are in ms, of a trial of 1000 ms and 1 ns."""
    made = []
    for one in spans:
        row = {
            name: getattr(one, name) for name in ("span_id", "parent_id", "kind", "name", "agent", "status", "error")
        }
        row |= {"started_ns": one.started_ns * MS, "ended_ns": one.ended_ns * MS, "starts_ms": float(one.started_ns)}
        row |= {"duration_ms": float(one.ended_ns - one.started_ns), "output": one.output, "input": one.input}
        row |= {"critical_ms": 1.0 if one.kind == "human_wait" else 0.0, "attempt": 2 if one.started_ns == 850 else 1}
        row |= {"ttft_ms": 12.0 if one.kind == "model" else None, "tokens_out": None, "call_id": None, "detail": "{}"}
        made.append({**_trial(), **row})
    return made or [{**_trial(), "span_id": None}]


def _trial() -> dict[str, Any]:
    facts = {**TRIAL, "trial_started_ns": 0, "trial_ended_ns": 1000 * MS + 1, "wall_ms": 1000.000001}
    facts |= {**PARTS, "orchestration_ms": 180.000001, "split_by": "measured"}
    return facts | {"effort_ms": 985.0, "critical_path_ms": 820.0, "parallel_speedup": 0.985}


def texts(lines: Any) -> list[str]:
    def text(line: Line) -> str:
        return "".join(piece for piece, _ in line).rstrip()

    return [text(line) for line in lines]


def test_spans_stand_below_the_ones_around_them_with_letter_shape_and_time() -> None:
    drawn = texts(timeline.waterfall(rows(alone()), 100))
    assert [line[:12].rstrip() for line in drawn[1:13]] == [
        "A ada",
        "M   sim",
        "R   1",
        "T     search",
        "T     search",
        "M   sim",
        "T   sql",
        "T   sql",
        "P   approval",
        "M   sim",
        "W   back-off",
        "M   sim",
    ]
    assert [re.sub(r"\s+", "", line)[-7:] for line in (drawn[0], drawn[1])] == ["1,000ms", "─┤1,000"]
    bars = [re.search(r"[├─┤│█▒░·]+", line) for line in drawn[1:13]]
    assert {bar[0][0] for bar in bars if bar} == {"├", "█", "▒", "░", "·"}
    assert drawn[9].endswith("* approved")
    assert drawn[10].endswith("TTFT 12, error: HTTP 529")
    assert drawn[12].endswith("try 2, TTFT 12")
    assert (
        drawn[-1]
        == "A ├─┤ agent, R ├─┤ tool round, M █ model, T ▒ tool, P ░ waits for a person, W · waits to try again"
    )


def test_bars_stand_where_their_time_is() -> None:
    drawn = texts(timeline.waterfall(rows((span("model", "m", 0, 500), span("tool", "t", 500, 1000))), 100))
    model, tool = drawn[1], drawn[2]
    assert model.count("█") > 20
    assert abs(model.count("█") - tool.count("▒")) <= 1
    assert model.index("█") + model.count("█") == tool.index("▒")


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    long = span("tool", "a tool of a very long name, 図書館" * 3, 5, 900, status="error", error="it went wrong " * 20)
    for line in texts(timeline.waterfall(rows((*alone(), long)), width))[:-2]:
        assert cell_len(line) <= width
    (piped,) = [line for line in texts(timeline.waterfall(rows((long,)), None)) if "wrong" in line]
    assert piped.count("it went wrong") == 20


def test_the_parts_of_the_wall_time_sum_to_it_as_printed() -> None:
    drawn = texts(timeline.split(_trial()))
    ns = [int(re.sub(r"\D", "", re.findall(r"[\d,]+\.\d{6} ms", line)[0])) for line in drawn[:6]]
    assert sum(ns[:5]) == ns[5] == 1000 * MS + 1
    assert "effort 985 ms, critical path 820 ms, parallel speed-up 0.985" in drawn[6]
    broken = {**_trial(), "model_ms": None, "split_by": "missing: span s1 is there twice"}
    assert texts(timeline.split(broken)) == ["the wall time has no split: span s1 is there twice"]


def test_no_span_is_lost_to_a_wrong_parent() -> None:
    lost = (span("tool", "t", 1, 2, span_id="a", parent="gone"), span("tool", "t", 1, 2, span_id="b", parent="c"))
    circle = (*lost, span("round", "r", 1, 2, span_id="c", parent="b"))
    assert {row["span_id"] for row, _ in timeline.nested(rows(circle))} == {"a", "b", "c"}


def test_a_trial_that_was_not_started_has_no_span() -> None:
    assert texts(timeline.waterfall(rows(()), 80)) == ["no span: the trial was not started"]
    assert timeline.headline(rows(())[0]) == (
        "trial t1: agent (solo) on sim, d/c1, measured, repetition 2, success, score 0.50"
    )


def test_a_trace_is_printed_whole_and_in_order() -> None:
    found = traces.steps_of(rows(alone()))
    drawn = texts(traces.lines(found, 0, None))
    assert drawn[:4] == [
        "     100.0 ms  ada  thought      sim",
        "    I look it up.",
        "     120.0 ms  ada  action       search",
        '    {"query": "a"}',
    ]
    assert "     450.0 ms  ada  observation  sql  error" in drawn
    assert drawn[-2:] == ["     950.0 ms  ada  answer       sim", "    Seven."]
    assert [row["step"] for row in traces.as_rows(found, 0)] == [step.kind for step in found]
    words = " ".join(f"word{n}" for n in range(60))
    wrapped = texts(traces.lines(traces.steps_of(rows((span("model", "m", 1, 2, output=words),))), 0, 50))
    assert all(len(line) <= 50 for line in wrapped)
    assert " ".join(" ".join(wrapped[1:]).split()) == words
    assert texts(traces.lines((), 0, 80)) == ["no step: nothing was thought or done"]
