"""Agents end to end: real clients, real tools, a scripted simulator over sockets, on every wire.

One run of all cases on all four wires is shared by most tests; what has to go wrong has runs of its own.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchbook.errors import PlanError
from benchbook.records import Call, Trial
from benchbook.stages.execute import execute
from tests.conftest import TARGETS, Bench
from tests.end_to_end.clerks import LIST, SCRIPT, TEAM, WIRES, children, kinds, of, once, write_script, write_team


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> list[Trial]:
    """Every case once on every wire, by an agent."""
    bench = Bench(tmp_path_factory.mktemp("agents") / "bench", targets=WIRES)
    teams = write_team(bench, TEAM)
    write_script(bench, SCRIPT)
    bench.execute = {"workloads": ["agent"], "teams": teams, "repetitions": 1, "warmup": 0}
    execute(bench.job())
    return bench.trials()


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        ({"folder": "none"}, "the folder none is not there"),
        ({"provider": "tavily", "key_env": "NO_SUCH_KEY"}, r"no key: \$NO_SUCH_KEY is not set"),
    ],
)
def test_a_tool_that_could_never_work_is_found_before_the_run(
    bench: Bench, settings: dict[str, Any], missing: str
) -> None:
    member = {**TEAM["members"][0], "tools": [{"name": "search", "settings": settings}]}  # type: ignore[index]
    bench.execute = {"workloads": ["agent"], "teams": write_team(bench, {**TEAM, "members": [member]})}
    with pytest.raises(PlanError, match=f"member solo, tool search: {missing}; provide it, or change"):
        execute(bench.job())
    assert not bench.run_ids()


@pytest.mark.parametrize("wire", WIRES)
def test_an_agent_answers_and_all_of_it_is_recorded(ran: list[Trial], wire: str) -> None:
    (trial,) = of(ran, 0, wire)
    assert (trial.status, trial.output) == ("success", "The note is written: word 0.")
    assert kinds(trial) == ["agent", "model", "round", "tool", "tool", "model"]
    agent = trial.spans[0]
    assert {span.kind for span in children(trial, agent)} == {"model", "round"}
    (around,) = [span for span in trial.spans if span.kind == "round"]
    used = children(trial, around)
    assert [span.name for span in used] == ["documents", "documents"]
    assert [json.loads(span.input)["action"] for span in used] in (["write", "list"], ["list", "write"])
    assert all(span.status == "ok" and span.output for span in used)
    assert trial.end_state["files"] == ["note.md"]
    assert trial.end_state["steps"] == 2
    thought, answer = [span for span in trial.spans if span.kind == "model"]
    assert (thought.output, answer.output) == ("I look twice.", "The note is written: word 0.")


@pytest.mark.parametrize("wire", WIRES)
def test_every_call_is_stamped_chunk_by_chunk(ran: list[Trial], wire: str) -> None:
    (trial,) = of(ran, 0, wire)
    assert [(call.turn, call.attempt, call.agent) for call in trial.calls] == [(1, 1, "solo"), (2, 1, "solo")]
    for call in trial.calls:
        assert call.stamped_by == ("events" if wire == "bedrock" else "transport")
        assert call.error_kind is None
        assert call.streamed
        _in_order(call)
        assert (call.usage.input or 0) > 0
        assert (call.usage.output or 0) > 0
    assert trial.calls[0].finish_reason == ("stop" if wire == "ollama" else "tool_calls")  # Ollama has no word for it
    asked = trial.answers[0].tool_calls
    assert [call.name for call in asked] == ["documents", "documents"]


def _in_order(call: Call) -> None:
    assert call.sent_ns is not None
    assert call.first_byte_ns is not None
    stamps = [call.taken_up_ns, call.sent_ns, call.first_byte_ns, *(chunk.at_ns for chunk in call.chunks)]
    stamps += [call.last_byte_ns or 0, call.closed_ns]
    assert len(call.chunks) > 1
    assert stamps == sorted(stamps)


def test_spans_of_calls_are_the_calls(ran: list[Trial]) -> None:
    for trial in ran:
        spans = {span.call_id: span for span in trial.spans if span.kind == "model"}
        assert set(spans) == {call.call_id for call in trial.calls}
        for call in trial.calls:
            span = spans[call.call_id]
            assert (span.started_ns, span.ended_ns) == (call.sent_ns, call.closed_ns)


def test_what_a_model_does_wrong_is_recorded_and_the_agent_goes_on(ran: list[Trial]) -> None:
    for trial in of(ran, 1):
        assert (trial.status, trial.output) == ("success", "word 1, in spite of all.")
        wrong = [span for span in trial.spans if span.kind == "tool"]
        assert [span.name for span in wrong] == ["telephone", "documents", "documents", "documents"]
        assert [span.status for span in wrong] == ["error"] * 4
        assert json.loads(wrong[1].input) == {"action": "shred"}
        assert "action" in (wrong[1].error or "")
        broken = '{"action": "li'  # Ollama's wire carries objects only
        ollama = trial.planned.target.startswith("ollama")
        assert (json.loads(wrong[2].input)["broken"] if ollama else wrong[2].input) == broken
        assert "outside" in (wrong[3].error or "")


def test_an_agent_that_never_stops_is_stopped(ran: list[Trial]) -> None:
    for trial in of(ran, 2):
        assert (trial.status, trial.error_kind) == ("failure", "limit")
        assert "6 steps" in (trial.error_message or "")
        assert len(trial.calls) == trial.end_state["steps"] == 6
        assert trial.end_state["stopped_by"] == "steps"
        assert len([span for span in trial.spans if span.kind == "tool"]) == 6


def test_a_plain_question_is_one_call(ran: list[Trial]) -> None:
    for trial in of(ran, 3):
        assert kinds(trial) == ["agent", "model"]
        assert trial.output == "word 3"


def test_the_sdks_own_figures_are_kept_beside_ours(ran: list[Trial]) -> None:
    for trial in of(ran, 0):
        assert trial.reported["sdk_cycles"] == 2
        assert trial.reported["sdk_tokens_out"] == sum(call.usage.output or 0 for call in trial.calls)
        assert trial.reported["sdk_tool_ms"] > 0


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Trial], int]:
    """Every wire with a fault of its own in each case, and how many more threads there are than before."""
    bench = Bench(tmp_path_factory.mktemp("troubled") / "bench", targets=WIRES)
    for model in map(TARGETS.__getitem__, WIRES):
        bench.faults += [
            {"kind": "rate_limited", "holds": "word 0", "script": [1], "match": model, "retry_after_s": 0.02},
            {"kind": "reset", "holds": "word 0", "script": [2], "match": model, "after_chunks": 1},
            {"kind": "stall", "holds": "word 2", "script": [2], "match": model, "after_chunks": 2, "for_s": None},
        ]
    bench.faults += [
        {"kind": "server_error", "holds": "word 1", "every": 1},
        {"kind": "stall", "holds": "word 3", "every": 1, "for_s": None},
    ]
    before = threading.active_count()
    script = {"word 0": SCRIPT["word 0"], "word 2": [{"say": "I look.", "calls": [LIST]}, {"say": "So be it: word 2"}]}
    trials = once(bench, TEAM, script, timeout_s=3)
    return trials, threading.active_count() - before


def test_refused_and_broken_calls_are_tried_again_as_the_plan_says(troubled: tuple[list[Trial], int]) -> None:
    trials = of(troubled[0], 0)
    assert Counter(trial.status for trial in trials) == {"success": 4}
    for trial in trials:
        kinds = [call.error_kind for call in trial.calls]
        assert [(call.turn, call.attempt) for call in trial.calls] == [(1, 1), (1, 2), (1, 3), (2, 1)]
        assert kinds[0] == "rate_limited"
        assert kinds[1] in ("reset", "truncated")
        assert kinds[2:] == [None, None]
        waits = [span for span in trial.spans if span.kind == "rate_limit_wait"]
        for wait, failed, again in zip(waits, trial.calls, trial.calls[1:3], strict=False):
            assert failed.closed_ns <= wait.started_ns <= wait.ended_ns <= (again.sent_ns or 0)
            assert again.backoff_ns >= wait.ended_ns - wait.started_ns
        assert len(waits) == 2
        assert [span.status for span in trial.spans if span.kind == "agent"] == ["ok"]


def test_a_call_that_no_retry_mends_fails_its_trial(troubled: tuple[list[Trial], int]) -> None:
    for trial in of(troubled[0], 1):
        assert (trial.status, trial.error_kind, len(trial.calls)) == ("failure", "server_error", 3)
        assert "gave up after 3 attempts" in (trial.error_message or "")


def test_a_silent_server_costs_the_trials_time_and_no_more(troubled: tuple[list[Trial], int]) -> None:
    trials, more_threads = troubled
    for trial in of(trials, 2):
        assert (trial.status, trial.error_kind) == ("timeout", "timeout")
        first, second = trial.calls
        assert first.error_kind is None
        assert (second.error_kind, len(second.chunks)) == ("timeout", 2)
        assert [span.status for span in trial.spans if span.kind == "model"] == ["ok", "error"]
    for trial in of(trials, 3):
        assert (trial.status, trial.error_kind) == ("timeout", "timeout")
        (call,) = trial.calls
        assert (call.error_kind, len(call.chunks)) == ("timeout", 0)
        assert call.sent_ns is not None
    assert more_threads <= 8  # idle ones of a pool; none reads


def test_every_limit_ends_the_trial_and_keeps_what_was_measured(bench: Bench) -> None:
    bench.cases, bench.law = 3, {"ttft_ms": 40}
    limits: dict[str, dict[str, Any]] = {"tokens": {"tokens": 30}, "time": {"time_s": 0.3}, "usd": {"usd": 0.0001}}
    more = _priced(bench)
    for name, limit in limits.items():
        team = {**TEAM, "name": name, "limits": {"steps": 1000, **limit}}
        (bench.folder / f"{name}.yaml").write_text(yaml.safe_dump(team))
    more["teams"] = {"agent": [str(bench.folder / f"{name}.yaml") for name in limits]}
    trials = of(once(bench, TEAM, {"word 2": SCRIPT["word 2"]}, **more), 2)
    assert {trial.planned.team: trial.end_state["stopped_by"] for trial in trials} == {name: name for name in limits}
    for trial in trials:
        assert (trial.status, trial.error_kind) == ("failure", "limit")
        assert 0 < len(trial.calls) < 60
        spans = {span.call_id for span in trial.spans if span.kind == "model"}
        assert spans == {call.call_id for call in trial.calls}


def _priced(bench: Bench) -> dict[str, Any]:
    """The bench's target with a price."""
    bench.folder.mkdir(parents=True)
    prices = bench.folder / "prices.yaml"
    price = {"input": 1.0, "output": 2.0, "source": "made up"}
    listed = {"date": "2026-11-01", "currency": "USD", "unit": "per million tokens"}
    prices.write_text(yaml.safe_dump({**listed, "prices": {"openai/sim-openai": price}}))
    target = {"name": "openai-sim", "provider": "openai", "model": "sim-openai", "base_url": "simulator"}
    return {"targets": [{**target, "price": f"{prices}#openai/sim-openai"}]}


def test_twenty_agents_at_once_keep_their_calls_and_parents(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "many", targets=("openai", "bedrock"), cases=10, law={"ttft_ms": 5})
    calls = [
        {"name": "documents", "arguments": {"action": "write", "path": f"scratch/{n}.md", "text": "x"}}
        for n in range(4)
    ]
    script = {f"word {n}": [{"say": f"case {n}", "calls": calls}, {"say": f"word {n}"}] for n in range(10)}
    trials = once(bench, TEAM, script, load={"kind": "closed", "concurrency": 10, "ramp_s": 0})
    assert len(trials) == 20
    ids = [call.call_id for trial in trials for call in trial.calls]
    assert len(ids) == len(set(ids)) == 40
    for trial in trials:
        number = trial.planned.test_id[1:]
        assert trial.output == f"word {number}"
        assert [answer.text for answer in trial.answers] == [f"case {number}", f"word {number}"]
        known = {span.span_id: span for span in trial.spans}
        assert sorted(span.kind for span in trial.spans) == ["agent", "model", "model", "round", *["tool"] * 4]
        for span in trial.spans:
            if span.kind == "agent":
                assert span.parent_id is None
                continue
            around = known[span.parent_id or ""]
            assert around.kind == ("round" if span.kind == "tool" else "agent")
            assert around.started_ns <= span.started_ns <= span.ended_ns <= around.ended_ns
        assert trial.end_state["files"] == [f"{n}.md" for n in range(4)]


def test_a_tool_that_hangs_is_stopped_and_the_agent_goes_on(bench: Bench) -> None:
    bench.cases = 1
    team = {**TEAM, "members": [{**TEAM["members"][0], "tools": ["python"]}], "limits": {"tool_timeout_s": 0.5}}
    loop = {"name": "python", "arguments": {"code": "while True: pass"}}
    (trial,) = once(bench, team, {"word 0": [{"calls": [loop]}, {"say": "word 0, later."}]})
    assert (trial.status, trial.output) == ("success", "word 0, later.")
    (hung,) = [span for span in trial.spans if span.kind == "tool"]
    assert hung.status == "error"
    assert hung.detail["kind"] == "timeout"
    assert "stopped after" in (hung.error or "")
