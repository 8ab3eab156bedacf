"""Trends over stored runs: stretches, changes and whose they are, what does not count, and the hour of the day."""

from __future__ import annotations

import math
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from benchbook.errors import UserError
from benchbook.history.series import Point, Series
from benchbook.history.trends import _by_hour, read, trend
from tests.unit.history.drawn import FIRST, course, history, run_name, stored, written


def one(results: Path, **asked: Any) -> dict[str, Any]:
    (row,) = [row for row in trend(results, **asked) if row["metric"] == "e2e_ms"]
    return row


@pytest.fixture(scope="module")
def stepped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty runs, a step of 20 % with the 23rd."""
    return stored(tmp_path_factory.mktemp("trends"), course(1, 30, at=22, by=math.log(1.2)))


def test_a_step_makes_two_stretches(stepped: Path) -> None:
    row = one(stepped)
    first, second = row["segments"]
    assert (first["runs"], second["runs"], second["run_id"]) == (22, 8, run_name(22))
    assert (first["change"], first["attribution"]) == (None, None)
    assert second["change"] == pytest.approx(0.2, abs=0.03)
    assert (second["sense"], second["seen_run_id"]) == ("worse", run_name(24))
    assert first["value"] == pytest.approx(500, rel=0.02)
    assert [run["segment"] for run in row["runs"]] == [0] * 22 + [1] * 8
    assert row["spread"]["sd"] == pytest.approx(0.02, rel=0.5)
    assert (row["better"], row["scale"], row["by_hour"], row["withdrawn"]) == ("lower", "log", None, [])


def test_since_shows_less_and_knows_all(stepped: Path) -> None:
    row = one(stepped, since=FIRST.replace(day=25))
    assert (len(row["runs"]), len(row["segments"])) == (6, 1)
    assert row["segments"][0]["change"] is not None


def test_a_change_is_put_down_to_what_changed(tmp_path: Path) -> None:
    """Three steps: our commit at the run itself, nothing of ours, our lock one run early."""
    levels = [level + 0.3 * sum(at >= step for step in (22, 28, 34)) for at, level in enumerate(course(2, 40))]
    facts: dict[int, dict[str, Any]] = {22: {"git_commit": "beef000000"}, 28: {"served": "m-2"}, 33: {"lock_hash": "a"}}
    row = one(stored(tmp_path, levels, facts))
    told = [segment["attribution"] for segment in row["segments"][1:]]
    assert [(one["whose"], one["words"]) for one in told] == [
        ("ours", "what we changed: git commit c0ffee0000 -> beef000000"),
        ("provider", "the provider: model served m-1 -> m-2"),
        ("ours", "one run earlier, what we changed: lock file none -> a"),
    ]


def test_what_does_not_count_is_named_and_other_workloads_are_other_histories(tmp_path: Path) -> None:
    kept = history(course(3, 12), {8: {"workload_hash": "w2"}})
    for number, facts in ((4, {"verdict": "INVALID"}), (7, {"status": "interrupted"})):
        kept.rows["runs"][number] |= facts
    first, second = [row for row in trend(written(kept, tmp_path)) if row["metric"] == "e2e_ms"]
    assert (first["workload_hash"], len(first["runs"])) == ("w1", 6)
    assert (second["workload_hash"], len(second["runs"])) == ("w2", 4)
    assert first["left_out"] == [
        {"run_id": run_name(4), "why": "INVALID"},
        {"run_id": run_name(7), "why": "interrupted"},
    ]


@pytest.mark.parametrize("levels", [[6.0], [6.0, 6.0], [6.0] * 9, [0.0] * 9, []], ids=str)
def test_thin_and_identical_histories(levels: list[float]) -> None:
    points = tuple(Point(run_name(n), FIRST, level, 1, 1) for n, level in enumerate(levels))
    found = read(Series("alpha", "api", "w1", "score", "share", points))
    assert (found.changes, found.spikes, _by_hour(found)) == ((), frozenset(), None)
    assert found.spread is None or found.spread.sd == 0
    assert (found.spread is None) is (len(levels) < 2)


def test_the_hour_is_told_where_it_explains_much() -> None:
    def told(by: float) -> dict[str, Any] | None:
        points = tuple(
            Point(run_name(n), FIRST + timedelta(days=n, hours=(0, 6, 12)[n % 3]), level + by * (n % 3 == 1), 6, 6)
            for n, level in enumerate(course(5, 30))
        )
        return _by_hour(read(Series("alpha", "api", "w1", "e2e_ms", "log", points)))

    assert told(0.0) is None
    row = told(0.3)
    assert row is not None
    assert (row["highest_hour"], row["hours"], row["runs"]) == (14, 3, 30)
    assert row["share"] > 0.9
    assert row["highest_change"] == pytest.approx(math.expm1(0.2), abs=0.02)


def test_what_is_not_there_is_refused(stepped: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no stored run"):
        trend(tmp_path)
    with pytest.raises(UserError, match=r"gamma: no stored run asked this target.*alpha"):
        trend(stepped, target="gamma")
    with pytest.raises(UserError, match="no metric 'speed'"):
        trend(tmp_path, metrics=("speed",))
