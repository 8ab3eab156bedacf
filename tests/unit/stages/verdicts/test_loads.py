"""What the verdict makes of a load: lag, rate, concurrency, Little's law."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from benchbook.stages.verdicts import Evidence, Loads
from tests.unit.stages.verdicts.evidence import EMPTY, GOOD, SECOND_NS, at_ns, codes, judged, trials, with_column


def open_load(rows: pa.Table) -> Evidence:
    return replace(EMPTY, trials=rows, load=Loads(open=True))


def test_trials_that_start_late_turn_an_open_loop_and_not_a_closed_one() -> None:
    at = np.arange(200) / 10
    rows = trials(200, intended_ns=at_ns(at), started_ns=at_ns(at + 0.03), ended_ns=at_ns(at + 0.08))
    assert judged(open_load(rows)) == [("schedule_lag", "DEGRADED", pytest.approx(30), 10.0)]
    waited_as_told = replace(open_load(rows), load=Loads(open=True, capped=True))
    assert judged(waited_as_told) == []
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


def test_legs_of_a_target_that_takes_turns_are_judged_apart_and_the_worst_one_speaks() -> None:
    """While another target has its turn nothing is in flight, and nothing is missing."""
    apart = closed_load(0.099, 0.001)
    waits = np.repeat([0, 60], 100) * SECOND_NS
    rows = apart.trials
    for name in ("intended_ns", "started_ns", "ended_ns"):
        rows = with_column(rows, name, rows[name].to_numpy() + waits)
    assert codes(replace(apart, trials=rows)) == ["concurrency_not_reached"]
    legs = with_column(with_column(rows, "block", np.zeros(200, int)), "block_place", np.repeat([0, 3], 100))
    assert codes(replace(apart, trials=legs)) == []
    at = np.concatenate([np.arange(100) / 10, 60 + np.arange(100) / 10])
    started = np.concatenate([np.arange(100) / 8, 60 + np.arange(100) / 7])
    late = trials(200, intended_ns=at_ns(at), started_ns=at_ns(started), ended_ns=at_ns(started + 0.05))
    late = with_column(with_column(late, "block", np.zeros(200, int)), "block_place", np.repeat([0, 3], 100))
    ((code, _, value, _),) = judged(open_load(late), schedule_lag_p99_ms=None)
    assert (code, value) == ("rate_not_reached", pytest.approx(0.3))
