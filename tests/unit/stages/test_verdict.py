"""The verdict is a table: facts in, word, codes and numbers out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from benchbook.config import StoreSection, VerdictSpec
from benchbook.records import Check
from benchbook.results.schemas import TABLES
from benchbook.stages.verdicts import CODES, Asked, Counts, Evidence, Loads, verdict

GOOD = Counts(10, 10, 0, 0, 0)
SECOND_NS = 1_000_000_000


def check(*, success: bool = False, severity: str = "critical", name: str = "latencies_ordered") -> Check:
    return Check("result", "calls", name, success, severity, 10, 0 if success else 3)


def table(name: str, columns: dict[str, Any], size: int) -> pa.Table:
    """A stored table with these columns (a plain value fills its column) and nulls elsewhere."""
    made = []
    for field in TABLES[name]:
        value = columns.get(field.name)
        filled = value if isinstance(value, list | np.ndarray) else [value] * size
        made.append(pa.array(filled, field.type))
    return pa.Table.from_arrays(made, schema=TABLES[name])


def trials(size: int = 0, **columns: Any) -> pa.Table:
    """Successes of 50 ms, one every 100 ms, started as intended."""
    at = np.arange(size, dtype=np.int64) * (SECOND_NS // 10)
    usual = {
        "run_id": "r",
        "trial_id": [f"t{i}" for i in range(size)],
        "dataset": "d",
        "test_id": "c0",
        "target": "a",
        "phase": "measured",
        "status": "success",
        "calls": 1,
        "prompt_sha256": "p0",
        "intended_ns": at,
        "started_ns": at,
        "ended_ns": at + SECOND_NS // 20,
        "wall_offset_ns": 7,
    }
    return table("trials", usual | columns, size)


def calls(size: int = 0, **columns: Any) -> pa.Table:
    """Answers of three chunks, twelve bytes and four tokens."""
    usual = {
        "run_id": "r",
        "trial_id": [f"t{i}" for i in range(size)],
        "call_id": [f"t{i}-1" for i in range(size)],
        "attempt": 1,
        "target": "a",
        "phase": "measured",
        "model_served": "m-1",
        "chunk_sizes": [[4, 4, 4]] * size,
        "chunk_kinds": [["text", "text", "text"]] * size,
        "tokens_out": 4,
        "finish_reason": "stop",
    }
    return table("calls", usual | columns, size)


EMPTY = Evidence(GOOD, [], trials(), calls())


def judged(evidence: Evidence = EMPTY, **limits: Any) -> list[tuple[str, str, float | None, float | None]]:
    """Code, severity, value and threshold of each reason; no quantile is asked for."""
    section = StoreSection(verdict=VerdictSpec(**{"quantile": None, **limits}))
    return [(one.code, one.severity, one.value, one.threshold) for one in verdict(evidence, section).reasons]


def codes(evidence: Evidence, **limits: Any) -> list[str]:
    return [code for code, *_ in judged(evidence, **limits)]


@pytest.mark.parametrize(
    ("counts", "checks", "share", "expected", "code", "said"),
    [
        (GOOD, [], 0.05, "VALID", None, ""),
        (GOOD, [check(success=True)], 0.05, "VALID", None, ""),
        (GOOD, [check()], 0.05, "INVALID", "check_failed", "latencies_ordered on calls failed (3 of 10)"),
        (GOOD, [check(name="counts_conserved")], 0.05, "INVALID", "counts_not_conserved", "3 of 10"),
        (GOOD, [check(severity="warning")], 0.05, "DEGRADED", "check_failed", "3 of 10"),
        (
            GOOD,
            [check(severity="warning", name="cache_contamination")],
            0.05,
            "DEGRADED",
            "cache_contamination",
            "3 of 10",
        ),
        (Counts(10, 9, 1, 0, 0), [], 0.05, "DEGRADED", "too_many_failures", "1 of 10 attempted"),
        (Counts(10, 9, 1, 0, 0), [], 0.10, "VALID", None, ""),
        (Counts(10, 9, 0, 1, 0), [], 0.05, "DEGRADED", "too_many_failures", "1 of 10 attempted"),
        (Counts(10, 8, 0, 0, 2), [], 0.05, "DEGRADED", "skipped", "2 of 10 planned trials were skipped"),
        (Counts(10, 8, 0, 0, 0), [], 0.05, "DEGRADED", "not_started", "2 of 10 planned trials were not started"),
        (Counts(10, 0, 10, 0, 0), [], 1.0, "INVALID", "nothing_measured", "no trial succeeded"),
        (Counts(10, 0, 0, 0, 10), [], 0.05, "INVALID", "nothing_measured", "no trial was attempted"),
    ],
)
def test_counts_and_checks(
    counts: Counts, checks: list[Check], share: float, expected: str, code: str | None, said: str
) -> None:
    found = verdict(replace(EMPTY, counts=counts, checks=checks), StoreSection(max_failure_share=share))
    assert found.word == expected
    assert [reason.code for reason in found.reasons[:1]] == ([code] if code else [])
    assert said in "; ".join(found.sentences)
    assert len(found.sentences) == len(found.reasons)


def test_the_gravest_comes_first_and_everything_is_listed() -> None:
    evidence = replace(EMPTY, counts=Counts(10, 5, 1, 1, 1), checks=[check(severity="warning"), check(name="other")])
    found = judged(evidence)
    assert [severity for _, severity, *_ in found] == ["INVALID", *["DEGRADED"] * 4]
    assert [code for code, *_ in found][1:] == ["check_failed", "too_many_failures", "not_started", "skipped"]


def test_a_reason_is_plain_data_with_a_place_to_look() -> None:
    reason = verdict(replace(EMPTY, counts=Counts(10, 9, 1, 0, 0)), StoreSection()).reasons[0]
    assert reason.fields() == {
        "code": "too_many_failures",
        "severity": "DEGRADED",
        "target": None,
        "value": 0.1,
        "threshold": 0.05,
        "look": "benchbook history errors",
    }


# ---------------------------------------------------------------- the harness

HARNESS = {
    "seconds": 60.0,
    "beats": 480.0,
    "loop_lag_p99_ms": 3.0,
    "loop_lag_max_ms": 9.0,
    "cpu_share": 0.5,
    "run_delay_share": 0.01,
    "steal_share": 0.0,
    "gc_pause_max_ms": 2.0,
    "clock_step_ms": 1.0,
}


@pytest.mark.parametrize(
    ("figure", "value", "code", "severity", "limit"),
    [
        ("loop_lag_p99_ms", 20.0, None, "", 20.0),
        ("loop_lag_p99_ms", 20.1, "loop_lag", "DEGRADED", 20.0),
        ("loop_lag_p99_ms", 101.0, "loop_lag", "INVALID", 20.0),
        ("cpu_share", 0.95, "cpu_saturated", "DEGRADED", 0.9),
        ("run_delay_share", 0.2, "run_delay", "DEGRADED", 0.1),
        ("run_delay_share", 0.6, "run_delay", "INVALID", 0.1),
        ("steal_share", 0.06, "cpu_steal", "DEGRADED", 0.05),
        ("gc_pause_max_ms", 80.0, "gc_pause", "DEGRADED", 50.0),
        ("clock_step_ms", -5000.0, "clock_stepped", "DEGRADED", 130.0),
        ("clock_step_ms", 129.0, None, "", 0.0),
    ],
)
def test_a_harness_at_its_limit(figure: str, value: float, code: str | None, severity: str, limit: float) -> None:
    found = judged(replace(EMPTY, harness=HARNESS | {figure: value}))
    assert found == ([(code, severity, abs(value), pytest.approx(limit))] if code else [])


def test_a_harness_without_a_record_or_with_less_than_a_second_says_nothing() -> None:
    assert judged(replace(EMPTY, harness=dict.fromkeys(HARNESS))) == []
    assert judged(replace(EMPTY, harness=HARNESS | {"seconds": 0.9, "cpu_share": 5.0})) == []
    assert judged(replace(EMPTY, harness=HARNESS | {"beats": 39.0, "loop_lag_p99_ms": 500.0})) == []


def test_a_limit_that_is_null_is_not_looked_at_and_a_factor_of_null_never_invalidates() -> None:
    late = replace(EMPTY, harness=HARNESS | {"loop_lag_p99_ms": 500.0})
    assert judged(late, loop_lag_p99_ms=None) == []
    assert judged(late, invalid_factor=None) == [("loop_lag", "DEGRADED", 500.0, 20.0)]


def test_a_worker_that_died_is_named() -> None:
    found = verdict(replace(EMPTY, dead_workers=["worker 1 (process 9)"]), StoreSection())
    assert found.sentences == ("worker 1 (process 9) ended without a word; what it had finished is kept",)


def test_a_profiled_run_is_degraded() -> None:
    assert judged(replace(EMPTY, profiled=True)) == [("profiled", "DEGRADED", None, None)]


def test_a_breaker_that_opened_is_named_and_its_targets_lag_is_not_the_harness() -> None:
    late = np.arange(100, dtype=np.int64) * (SECOND_NS // 10) + SECOND_NS * 30
    found = open_load(trials(100, started_ns=late, ended_ns=late + SECOND_NS // 20))
    assert [code for code, *_ in judged(found)] == ["schedule_lag"]
    held = replace(found, openings={"a": 3, "b": 1})
    assert judged(held) == [
        ("breaker_opened", "DEGRADED", 3.0, 0.0),
        ("breaker_opened", "DEGRADED", 1.0, 0.0),
    ]
    assert "a: its breaker opened 3 times and held trials back" in verdict(held, StoreSection()).sentences[0]


# ---------------------------------------------------------------- the load


def at_ns(seconds: Any) -> Any:
    return np.asarray(np.asarray(seconds, dtype=float) * SECOND_NS, dtype=np.int64)


def open_load(rows: pa.Table) -> Evidence:
    return replace(EMPTY, trials=rows, load=Loads(open=True))


def test_trials_that_start_late_turn_an_open_loop_and_not_a_closed_one() -> None:
    at = np.arange(200) / 10
    rows = trials(200, intended_ns=at_ns(at), started_ns=at_ns(at + 0.03), ended_ns=at_ns(at + 0.08))
    assert judged(open_load(rows)) == [("schedule_lag", "DEGRADED", pytest.approx(30), 10.0)]
    assert (
        judged(replace(open_load(rows), load=Loads(open=True, capped=True))) == []
    )  # they waited as they were told to
    assert judged(replace(EMPTY, trials=rows, load=Loads(slots=1), counts=GOOD), concurrency_shortfall=None) == []
    assert codes(open_load(trials(200))) == []
    later = trials(200, intended_ns=at_ns(at), started_ns=at_ns(at + 0.06), ended_ns=at_ns(at + 0.11))
    assert judged(open_load(later)) == [("schedule_lag", "INVALID", pytest.approx(60), 10.0)]


def test_a_rate_that_is_not_reached() -> None:
    at = np.arange(200) / 10
    rows = trials(200, intended_ns=at_ns(at), started_ns=at_ns(at * 1.25), ended_ns=at_ns(at * 1.25 + 0.05))
    found = judged(open_load(rows), schedule_lag_p99_ms=None)
    assert found == [("rate_not_reached", "DEGRADED", pytest.approx(0.2), 0.05)]
    half = trials(200, intended_ns=at_ns(at), started_ns=at_ns(at * 2), ended_ns=at_ns(at * 2 + 0.05))
    assert judged(open_load(half), schedule_lag_p99_ms=None)[0][1] == "INVALID"


def closed_load(busy_s: float, rest_s: float, slots: int = 4, turns: int = 50) -> Evidence:
    """Slots that work and rest in turn."""
    starts = np.sort(np.concatenate([n / 1000 + np.arange(turns) * (busy_s + rest_s) for n in range(slots)]))
    rows = trials(slots * turns, intended_ns=at_ns(starts), started_ns=at_ns(starts), ended_ns=at_ns(starts + busy_s))
    return replace(EMPTY, trials=rows, load=Loads(slots=slots))


def test_a_closed_loop_that_rests_between_trials_does_not_keep_its_concurrency() -> None:
    assert judged(closed_load(0.099, 0.001)) == []
    code, severity, value, limit = judged(closed_load(0.08, 0.02))[0]
    assert (code, severity, limit) == ("concurrency_not_reached", "DEGRADED", 0.05)
    assert value == pytest.approx(0.2, abs=0.01)
    paused = replace(closed_load(0.08, 0.02), load=Loads(slots=4, paused=True))
    assert judged(paused) == []


def test_a_short_closed_run_is_not_judged_by_its_concurrency() -> None:
    assert judged(closed_load(0.008, 0.002)) == []


def test_littles_law_fails_where_a_queue_builds_up_and_holds_where_it_does_not() -> None:
    start = np.arange(2000) / 40
    end = start + 0.5 + 4 * (np.arange(2000) / 2000) ** 2
    rows = trials(2000, intended_ns=at_ns(start), started_ns=at_ns(start), ended_ns=at_ns(end))
    assert codes(open_load(rows), little_law_gap=0.05) == ["little_law"]
    level = trials(2000, intended_ns=at_ns(start), started_ns=at_ns(start), ended_ns=at_ns(start + 0.5))
    assert codes(open_load(level), little_law_gap=0.05) == []
    assert codes(replace(open_load(rows), load=Loads(open=True, steady=False)), little_law_gap=0.05) == []


def test_sessions_apart_are_judged_apart_and_workers_together() -> None:
    """Two hours between two sessions are no time of the load; two workers' trials interleave."""
    at = np.arange(100) / 10
    both = np.concatenate([at, at])
    offsets = np.repeat(np.array([5, 5 + 7200 * SECOND_NS]), 100)
    rows = trials(200, intended_ns=at_ns(both), started_ns=at_ns(both), ended_ns=at_ns(both + 0.05))
    assert codes(open_load(with_column(rows, "wall_offset_ns", offsets))) == []
    half = closed_load(0.099, 0.001, slots=2, turns=100)
    together = replace(half, trials=with_column(half.trials, "wall_offset_ns", np.tile([5, 900], 100)))
    assert codes(replace(together, load=Loads(slots=2))) == []
    assert codes(replace(together, load=Loads(slots=4))) == ["concurrency_not_reached"]


def with_column(rows: pa.Table, name: str, values: Any) -> pa.Table:
    return rows.set_column(rows.schema.get_field_index(name), name, [values])


# ---------------------------------------------------------------- the answers


def answered(**columns: Any) -> Evidence:
    return replace(EMPTY, trials=trials(100), calls=calls(100, **columns), load=Loads(steady=False))


def some(count: int, odd: Any, usual: Any) -> list[Any]:
    return [odd] * count + [usual] * (100 - count)


@pytest.mark.parametrize(
    ("columns", "code", "value"),
    [
        ({"error_kind": some(1, "rate_limited", None)}, None, 0),
        ({"error_kind": some(2, "rate_limited", None)}, "throttled", 0.02),
        ({"tokens_out": some(2, 400, 4)}, "token_mismatch", 0.02),
        ({"tokens_out": some(2, 0, 4)}, "token_mismatch", 0.02),
        ({"tokens_out": some(50, None, 4)}, None, 0),
        ({"tokens_out": 400, "tokens_reasoning": 396}, None, 0),
        ({"chunk_kinds": [["reasoning", "text", "text"]] * 100, "tokens_reasoning": 2}, None, 0),
        ({"chunk_sizes": [[]] * 100, "chunk_kinds": [[]] * 100, "tokens_out": 400}, None, 0),
        ({"model_served": some(1, "m-2", "m-1")}, "endpoint_changed", 2),
        ({"system_fingerprint": some(30, "fp_b", "fp_a")}, "endpoint_changed", 2),
        ({"system_fingerprint": some(30, None, "fp_a")}, None, 0),
    ],
)
def test_what_came_back(columns: dict[str, Any], code: str | None, value: float) -> None:
    found = judged(answered(**columns))
    assert [one[0] for one in found] == ([code] if code else [])
    assert [one[2] for one in found] == ([pytest.approx(value)] if code else [])


@pytest.mark.parametrize(
    ("asked", "columns", "wrong"),
    [
        (Asked(most=4), {}, False),
        (Asked(most=3), {}, True),
        (Asked(most=9, fewest=9), {}, True),
        (Asked(most=4, fewest=4), {"finish_reason": "length"}, False),
        (Asked(most=9), {"finish_reason": "length"}, True),
        (Asked(most=9), {"finish_reason": "stop"}, False),
        (Asked(), {"finish_reason": "length"}, False),
    ],
)
def test_lengths_other_than_asked(asked: Asked, columns: dict[str, Any], wrong: bool) -> None:
    seen: list[tuple[str, str, str]] = []

    def of(*key: str) -> Asked:
        seen.append(key)  # type: ignore[arg-type]
        return asked

    assert codes(replace(answered(**columns), asked=of)) == (["wrong_output_length"] if wrong else [])
    assert seen == [("a", "d", "c0")]


def test_one_prompt_with_two_input_counts() -> None:
    rows = trials(100, tokens_in=some(1, 30, 20), prompt_sha256=some(50, "p1", "p2"))
    evidence = replace(EMPTY, trials=rows, load=Loads(steady=False))
    assert judged(evidence) == [("input_tokens_differ", "DEGRADED", pytest.approx(1 / 3), 0.05)]
    apart = replace(evidence, trials=trials(100, tokens_in=some(50, 30, 20), prompt_sha256=some(50, "p1", "p2")))
    assert judged(apart) == []
    retried = replace(evidence, trials=trials(100, tokens_in=some(50, 30, 20), calls=some(50, 2, 1)))
    assert judged(retried) == []


# ---------------------------------------------------------------- in order of time


def series(values: Any, metric: str = "ttft_ms") -> Evidence:
    size = len(values)
    order = np.random.default_rng(1).permutation(size)
    at = np.arange(size)[order] / 10
    rows = trials(size, **{metric: np.asarray(values)[order]}, intended_ns=at_ns(at), started_ns=at_ns(at))
    return replace(
        EMPTY, trials=rows.set_column(rows.schema.get_field_index("ended_ns"), "ended_ns", [at_ns(at + 0.05)])
    )


NOISE = np.random.default_rng(2).normal(200, 5, 500)


def test_drift_and_warm_up_are_found_in_order_of_start_and_not_of_rows() -> None:
    ramp = NOISE * (1 + 0.4 * np.arange(500) / 500)
    code, severity, value, limit = judged(series(ramp))[0]
    assert (code, severity, limit) == ("no_steady_state", "DEGRADED", 0.1)
    assert value == pytest.approx(0.33, abs=0.1)
    slow = np.concatenate([NOISE[:50] * 2, NOISE[50:]])
    assert codes(series(slow)) == ["warm_up_measured"]
    assert codes(series(NOISE)) == []
    assert codes(series(ramp, "e2e_ms")) == ["no_steady_state"]
    assert codes(series(ramp), drift=None) == []


def test_too_few_samples_for_the_wanted_quantile() -> None:
    assert judged(series(NOISE[:58]), quantile=0.95) == [("too_few_samples", "DEGRADED", 58.0, 59.0)]
    assert codes(series(NOISE[:59]), quantile=0.95) == []
    assert codes(series(NOISE[:298]), quantile=0.99) == ["too_few_samples"]


# ---------------------------------------------------------------- all of it


def test_every_code_is_given_somewhere_in_these_rooms() -> None:
    source = "".join(_source(module) for module in ("answers", "counts", "harness", "loads", "series"))
    assert {code for code in CODES if f'"{code}"' not in source} == set()


def _source(module: str) -> str:
    from importlib import import_module
    from inspect import getsource

    return getsource(import_module(f"benchbook.stages.verdicts.{module}"))


def large(size: int) -> Evidence:
    rng = np.random.default_rng(3)
    at = np.cumsum(rng.exponential(0.01, size))
    names = np.array([f"t{i}" for i in range(size)])
    target = np.array(["a", "b", "c", "d"])[np.arange(size) % 4]
    rows = trials(
        size,
        trial_id=names,
        target=target,
        test_id=np.array([f"c{i}" for i in range(50)])[np.arange(size) % 50],
        intended_ns=at_ns(at),
        started_ns=at_ns(at),
        ended_ns=at_ns(at + 0.2),
        tokens_in=np.full(size, 20),
        ttft_ms=rng.normal(200, 5, size),
        e2e_ms=rng.normal(900, 50, size),
    )
    return Evidence(GOOD, [], rows, calls(size, trial_id=names, target=target), Loads(open=True))


def test_no_row_is_visited_in_python() -> None:
    """Ten times the rows cost the plan's look-ups no call more: the work per row is Arrow's and numpy's."""
    seen: list[int] = []
    for size in (2_000, 20_000):
        asked: list[Any] = []
        watched: Callable[..., Asked] = lambda *key, of=asked: (of.append(key), Asked())[1]  # noqa: E731
        assert codes(replace(large(size), asked=watched)) == []
        seen.append(len(asked))
    assert seen[0] == seen[1]
