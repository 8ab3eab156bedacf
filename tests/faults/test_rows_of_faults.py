"""What a row says of each fault that the simulator can cause, on every wire: kinds, kept facts, what was retried."""

from __future__ import annotations

from typing import Any

import pytest

from benchbook.records import Trial
from benchbook.stages.execute import execute

WIRES = ("openai", "anthropic", "bedrock", "ollama")
ONCE = {"retries": {"attempts": 1}, "repetitions": 1, "warmup": 0}


def measured(bench: Any, fault: dict[str, Any], **execute_section: Any) -> list[Trial]:
    bench.targets, bench.cases = WIRES, 2
    bench.faults = [fault]
    bench.execute = {**ONCE, **execute_section}
    execute(bench.job())
    trials = bench.trials()
    assert len(trials) == 2 * len(WIRES)
    return trials


@pytest.mark.parametrize(
    ("fault", "kind", "status"),
    [
        ({"kind": "rate_limited", "rate": 1}, "rate_limited", 429),
        ({"kind": "server_error", "rate": 1}, "server_error", 500),
        ({"kind": "unavailable", "rate": 1}, "overloaded", 503),
        ({"kind": "unavailable", "rate": 1, "status": 529}, "overloaded", 529),
        ({"kind": "reset", "rate": 1, "after_chunks": 0}, "reset", None),
        ({"kind": "reset", "rate": 1, "after_chunks": 2}, "reset", 200),
        ({"kind": "truncated_body", "rate": 1, "after_chunks": 2}, "truncated", 200),
        ({"kind": "early_end", "rate": 1}, "truncated", 200),
        ({"kind": "stream_error", "rate": 1, "after_chunks": 2}, "stream_error", 200),
        ({"kind": "html", "rate": 1}, "protocol", 200),
    ],
)
def test_failures_say_their_kind(bench: Any, fault: dict[str, Any], kind: str, status: int | None) -> None:
    for trial in measured(bench, fault):
        call = trial.calls[-1]
        assert (trial.status, trial.error_kind, len(trial.calls)) == ("failure", kind, 1), trial.error_message
        assert call.http_status == status
        assert trial.error_message
        if status != 200 or kind == "protocol":
            assert call.chunks == ()


@pytest.mark.parametrize("fault", ["reset", "truncated_body", "stream_error"])
def test_what_arrived_before_a_cut_is_kept(bench: Any, fault: str) -> None:
    for trial in measured(bench, {"kind": fault, "rate": 1, "after_chunks": 2}):
        assert 1 <= len(trial.calls[0].chunks) <= 2  # a reset may discard what the reader had not read yet
        assert trial.answers[0].text


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "slow_trickle", "rate": 1, "bytes_per_write": 7, "delay_ms": 0.1},
        {"kind": "role_only_first_chunk", "rate": 1, "delay_ms": 30},
        {"kind": "empty_deltas", "rate": 1, "count": 3},
        {"kind": "keep_alive_comments", "rate": 1, "interval_ms": 1},
        {"kind": "split_utf8", "rate": 1, "gap_ms": 1},
        {"kind": "many_tokens_per_chunk", "rate": 1, "tokens": 4},
    ],
)
def test_oddities_that_are_no_failures_change_nothing_but_time(bench: Any, fault: dict[str, Any]) -> None:
    for trial in measured(bench, fault):
        assert trial.status == "success", trial.error_message
        assert trial.answers[0].text == f"Say word {trial.planned.test_id[1:]} and nothing else."
        assert trial.calls[0].usage.output is not None


def test_an_empty_first_chunk_is_no_first_token(bench: Any) -> None:
    bench.law = {"ttft_ms": 5}
    for trial in measured(bench, {"kind": "role_only_first_chunk", "rate": 1, "delay_ms": 80}):
        call = trial.calls[0]
        assert call.sent_ns is not None
        assert call.chunks[0].at_ns - call.sent_ns >= 80_000_000


def test_missing_usage_is_null_and_no_guess(bench: Any) -> None:
    for trial in measured(bench, {"kind": "missing_usage", "rate": 1}):
        assert (trial.status, trial.calls[0].usage.output) == ("success", None)


def test_a_stall_ends_as_a_timeout_with_what_came_before(bench: Any) -> None:
    for trial in measured(bench, {"kind": "stall", "rate": 1, "after_chunks": 1, "for_s": None}, timeout_s=0.4):
        assert (trial.status, trial.error_kind, len(trial.calls)) == ("timeout", "timeout", 1)
        assert len(trial.calls[0].chunks) == 1


def test_failures_that_pass_are_retried_and_both_attempts_are_rows(bench: Any) -> None:
    fault = {"kind": "server_error", "script": [1, 2, 3, 4, 5, 6, 7, 8]}
    trials = measured(bench, fault, retries={"attempts": 3, "base_s": 0.01, "cap_s": 0.02})
    assert sum(call.error_kind == "server_error" for trial in trials for call in trial.calls) == 8
    assert {trial.status for trial in trials} <= {"success", "failure"}
    for trial in trials:
        assert [call.attempt for call in trial.calls] == list(range(1, len(trial.calls) + 1))
        assert trial.status == ("success" if trial.calls[-1].error_kind is None else "failure")


def test_a_refused_connection_is_retried_on_a_new_one(bench: Any) -> None:
    bench.faults = [{"kind": "refused", "script": [6]}]
    bench.execute = {"retries": {"attempts": 3, "base_s": 0.01}, "load": {"kind": "closed", "concurrency": 8}}
    execute(bench.job())
    assert {trial.status for trial in bench.trials()} == {"success"}


@pytest.mark.parametrize("kind", ["rate_limited", "server_error", "reset", "stream_error"])
def test_a_fault_now_and_then_leaves_the_others_alone(bench: Any, kind: str) -> None:
    bench.cases = 10
    bench.faults = [{"kind": kind, "every": 5}]
    bench.execute = {"retries": {"attempts": 1}}
    done = execute(bench.job())
    assert (done.progress["failed"], done.progress["succeeded"]) == (6, 24)
