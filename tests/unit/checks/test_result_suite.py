"""The suite on results: a sound run passes, one wrong value fails its check alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pytest

from benchbook.checks import Parts, ResultFacts, check_results
from benchbook.checks.result_suite import check
from benchbook.records import Check
from benchbook.results.schemas import CALLS, TRIALS

TRIAL: dict[str, Any] = {
    "status": "success", "phase": "measured", "intended_ns": 1000, "started_ns": 1001, "ended_ns": 2000, "calls": 1,
    "wall_ms": 1.0, "model_ms": 0.75, "tool_ms": 0.0, "human_wait_ms": 0.0, "rate_limit_wait_ms": 0.125,
    "orchestration_ms": 0.125, "ttfb_ms": 1.0, "ttft_ms": 2.0, "ttfo_ms": 3.0, "e2e_ms": 5.0, "response_ms": 5.5,
    "schedule_lag_ms": 0.0, "tokens_in": 10, "tokens_cached": 10, "tokens_out": 7, "tokens_reasoning": 7,
    "cost_usd": 0.0,
}  # fmt: skip

CALL: dict[str, Any] = {
    "turn": 1, "attempt": 1, "phase": "measured",
    "intended_ns": 1000, "taken_up_ns": 1001, "sent_ns": 1100, "first_byte_ns": 1200,
    "first_chunk_ns": 1300, "first_reasoning_ns": 1300, "first_output_ns": 1350, "last_chunk_ns": 1400,
    "last_byte_ns": 1450, "closed_ns": 1500, "ttfb_ms": 1.0, "ttft_ms": 2.0, "e2e_ms": 5.0, "response_ms": 5.5,
    "tokens_in": 10, "tokens_out": None, "provenance": [("tokens_out", "missing: not reported")],
    "chunk_offsets_us": [5, 5, 9], "chunk_sizes": [1, 0, 2], "chunk_kinds": ["text", "reasoning", "tool"],
}  # fmt: skip

NAMES = ("w", "t1", "t2", "t3")

WHERE_ASKED = ("prompt_size", "cache_contamination", "cache_warm")
"""Checks of what only some plans ask for: here there is nothing to judge."""

PLANNED = {name: "warmup" if name == "w" else "measured" for name in NAMES}

COUNTS = {"planned": 4, "succeeded": 2, "failed": 1, "timed_out": 0, "skipped": 1, "not_started": 0}


def run_tables(
    trial: Mapping[str, Any] | None = None, call: Mapping[str, Any] | None = None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of a sound run: a warm-up, a success, a failure of two attempts, a skipped trial; t1 is changed as told."""
    sound = {name: {"trial_id": name, **TRIAL, "phase": PLANNED[name]} for name in NAMES}
    sound["t1"] |= trial or {}
    failure = {"status": "failure", "error_kind": "reset", "calls": 2, "e2e_ms": None, "response_ms": None}
    sound["t2"] |= {**failure, "tokens_out": None, "tokens_reasoning": None}
    nothing = dict.fromkeys(name for name in TRIAL if name.endswith("_ms") or name.startswith("tokens"))
    sound["t3"] |= {**nothing, "status": "skipped", "error_message": "no such model", "calls": 0}
    sound["t3"] |= {"intended_ns": 5, "started_ns": 5, "ended_ns": 5}
    unsent = dict.fromkeys(name for name in CALL if name.endswith("_ms") or name.startswith(("first", "last", "sent")))
    refused = {**CALL, **unsent, "error_kind": "refused", "provenance": [], "chunk_offsets_us": []}
    refused |= {"chunk_sizes": [], "chunk_kinds": []}
    calls = [
        {"trial_id": "w", "call_id": "w-1", **CALL},
        {"trial_id": "t1", "call_id": "t1-1", **CALL, **(call or {})},
        {"trial_id": "t2", "call_id": "t2-1", **refused},
        {"trial_id": "t2", "call_id": "t2-2", **refused, "attempt": 2},
    ]
    return list(sound.values()), calls


def stored(table: pa.Table, size: int = 100) -> Parts:
    """The table as parts of so many rows."""
    parts = [table.slice(start, size) for start in range(0, len(table), size)] or [table]
    return lambda: (part.select for part in parts)


def judged(trials: list[dict[str, Any]], calls: list[dict[str, Any]], facts: ResultFacts | None = None) -> list[Check]:
    tables = {
        "trials": stored(pa.Table.from_pylist(trials, TRIALS)),
        "calls": stored(pa.Table.from_pylist(calls, CALLS)),
    }
    return list(check_results(tables, facts or ResultFacts(PLANNED, COUNTS)))


def test_a_run_that_is_judged_in_slices_is_judged_alike() -> None:
    trials, calls = run_tables(trial={"ttfb_ms": -1.0, "calls": 9}, call={"chunk_sizes": [1, -1, 1]})
    calls += [{**calls[3], "call_id": "t2-3"}, {**calls[3], "call_id": "t2-4", "attempt": 3}]
    calls += [{**calls[2], "trial_id": "x", "call_id": "x-1"}]
    facts = ResultFacts({**PLANNED, "t4": "measured", "t5": "measured"}, COUNTS, cache="cold")
    tables = {"trials": pa.Table.from_pylist(trials, TRIALS), "calls": pa.Table.from_pylist(calls, CALLS)}
    whole = check({name: stored(table) for name, table in tables.items()}, facts)
    assert len([one for one in whole if not one.success]) >= 7
    assert check({name: stored(table, 1) for name, table in tables.items()}, facts, slice_rows=4) == whole


def failed(checks: list[Check]) -> dict[tuple[str, str], tuple[str, ...]]:
    return {(check.name, check.subject): check.failures for check in checks if not check.success}


def test_a_sound_run_passes_every_check() -> None:
    checks = judged(*run_tables())
    assert failed(checks) == {}
    assert {check.suite for check in checks} == {"result"}
    observed = {(check.name, check.subject): check.observed for check in checks}
    assert observed["stamps_monotone", "calls"] == observed["attempt_once", "calls"] == 4
    assert observed["usage_told", "trials"] == observed["usage_told", "calls"] == 2
    assert observed["counts_conserved", "runs"] == 6
    assert {name for (name, _), seen in observed.items() if not seen} == set(WHERE_ASKED)


BROKEN: list[tuple[str, dict[str, Any], str, str, str]] = [
    ("calls", {"taken_up_ns": 999}, "stamps_monotone", "calls", "taken_up_ns 999 is below intended_ns 1000"),
    ("calls", {"sent_ns": 1201}, "stamps_monotone", "calls", "first_byte_ns 1200 is below sent_ns 1201"),
    ("calls", {"sent_ns": None, "first_byte_ns": 1000}, "stamps_monotone", "calls", "is below taken_up_ns 1001"),
    ("calls", {"last_byte_ns": 1501}, "stamps_monotone", "calls", "closed_ns 1500 is below last_byte_ns 1501"),
    ("calls", {"first_output_ns": 1299}, "stamps_monotone", "calls", "first_output_ns 1299 is below first_chunk_ns"),
    ("calls", {"first_reasoning_ns": 1401}, "stamps_monotone", "calls", "last_chunk_ns 1400 is below first_re"),
    ("trials", {"started_ns": 2001}, "stamps_monotone", "trials", "ended_ns 2000 is below started_ns 2001"),
    ("trials", {"ttfb_ms": -0.001}, "latencies_ordered", "trials", "ttfb_ms -0.001 is below zero 0"),
    ("trials", {"ttft_ms": 0.999}, "latencies_ordered", "trials", "ttft_ms 0.999 is below ttfb_ms 1.0"),
    ("trials", {"ttft_ms": None, "ttfo_ms": None, "e2e_ms": 0.9}, "latencies_ordered", "trials", "below ttfb_ms 1.0"),
    ("trials", {"response_ms": 4.9}, "latencies_ordered", "trials", "response_ms 4.9 is below e2e_ms 5.0"),
    ("trials", {"schedule_lag_ms": -1.0}, "latencies_ordered", "trials", "schedule_lag_ms -1.0 is below zero"),
    ("calls", {**dict.fromkeys(("ttfb_ms", "ttft_ms", "response_ms")), "e2e_ms": 0.0}, "latencies_ordered", "calls",
     "e2e_ms is 0; an answer takes time"),
    ("trials", {"tokens_cached": 11}, "usage_consistent", "trials", "tokens_in 10 is below tokens_cached 11"),
    ("trials", {"tokens_reasoning": 8}, "usage_consistent", "trials", "tokens_out 7 is below tokens_reasoning 8"),
    ("calls", {"tokens_in": -1}, "usage_consistent", "calls", "tokens_in -1 is below zero 0"),
    ("trials", {"tokens_out": None}, "usage_told", "trials", "a success without tokens_out"),
    ("calls", {"provenance": [("tokens_out", "reported")]}, "usage_told", "calls", "a success without tokens_out"),
    ("calls", {"provenance": None}, "usage_told", "calls", "a success without tokens_out"),
    ("trials", {"wall_ms": 1.001}, "breakdown_adds_up", "trials", "is not wall_ms 1.001"),
    ("trials", {"tool_ms": -0.1, "model_ms": 0.85}, "breakdown_adds_up", "trials", "or a part is negative"),
    ("trials", {"tool_ms": None}, "breakdown_adds_up", "trials", "its spans contradict themselves"),
    ("trials", {"error_kind": "reset"}, "status_agrees_with_error", "trials", "status success with error_kind reset"),
    ("trials", {"phase": "warmup"}, "phase_as_planned", "trials", "phase is warmup; planned as measured"),
    ("trials", {"calls": 2}, "calls_counted", "trials", "says 2 calls, has 1"),
    ("calls", {"chunk_sizes": [1, 2]}, "chunks_consistent", "calls", "3 chunk offsets, 2 sizes and 3 kinds"),
    ("calls", {"chunk_offsets_us": [5, 9, 8]}, "chunks_consistent", "calls", "chunk 3 arrives before the one ahead"),
    ("calls", {"chunk_sizes": [1, -1, 1]}, "chunks_consistent", "calls", "a chunk has a negative size"),
    ("calls", {"chunk_kinds": ["text", "text", "noise"]}, "chunks_consistent", "calls", "chunk kinds ['noise']"),
]  # fmt: skip


@pytest.mark.parametrize(("table", "change", "name", "subject", "words"), BROKEN, ids=range(len(BROKEN)))
def test_one_wrong_value_fails_its_check_alone(
    table: str, change: dict[str, Any], name: str, subject: str, words: str
) -> None:
    rows = run_tables(trial=change) if table == "trials" else run_tables(call=change)
    found = failed(judged(*rows))
    assert list(found) == [(name, subject)], found
    (line,) = found[name, subject]
    assert line.startswith("trial t1, call t1-1: " if subject == "calls" else "trial t1: ")
    assert words in line


def test_a_status_of_our_own_making_fails() -> None:
    found = failed(judged(*run_tables(trial={"status": "odd", "error_kind": "reset"})))
    assert found["status_known", "trials"] == (
        "trial t1: status is 'odd'; right is one of success, failure, timeout, skipped",
    )
    assert found["counts_conserved", "runs"] == ("succeeded is 2 by the run and 1 by its rows",)


def test_a_skipped_trial_needs_its_reason() -> None:
    trials, calls = run_tables()
    trials[3]["error_message"] = None
    assert list(failed(judged(trials, calls))) == [("status_agrees_with_error", "trials")]


def test_a_trial_twice_is_found() -> None:
    trials, calls = run_tables()
    found = failed(judged([*trials, trials[3]], calls))
    assert found["planned_once", "trials"] == ("trial t3: stands in 2 rows; right is one",)
    assert found["counts_conserved", "runs"] == ("skipped is 1 by the run and 2 by its rows",)


def test_an_attempt_twice_and_a_call_of_nobody_are_found() -> None:
    trials, calls = run_tables()
    found = failed(judged(trials, [*calls, {**calls[3], "call_id": "again"}, {**calls[2], "trial_id": "nobody"}]))
    assert found["attempt_once", "calls"] == (
        "trial t2, call t2-2: attempt 2 stands more than once; one row per attempt",
        "trial t2, call again: attempt 2 stands more than once; one row per attempt",
    )
    assert found["trial_of_call_known", "calls"] == ("trial nobody, call t2-1: no row of trials has this trial_id",)
    assert found["calls_counted", "trials"] == ("trial t2: says 2 calls, has 3",)


def test_a_trial_that_nobody_planned_is_found() -> None:
    facts = ResultFacts({name: phase for name, phase in PLANNED.items() if name != "t1"})
    assert failed(judged(*run_tables(), facts)) == {("phase_as_planned", "trials"): ("trial t1: is not in the plan",)}


@pytest.mark.parametrize(("finished", "severity"), [(True, "critical"), (False, "warning")])
def test_a_missing_trial_contradicts_only_a_finished_run(*, finished: bool, severity: str) -> None:
    facts = ResultFacts({**PLANNED, "t4": "measured"}, {**COUNTS, "planned": 5, "not_started": 1}, finished=finished)
    checks = judged(*run_tables(), facts)
    (missing,) = [check for check in checks if not check.success]
    assert (missing.name, missing.severity, missing.unexpected) == ("planned_present", severity, 1)
    assert missing.failures[0].startswith("trial t4: planned, and in no row; ")


def test_a_stamp_beyond_a_floats_reach_is_still_exact() -> None:
    rows = run_tables()
    stamps = [name for name in CALLS.names if name.endswith("_ns") and name in CALL]
    rows[1][1] |= dict.fromkeys(stamps, 2**60) | {"closed_ns": 2**60 - 1}
    found = failed(judged(rows[0], rows[1][:2], ResultFacts(PLANNED)))
    assert len(found["stamps_monotone", "calls"]) == 2


def test_a_long_list_of_failures_is_cut_and_counted() -> None:
    facts = ResultFacts({f"t{n:04}": "measured" for n in range(1200)})
    (missing,) = [check for check in judged([], [], facts) if not check.success]
    assert (missing.unexpected, len(missing.failures)) == (1200, 1001)
    assert missing.failures[-1] == "and 200 more rows"


def test_an_empty_run_of_an_empty_plan_is_sound() -> None:
    assert failed(judged([], [], ResultFacts({}, dict.fromkeys(COUNTS, 0)))) == {}
    assert failed(judged([], [], ResultFacts({}))) == {}


def test_the_suite_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    judged(*run_tables())
    assert capfd.readouterr() == ("", "")


def test_a_cold_plan_that_was_served_from_the_cache_is_told() -> None:
    cached = run_tables(call={"tokens_in": 200, "tokens_cached": 128})
    found = judged(*cached, ResultFacts(PLANNED, COUNTS, cache="cold"))
    (check,) = [check for check in found if check.name == "cache_contamination"]
    assert (check.success, check.severity, check.observed, check.unexpected) == (False, "warning", 1, 1)
    assert check.failures == (
        "trial t1, call t1-1: 128 of 200 (64%) prompt tokens came from the provider's cache; the plan is cold",
    )
    for facts, call in (
        (ResultFacts(PLANNED, COUNTS, cache="cold"), {"tokens_in": 200, "tokens_cached": 0}),
        (ResultFacts(PLANNED, COUNTS, cache="cold"), {"tokens_in": 200, "tokens_cached": 128, "turn": 2}),
        (ResultFacts(PLANNED, COUNTS), {"tokens_in": 200, "tokens_cached": 128}),
    ):
        assert failed(judged(*run_tables(call=call), facts)) == {}


def test_a_warm_plan_that_never_hit_is_told_by_target() -> None:
    trials, calls = run_tables(call={"target": "alpha", "tokens_in": 200, "tokens_cached": 0})
    warm = ResultFacts(PLANNED, COUNTS, cache="warm")
    said = "target alpha: no measured answer was served from the provider's cache; the plan is warm"
    assert failed(judged(trials, calls, warm)) == {("cache_warm", "trials"): (said,)}
    calls[1]["tokens_cached"] = 128
    assert failed(judged(trials, calls, warm)) == {}


@pytest.mark.parametrize(("asked", "counted", "said"), [
    (1000, 1101, "the provider counts 1,101 prompt tokens, 1,000 were asked for"),
    (1000, 899, "multiply synthetic.calibration by 0.899"),
    (1000, 1100, None), (20, 44, None), (20, 46, "20 were asked for"), (1000, None, None), (None, 1101, None),
])  # fmt: skip
def test_a_prompt_of_another_size_is_told(asked: int | None, counted: int | None, said: str | None) -> None:
    trials, calls = run_tables(trial={"prompt_tokens_asked": asked}, call={"tokens_in": counted})
    found = failed(judged(trials, calls))
    assert list(found) == ([] if said is None else [("prompt_size", "calls")])
    assert said is None or said in found["prompt_size", "calls"][0]
