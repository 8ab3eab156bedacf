"""Conversations end to end: what each turn carries, what its stamps mean, and how a conversation ends early."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from benchbook.cli import show
from benchbook.errors import PlanError
from benchbook.history import ask
from benchbook.measure.breakdown import api_spans, breakdown_ns
from benchbook.records import Trial
from benchbook.results.store import read_table
from benchbook.stages import Job
from benchbook.stages.execute import execute
from benchbook.stages.store import store
from tests.conftest import Bench

TURNS = ["First {{word}}?", {"content": "And second?", "think_s": 0.04}, "And third?"]
CASE = {"id": "talk", "category": "k", "turns": TURNS, "variables": {"word": "of all"}, "expected": "And third?"}


def planned(bench: Bench, *cases: dict[str, Any], **execute_: Any) -> Job:
    """A job over conversations; the simulator echoes the last user message."""
    bench.execute = {"workloads": ["session"], "repetitions": 2, "warmup": 0, **execute_}
    job = bench.job()
    document = {"name": "talks", "version": "1", "test_cases": list(cases)}
    (bench.folder / "small.json").write_text(json.dumps(document))
    return job


def rows(bench: Bench, table: str) -> list[dict[str, Any]]:
    return list(read_table(bench.results, table)[0].to_pylist())


@pytest.mark.parametrize("provider", ["openai", "bedrock"])
def test_every_turn_carries_what_was_said_before(bench: Bench, provider: str) -> None:
    """The simulator counts four characters a token in every message: the prompt grows by answer and question."""
    bench.targets = (provider,)
    job = planned(bench, CASE)
    execute(job)
    said = ["First of all?", "And second?", "And third?"]
    for trial in bench.trials():
        assert (trial.status, [call.turn for call in trial.calls]) == ("success", [1, 2, 3])
        assert [answer.text for answer in trial.answers] == said
        tokens = [-(-len(text) // 4) for text in said]
        grown = [tokens[0], 2 * tokens[0] + tokens[1], 2 * tokens[0] + 2 * tokens[1] + tokens[2]]
        assert [call.usage.input for call in trial.calls] == grown


def test_a_conversation_in_the_tables(bench: Bench) -> None:
    job = planned(bench, CASE, {"id": "one", "category": "k", "prompt": "And third?", "expected": "And third?"})
    store(job, execute(job).run_id)
    trials, calls = rows(bench, "trials"), rows(bench, "calls")
    (run,) = rows(bench, "runs")
    assert run["verdict"] != "INVALID", run["reasons"]
    assert sorted(trial["calls"] for trial in trials) == [1, 1, 3, 3]
    assert all(trial["score"] == 1.0 for trial in trials)
    for trial in trials:
        parts = [trial[f"{kind}_ms"] for kind in ("model", "tool", "human_wait", "rate_limit_wait", "orchestration")]
        assert sum(parts) == pytest.approx(trial["wall_ms"])
        assert trial["human_wait_ms"] == (40.0 if trial["test_id"] == "talk" else 0.0)
        own = [call for call in calls if call["trial_id"] == trial["trial_id"]]
        assert trial["tokens_in"] == sum(call["tokens_in"] for call in own)
        assert trial["e2e_ms"] == own[-1]["e2e_ms"]
    found = {row["turn"]: row for row in ask("turns", bench.results)}
    assert {turn: (row["attempts"], row["failed"]) for turn, row in found.items()} == {1: (4, 0), 2: (2, 0), 3: (2, 0)}
    assert found[2]["tokens_in_mean"] == 4 * 2 + 3


def test_a_turn_that_fails_ends_the_conversation_and_keeps_what_was_before(bench: Bench) -> None:
    """A quarter of all requests fails, and nothing is tried again: a turn fails with its request."""
    bench.faults = [{"kind": "server_error", "rate": 0.25}]
    job = planned(bench, CASE, repetitions=30, retries={"attempts": 1})
    execute(job)
    trials = bench.trials()
    early = [trial for trial in trials if trial.status == "failure"]
    assert {len(trial.calls) for trial in early} == {1, 2, 3}
    for trial in early:
        assert trial.error_kind == trial.calls[-1].error_kind == "server_error"
        assert [call.error_kind for call in trial.calls[:-1]] == [None] * (len(trial.calls) - 1)
    assert len(early) < len(trials) == 30


def test_a_turn_has_retries_of_its_own_and_no_pause_is_lost_with_them(bench: Bench) -> None:
    bench.faults = [{"kind": "rate_limited", "rate": 0.3, "retry_after_s": 0}]
    job = planned(bench, CASE, repetitions=12, retries={"attempts": 20, "base_s": 0.001, "cap_s": 0.002})
    execute(job)
    trials = bench.trials()
    assert {trial.status for trial in trials} == {"success"}
    assert sum(len(trial.calls) for trial in trials) > 36
    for trial in trials:
        numbers = [(call.turn, call.attempt) for call in trial.calls]
        by_turn = {turn: [attempt for _, attempt in own] for turn, own in groupby(numbers, key=lambda one: one[0])}
        assert by_turn == {turn: list(range(1, len(own) + 1)) for turn, own in by_turn.items()}
        assert list(by_turn) == [1, 2, 3]
        assert len({call.call_id for call in trial.calls}) == len(trial.calls)
        assert split(trial)["human_wait"] == 40_000_000
    store(job)
    _no_view_calls_a_turn_a_retry(bench, trials)


def _no_view_calls_a_turn_a_retry(bench: Bench, trials: list[Trial]) -> None:
    found = {question: ask(question, bench.results) for question in ("attempts", "perceived", "retries")}
    calls = [call for trial in trials for call in trial.calls]
    (counted,) = found["attempts"]
    assert counted["retries"] == len(calls) - 3 * len(trials) == counted["failed_attempts"]
    assert counted["most_attempts"] == max(call.attempt for call in calls)
    by_id = {trial.planned.trial_id: trial for trial in trials}
    for row in found["retries"]:
        calls_of = by_id[row["trial_id"]].calls
        assert row["attempts"] == sum(call.turn == row["turn"] for call in calls_of)
    by_view = {row["view"]: row for row in found["perceived"]}
    last_turns = [[call for call in trial.calls if call.turn == 3] for trial in trials]
    for view, since in (("with_retries", "taken_up_ns"), ("from_intended", "intended_ns")):
        took_ms = [(turn[-1].chunks[-1].at_ns - getattr(turn[0], since)) / 1e6 for turn in last_turns]
        assert by_view[view]["max"] == pytest.approx(max(took_ms))
    shown = (
        CliRunner()
        .invoke(show.command, ["--trial", trials[0].planned.trial_id, "--results", str(bench.results)])
        .output
    )
    assert "all turns, pauses, attempts and waits inside" in shown
    assert shown.splitlines()[1].split()[:2] == ["turn", "attempt"]


def split(trial: Trial) -> dict[str, int]:
    return breakdown_ns((trial.started_ns, trial.ended_ns), api_spans(trial))


def test_time_that_runs_out_in_a_pause_is_a_timeout(bench: Bench) -> None:
    slow = {**CASE, "turns": ["One?", {"content": "Two?", "think_s": 30}]}
    execute(planned(bench, slow, repetitions=1, timeout_s=20))
    (trial,) = bench.trials()
    assert (trial.status, trial.error_kind, len(trial.calls)) == ("timeout", "timeout", 1)
    assert trial.error_message == "the pause before turn 2 would take the rest of the trial's time"


def test_an_answer_that_says_nothing_ends_the_conversation(bench: Bench) -> None:
    bench.law = {"reasoning": {"tokens": 4}, "tokens_out": 4}
    execute(planned(bench, {**CASE, "config": {"max_tokens": 4}}, repetitions=1))
    (trial,) = bench.trials()
    assert (trial.status, trial.error_kind, len(trial.calls)) == ("failure", "empty", 1)
    assert trial.error_message == "the answer to turn 1 has no visible text to go on with"


def test_a_conversation_is_not_asked_once(bench: Bench) -> None:
    job = planned(bench, CASE, workloads=["api"])
    with pytest.raises(PlanError, match="case talk has 3 turns, and the workload api asks once"):
        execute(job)


def test_a_generated_conversation(bench: Bench, tmp_path: Path) -> None:
    bench.law = {"prefix_cache": True}
    job = planned(bench, CASE, cache="cold")
    made = {"cases": 2, "prompt_tokens": 300, "output_tokens": 60, "turns": 4, "turn_tokens": [100, 120]}
    (tmp_path / "made.yaml").write_text(yaml.safe_dump({"name": "made", "version": "1", "synthetic": made}))
    plan = yaml.safe_load(bench.plan.read_text())
    plan["validate"]["datasets"] = [str(tmp_path / "made.yaml")]
    bench.plan.write_text(yaml.safe_dump(plan))
    store(job, execute(job).run_id)
    found = ask("turns", bench.results)
    assert [row["turn"] for row in found] == [1, 2, 3, 4]
    assert found[0]["cached_share"] == 0
    assert 0.6 < found[3]["cached_share"] < 1
    assert {check["name"] for check in rows(bench, "checks") if not check["success"]} == set()
