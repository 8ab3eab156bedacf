"""Columns of an agent's trial by hand; the arithmetic is held against plain answers in `tests/spec/spans/`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchbook.measure.agents import work
from benchbook.measure.breakdown import BREAKDOWN_COLUMNS, api_spans
from benchbook.measure.timing import METRIC_NAMES, trial_metrics
from benchbook.records import Call, PlannedTrial, Span, Trial

MS = 1_000_000
PLANNED = PlannedTrial("t", 0, "d", "1", "case", "", "target", "multi_agent", 0, "measured", "", 1, team="pair")


def span(name: str, kind: str, start: int, end: int, parent: str | None = None, agent: str = "") -> Span:
    return Span(name, parent, kind, name, start * MS, end * MS, agent=agent)


# ann: model 10-30, then a round of a tool (40-80) beside a handoff to bob (40-90), then model 92-98
TEAM = (
    span("ann", "agent", 5, 99, agent="ann"),
    span("m1", "model", 10, 30, "ann", "ann"),
    span("r1", "round", 39, 91, "ann", "ann"),
    span("sql", "tool", 40, 80, "r1", "ann"),
    span("h1", "handoff", 40, 90, "r1", "ann"),
    span("bob", "agent", 42, 88, "h1", "bob"),
    span("m2", "model", 50, 86, "bob", "bob"),
    span("w1", "rate_limit_wait", 60, 70, "m2", "bob"),
    span("m3", "model", 92, 98, "ann", "ann"),
)
TRIAL = Trial(
    PLANNED,
    "success",
    0,
    0,
    100 * MS,
    spans=TEAM,
    reported={"sdk_model_ms": 7.5, "sdk_cycles": 3.0, "sdk_tokens_out": 12.0},
)


def test_a_team_by_hand() -> None:
    done = work(TRIAL, TEAM)
    assert done.columns.values == {
        "model_ms": 20 + 26 + 6,
        "tool_ms": 20,  # 40-50 and, beside the back-off, 60-70
        "human_wait_ms": 0,
        "rate_limit_wait_ms": 0,  # another branch's tool goes first
        "orchestration_ms": 28,
        "tool_calls": 1,
        "tool_rounds": 1,
        "handoffs": 1,
        "agents": 2,
        "effort_ms": 20 + 40 + 36 + 6,
        "model_effort_ms": 20 + 26 + 6,
        "tool_effort_ms": 40,
        "critical_path_ms": 20 + 36 + 6,
        "parallel_speedup": 1.02,
        "handoff_ms": 5 + 2 + 1,  # before ann, bob's end to the end of the handoff, after ann; at 40-42 her tool works
        "sdk_model_ms": 7.5,
        "sdk_tool_ms": None,
        "sdk_cycles": 3,
        "sdk_tokens_in": None,
        "sdk_tokens_out": 12,
    }
    assert done.own_ns == {"m1": 20 * MS, "sql": 40 * MS, "m2": 26 * MS, "w1": 10 * MS, "m3": 6 * MS}
    assert done.critical_ns == {"m1": 20 * MS, "sql": 0, "m2": 26 * MS, "w1": 10 * MS, "m3": 6 * MS}
    assert done.active_ns == {"ann": (35 + 40 + 9) * MS, "bob": 46 * MS}


def test_how_each_was_obtained() -> None:
    how = work(TRIAL, TEAM).columns.provenance
    assert {how[f"{kind}_ms"] for kind in ("model", "tool", "orchestration", "effort", "handoff")} == {"measured"}
    assert (how["parallel_speedup"], how["sdk_model_ms"], how["sdk_cycles"]) == ("derived", "reported", "reported")
    assert how["sdk_tool_ms"] == "missing: not reported"


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (span("x", "tool", 50, 101, "r1", "ann"), "span x reaches outside its trial's wall time"),
        (span("x", "tool", 50, 92, "r1", "ann"), "span x reaches outside r1, the span around it"),
        (span("x", "tool", 50, 40, "r1", "ann"), "span x ends 10000000 ns before it starts"),
        (span("x", "tool", 50, 60, "r7", "ann"), "span x is inside r7, which is not there"),
        (span("m1", "tool", 50, 60, "r1", "ann"), "span m1 is there twice"),
    ],
)
def test_a_contradiction_is_told_and_nothing_is_clamped(wrong: Span, why: str) -> None:
    done = work(TRIAL, (*TEAM, wrong))
    gone = (*BREAKDOWN_COLUMNS, "effort_ms", "critical_path_ms", "parallel_speedup", "handoff_ms")
    assert {done.columns.known[name] for name in gone} == {(None, f"missing: {why}")}
    assert not done.own_ns
    assert not done.active_ns
    assert done.columns.values["sdk_cycles"] == 3


def test_plain_calls_have_no_agents_and_their_effort_is_their_breakdown() -> None:
    call = Call("t-1", 1, "m", True, 0, 0, 10 * MS, 30 * MS)
    trial = Trial(
        replace(PLANNED, team=""),
        "success",
        0,
        0,
        40 * MS,
        (call, replace(call, call_id="t-2", sent_ns=30 * MS, closed_ns=35 * MS)),
    )
    done = work(trial, api_spans(trial))
    values = done.columns.values
    assert (values["effort_ms"], values["model_ms"], values["critical_path_ms"], values["parallel_speedup"]) == (
        25,
        25,
        25,
        0.625,
    )
    assert (values["agents"], values["tool_calls"], values["tool_rounds"], values["handoffs"]) == (0, 0, 0, 0)
    assert done.columns.known["handoff_ms"] == (None, "missing: no agent at work")
    assert done.critical_ns == done.own_ns == {"t-1": 20 * MS, "t-2": 5 * MS}
    assert not trial.by_agents


def test_a_trial_without_wall_time_has_no_speed_up() -> None:
    known = work(replace(TRIAL, ended_ns=0, spans=()), ()).columns.known
    assert known["parallel_speedup"] == (None, "missing: no wall time")
    assert known["orchestration_ms"] == (0, "measured")


def test_an_agents_trial_has_no_latency_of_its_own() -> None:
    call = Call("t-1", 1, "m", True, 0, 0, 10 * MS, 30 * MS)
    known = dict(trial_metrics(replace(TRIAL, calls=(call,))).known)
    assert known.pop("schedule_lag_ms") == (0, "measured")
    assert known == dict.fromkeys(set(METRIC_NAMES) - {"schedule_lag_ms"}, (None, "missing: several calls, see calls"))
