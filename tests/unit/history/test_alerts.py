"""Alerts out of stored runs: their states, ids that stay, the replay, and what stands beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchbook.history.alerts import _found, alerts, exit_code
from benchbook.history.series import Point, Series
from benchbook.history.trends import read
from benchbook.results.baselines import Baseline
from tests.unit.history.drawn import FIRST, add_run, course, history, run_name, written


def series_of(levels: list[float], metric: str = "e2e_ms") -> Series:
    points = tuple(Point(run_name(n), FIRST, level, 6, 6) for n, level in enumerate(levels))
    return Series("alpha", "api", "w1", metric, "log", points)


def found(levels: list[float], *named: str) -> list[Any]:
    baselines = [Baseline("prod", "alpha", "set", run, "2026-09-01T00:00:00Z", 1) for run in named]
    return _found(read(series_of(levels)), baselines)


def test_an_alert_is_new_then_confirmed_then_resolved() -> None:
    levels = course(1, 34, at=22, by=0.2)
    levels[29:] = [level - 0.2 for level in levels[29:]]
    states = [(runs, *[(one.state, one.by) for one in found(levels[:runs])]) for runs in (24, 25, 26, 28, 32, 34)]
    assert states == [
        (24,),
        (25, ("new", None)),
        (26, ("confirmed", 25)),
        (28, ("confirmed", 25)),
        (32, ("resolved", 31), ("new", None)),
        (34, ("resolved", 31), ("confirmed", 32)),
    ]
    worse, better = found(levels)
    assert (worse.since, worse.seen, better.since, better.seen) == (22, 24, 29, 31)
    assert worse.why == "the level came back"


def test_a_repeat_that_lies_at_the_old_level_confirms_nothing() -> None:
    levels = course(1, 25, at=22, by=0.2)
    (one,) = found([*levels, levels[0]])
    assert one.state == "new"


def test_what_later_runs_take_back_is_resolved() -> None:
    levels = course(1, 40)
    levels[22:25] = [level + 0.12 for level in levels[22:25]]
    assert found(levels[:25])
    assert {one.state for one in found(levels) if one.after > one.before} == {"resolved"}


def test_changes_within_the_margin_are_not_told() -> None:
    levels = [level / 4 for level in course(1, 60, at=30, by=0.16)]  # 4 % with a spread of 0.5 %
    assert read(series_of(levels)).stands
    assert found(levels) == []


def test_a_baseline_set_at_the_new_level_accepts_it() -> None:
    levels = course(1, 34, at=22, by=0.2)
    (one,) = found(levels, run_name(28))
    assert (one.state, one.by, one.why) == ("resolved", 28, "accepted: baseline prod")
    (one,) = found(levels, run_name(10))
    assert one.state == "confirmed"


def test_a_level_that_creeps_off_its_baseline_is_told() -> None:
    levels = [level + 0.004 * n for n, level in enumerate(course(7, 40))]
    told = found(levels, run_name(3))
    assert any(one.after > one.before and one.state == "confirmed" for one in told)
    assert found(course(7, 40), run_name(3)) == []
    assert found(course(7, 40), "elsewhere") == []


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """alpha gets worse with a commit, beta better with nothing of ours; the plan is a file."""
    kept = history(
        course(1, 28, at=22, by=0.2), {0: {"plan": '{"source": "plans/quick.yaml"}'}, 22: {"git_commit": "b"}}
    )
    for number, level in enumerate(course(2, 28, at=20, by=-0.3)):
        add_run(kept, run_name(number), level, {}, target="beta")
    return written(kept, tmp_path_factory.mktemp("alerts"))


def test_rows_of_alerts(stored: Path) -> None:
    worse, better = alerts(stored)
    assert (worse["target"], worse["sense"], worse["state"]) == ("alpha", "worse", "confirmed")
    assert (worse["run_id"], worse["seen_run_id"], worse["confirmed_by"]) == (run_name(22), run_name(24), run_name(25))
    assert worse["change"] == pytest.approx(0.22, abs=0.03)
    assert worse["attribution"]["words"] == "what we changed: git commit c0ffee0000 -> b"
    assert worse["repeat"] == f"benchbook run --plan plans/quick.yaml --results {stored}"
    assert worse["realised"] is None
    assert worse["spread"]["sd"] == pytest.approx(0.02, rel=0.5)
    assert (better["target"], better["sense"]) == ("beta", "better")
    assert exit_code([worse, better]) == 3
    assert exit_code([better]) == 0
    assert exit_code([worse | {"state": "resolved"}]) == 0
    assert alerts(stored, target="beta") == [better]
