"""The law on stored rows: whole teams over sockets with known delays, each instant of each trial asked for its owner.

What is exact is checked exactly, whatever the machine does meanwhile: sums, nesting, order, owners. Of durations only
what can't be otherwise: nothing that waits is early. `benchmarks/agents.py` says how closely delays are recovered.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import pytest

from benchbook.results.store import read_table
from benchbook.stages import Job
from benchbook.stages.execute import execute
from benchbook.stages.store import store
from benchmarks.agent_cases import APPROVAL, BACK_OFF, KNOWN, MODEL, Story
from benchmarks.waiting import teaching

UNIT_MS = 5.0
PARTS = ("model", "tool", "human_wait", "rate_limit_wait")
GROUPS = ("agent", "handoff", "round", "node", "step")
Row = Mapping[str, Any]
Trials = Mapping[tuple[str, str], tuple[Row, Sequence[Row], Sequence[Row]]]
"""Team and case -> a trial's row, its spans in order of time (the outer first), its calls."""


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Trials:
    return ran(Story(tmp_path_factory.mktemp("law"), UNIT_MS))


@pytest.fixture(scope="module")
def cut_off(tmp_path_factory: pytest.TempPathFactory) -> Trials:
    """The same with time for some of it only."""
    story = Story(tmp_path_factory.mktemp("cut"), UNIT_MS, cases=("at-once",))
    return ran(story, timeout_s=(MODEL + 3) * UNIT_MS / 1e3)


def ran(story: Story, **changed: Any) -> Trials:
    """What the tables hold of a run."""
    plan = story.write()
    document = json.loads(plan.read_text())
    document["execute"] |= changed
    plan.write_text(json.dumps(document))
    job = Job(plan=str(plan), results=str(story.results))
    with teaching():
        store(job, execute(job).run_id)
    found = {}
    spans, calls = rows(story.results, "spans"), rows(story.results, "calls")
    for row in rows(story.results, "trials"):
        mine = [span for span in spans if span["trial_id"] == row["trial_id"]]
        mine.sort(key=lambda span: (span["started_ns"], -span["ended_ns"]))
        found[row["team"], row["test_id"]] = row, mine, [c for c in calls if c["trial_id"] == row["trial_id"]]
    failed = [check["name"] for check in rows(story.results, "checks") if not check["success"]]
    assert not [name for name in failed if name.startswith(("breakdown", "stamps", "calls", "attempt", "planned"))]
    return found


def rows(results: Path, table: str) -> list[dict[str, Any]]:
    return list(read_table(results, table)[0].to_pylist())


# ---------------------------------------------------------------- plain answers


def around(span: Row, spans: Sequence[Row]) -> Iterator[Row]:
    """The spans around it, the nearest first."""
    known = {one["span_id"]: one for one in spans}
    while span["parent_id"] is not None:
        span = known[span["parent_id"]]
        yield span


def owners(trial: Row, spans: Sequence[Row]) -> list[tuple[str, int]]:
    """Stretches of the wall time between edges of spans: the kind that each belongs to, and its nanoseconds."""
    edges = {trial["started_ns"], trial["ended_ns"]} | {
        span[edge] for span in spans for edge in ("started_ns", "ended_ns")
    }
    found = []
    for start, end in pairwise(sorted(edges)):
        now = [s for s in spans if s["kind"] in PARTS and s["started_ns"] <= start and s["ended_ns"] >= end]
        outer = {one["span_id"] for span in now for one in around(span, spans)}
        kinds = {span["kind"] for span in now if span["span_id"] not in outer}
        found.append((next((kind for kind in PARTS if kind in kinds), "orchestration"), end - start))
    return found


def told(spans: Sequence[Row], *kinds: str) -> list[str]:
    return [f"{span['kind']} {span['agent'] or span['name']}" for span in spans if span["kind"] in kinds]


def runs(trial: Row, spans: Sequence[Row]) -> list[str]:
    """Whose the wall time was, in order, orchestration aside."""
    kinds = [kind for kind, _ in owners(trial, spans) if kind != "orchestration"]
    return [kind for kind, _ in groupby(kinds)]


# ---------------------------------------------------------------- the law


def test_each_trial_did_what_its_script_says(trials: Trials) -> None:
    found = {key: (row["status"], row["error_message"]) for key, (row, _, _) in trials.items()}
    assert found == dict.fromkeys(KNOWN, ("success", None))


@pytest.mark.parametrize("which", ["trials", "cut_off"])
def test_the_parts_are_the_wall_time_to_the_nanosecond(which: str, request: pytest.FixtureRequest) -> None:
    for row, spans, _ in request.getfixturevalue(which).values():
        parts = owners(row, spans)
        assert sum(time_ns for _, time_ns in parts) == row["ended_ns"] - row["started_ns"]
        for kind in (*PARTS, "orchestration"):
            time_ns = sum(time_ns for owner, time_ns in parts if owner == kind)
            assert row[f"{kind}_ms"] == time_ns / 1e6
        assert min(row[f"{kind}_ms"] for kind in (*PARTS, "orchestration")) >= 0
        assert dict(row["provenance"])["orchestration_ms"] == "measured"


@pytest.mark.parametrize("which", ["trials", "cut_off"])
def test_every_span_lies_inside_the_one_around_it(which: str, request: pytest.FixtureRequest) -> None:
    for row, spans, _ in request.getfixturevalue(which).values():
        assert len({span["span_id"] for span in spans}) == len(spans)
        for span in spans:
            outer = next(around(span, spans), row)
            assert outer["started_ns"] <= span["started_ns"] <= span["ended_ns"] <= outer["ended_ns"]
            assert (span["own_ms"] is None) == (span["kind"] in GROUPS) == (span["critical_ms"] is None)


@pytest.mark.parametrize("which", ["trials", "cut_off"])
def test_effort_is_what_spans_did_themselves(which: str, request: pytest.FixtureRequest) -> None:
    for row, spans, _ in request.getfixturevalue(which).values():
        covering = [span for span in spans if span["kind"] in PARTS]
        assert row["effort_ms"] == pytest.approx(sum(span["own_ms"] for span in covering), abs=1e-6)
        assert row["critical_path_ms"] == pytest.approx(sum(span["critical_ms"] for span in covering), abs=1e-6)
        covered = row["wall_ms"] - row["orchestration_ms"]
        assert row["critical_path_ms"] <= covered + 1e-6
        assert covered <= row["effort_ms"] + 1e-6
        assert row["parallel_speedup"] == pytest.approx(row["effort_ms"] / row["wall_ms"])
        assert 0 <= row["handoff_ms"] <= row["orchestration_ms"]


def test_time_goes_to_whom_the_script_gave_it(trials: Trials) -> None:
    expected = {
        ("alone", "in-turn"): ["model", "tool", "model", "tool", "model"],
        ("alone", "at-once"): ["model", "tool", "model"],
        ("alone", "refused"): ["model", "rate_limit_wait", "model"],
        ("led", "in-turn"): ["model", "tool", "model"],
        ("led", "refused"): ["model", "rate_limit_wait", "model"],
    }
    assert {key: runs(*trials[key][:2]) for key in expected} == expected


def test_nothing_that_waits_is_early(trials: Trials) -> None:
    """A tool's wait, a back-off, a decision, a model's time to its answer; on a busy machine all may be late."""
    for key, (row, spans, _) in trials.items():
        for span in spans:
            length = span["duration_ms"]
            if span["kind"] == "tool":
                assert length >= float(span["output"].split()[1])
            elif span["kind"] in ("rate_limit_wait", "human_wait"):
                assert length >= UNIT_MS * (BACK_OFF if span["kind"] == "rate_limit_wait" else APPROVAL)
        if key[1] != "at-once":  # there a tool waits for another, and nobody knows for how long
            assert row["effort_ms"] >= KNOWN[key]["effort_ms"] * UNIT_MS
            if key[0] in ("alone", "led", "relay"):  # one thing after the other
                assert row["critical_path_ms"] == row["effort_ms"]


# ---------------------------------------------------------------- order, side by side


def test_tools_side_by_side_share_a_round(trials: Trials) -> None:
    row, spans, _ = trials["alone", "at-once"]
    tools = [span for span in spans if span["kind"] == "tool"]
    assert len(tools) == row["tool_calls"] == 3
    assert {next(around(tool, spans))["kind"] for tool in tools} == {"round"}
    assert len({tool["parent_id"] for tool in tools}) == row["tool_rounds"] == 1
    assert max(tool["started_ns"] for tool in tools) <= min(tool["ended_ns"] for tool in tools)
    assert row["effort_ms"] > row["wall_ms"] - row["orchestration_ms"]
    assert row["sdk_tool_ms"] > row["tool_ms"]  # a sum over what ran at once, as the SDK reports it


def test_a_single_agents_steps_are_in_order(trials: Trials) -> None:
    _, spans, _ = trials["alone", "in-turn"]
    steps = [span for span in spans if span["kind"] in ("model", "tool")]
    assert [span["kind"] for span in steps] == ["model", "tool", "model", "tool", "model"]
    assert [span["output"] for span in steps][::2] == ["One.", "Two.", "Three."]
    assert all(later["started_ns"] >= earlier["ended_ns"] for earlier, later in pairwise(steps))


def test_nested_agents_are_under_the_handoff_that_called_them(trials: Trials) -> None:
    for case, workers in (("in-turn", 2), ("at-once", 2), ("refused", 1)):
        row, spans, _ = trials["led", case]
        handoffs = [span for span in spans if span["kind"] == "handoff"]
        inner = [span for span in spans if span["kind"] == "agent" and span["agent"] != "lead"]
        assert len(handoffs) == len(inner) == row["handoffs"] == workers
        assert {next(around(agent, spans))["span_id"] for agent in inner} == {span["span_id"] for span in handoffs}
        for span in spans:
            if span["kind"] in PARTS:
                nearest = next(one for one in around(span, spans) if one["kind"] == "agent")
                assert span["agent"] == nearest["agent"]
        assert row["agents"] == workers + 1
        active = dict(row["agent_active_ms"])
        assert set(active) == {"lead", *(agent["agent"] for agent in inner)}
        assert active["lead"] < row["wall_ms"] - max(span["duration_ms"] for span in inner)


def test_workers_side_by_side_are_at_work_at_the_same_time(trials: Trials) -> None:
    row, spans, _ = trials["led", "at-once"]
    ann, bob = (next(s for s in spans if s["kind"] == "tool" and s["agent"] == name) for name in ("ann", "bob"))
    assert max(ann["started_ns"], bob["started_ns"]) <= min(ann["ended_ns"], bob["ended_ns"])
    assert row["parallel_speedup"] > 0
    assert row["effort_ms"] > row["wall_ms"] - row["orchestration_ms"]


def test_a_refused_call_is_a_call_of_its_own_and_its_back_off_a_wait(trials: Trials) -> None:
    _, spans, calls = trials["alone", "refused"]
    assert [(call["attempt"], call["error_kind"]) for call in calls] == [(1, "rate_limited"), (2, None)]
    steps = [span for span in spans if span["kind"] in PARTS]
    assert [(s["kind"], s["status"]) for s in steps] == [("model", "error"), ("rate_limit_wait", "ok"), ("model", "ok")]


def test_a_decision_is_a_wait_of_nobodys(trials: Trials) -> None:
    for case in ("in-turn", "at-once", "refused"):
        row, spans, _ = trials["flow", case]
        wait = next(span for span in spans if span["kind"] == "human_wait")
        before = [span for span in spans if span["kind"] == "model" and span["ended_ns"] <= wait["started_ns"]]
        after = [span for span in spans if span["kind"] == "model" and span["started_ns"] >= wait["ended_ns"]]
        assert len(before) + len(after) == sum(span["kind"] == "model" for span in spans)
        assert len(after) == 1
        assert row["human_wait_ms"] == wait["duration_ms"]
        assert row["handoff_ms"] <= row["wall_ms"] - row["human_wait_ms"]


# ---------------------------------------------------------------- calls


@pytest.mark.parametrize("which", ["trials", "cut_off"])
def test_each_model_span_is_its_call(which: str, request: pytest.FixtureRequest) -> None:
    for row, spans, calls in request.getfixturevalue(which).values():
        models = {span["span_id"]: span for span in spans if span["kind"] == "model"}
        assert {call["span_id"] for call in calls} == set(models)
        for call in calls:
            span = models[call["span_id"]]
            assert span["started_ns"] == (call["closed_ns"] if call["sent_ns"] is None else call["sent_ns"])
            assert span["ended_ns"] == call["closed_ns"]
            assert (span["call_id"], span["agent"]) == (call["call_id"], call["agent"])
            assert call["stamped_by"] == "transport"
        assert row["calls"] == len(calls)


def test_tokens_are_counted_at_the_leaves_alone(trials: Trials) -> None:
    for row, _, calls in trials.values():
        assert row["tokens_out"] == sum(call["tokens_out"] for call in calls if call["error_kind"] is None)
        assert row["ttft_ms"] is None
        assert dict(row["provenance"])["ttft_ms"] == "missing: several calls, see calls"
        assert all(call["ttft_ms"] is not None for call in calls if call["error_kind"] is None)


def test_a_trial_whose_time_is_up_keeps_the_law(cut_off: Trials) -> None:
    for row, spans, _ in cut_off.values():
        assert row["status"] == "timeout"
        assert {span["status"] for span in spans} & {"cancelled", "error"}
        assert told(spans, "agent")
