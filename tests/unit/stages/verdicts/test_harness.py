"""What the verdict makes of the harness's own record."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchbook.config import StoreSection
from benchbook.stages.verdicts import Loads, verdict
from tests.unit.stages.verdicts.evidence import EMPTY, SECOND_NS, judged, trials

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
    rows = trials(100, started_ns=late, ended_ns=late + SECOND_NS // 20)
    found = replace(EMPTY, trials=rows, load=Loads(open=True))
    assert [code for code, *_ in judged(found)] == ["schedule_lag"]
    held = replace(found, openings={"a": 3, "b": 1})
    assert judged(held) == [
        ("breaker_opened", "DEGRADED", 3.0, 0.0),
        ("breaker_opened", "DEGRADED", 1.0, 0.0),
    ]
    assert "a: its breaker opened 3 times and held trials back" in verdict(held, StoreSection()).sentences[0]
