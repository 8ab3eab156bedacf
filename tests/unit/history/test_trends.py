"""Trends over stored runs: stretches, changes and whose they are, what does not count, and the hour of the day."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from benchbook.errors import UserError
from benchbook.history.trends import trend
from tests.unit.history.drawn import FIRST, course, history, run_name, stored, written


def one(results: Path, **asked: Any) -> dict[str, Any]:
    (row,) = [row for row in trend(results, **asked) if row["metric"] == "e2e_ms"]
    return row


def test_a_step_makes_two_stretches(tmp_path: Path) -> None:
    row = one(stored(tmp_path, course(1, 30, at=22, by=math.log(1.2))))
    first, second = row["segments"]
    assert (first["runs"], second["runs"], second["run_id"]) == (22, 8, run_name(22))
    assert (first["change"], first["attribution"]) == (None, None)
    assert second["change"] == pytest.approx(0.2, abs=0.03)
    assert (second["sense"], second["seen_run_id"]) == ("worse", run_name(24))
    assert first["value"] == pytest.approx(500, rel=0.02)
    assert [run["segment"] for run in row["runs"]] == [0] * 22 + [1] * 8
    assert row["spread"]["sd"] == pytest.approx(0.02, rel=0.5)
    assert (row["better"], row["scale"], row["by_hour"], row["withdrawn"]) == ("lower", "log", None, [])


def test_a_change_is_put_down_to_what_changed(tmp_path: Path) -> None:
    """Three steps: our commit at the run itself, nothing of ours, our lock one run early."""
    levels = [level + 0.3 * sum(at >= step for step in (22, 28, 34)) for at, level in enumerate(course(2, 40))]
    facts: dict[int, dict[str, Any]] = {22: {"git_commit": "beef000000"}, 28: {"served": "m-2"}, 33: {"lock_hash": "a"}}
    row = one(stored(tmp_path, levels, facts))
    told = [segment["attribution"] for segment in row["segments"][1:]]
    assert [(one["whose"], one["words"]) for one in told] == [
        ("ours", "what we changed: git commit c0ffee0000 -> beef000000"),
        ("provider", "the provider: model served m-1 -> m-2"),
        ("ours", "one run earlier, what we changed: lock none -> a"),
    ]


def test_runs_that_do_not_count_are_named(tmp_path: Path) -> None:
    kept = history(course(3, 12))
    for number, facts in ((4, {"verdict": "INVALID"}), (7, {"status": "interrupted"})):
        kept.rows["runs"][number] |= facts
    row = one(written(kept, tmp_path))
    assert len(row["runs"]) == 10
    assert row["left_out"] == [
        {"run_id": run_name(4), "why": "INVALID"},
        {"run_id": run_name(7), "why": "interrupted"},
    ]


def test_other_workloads_are_other_histories(tmp_path: Path) -> None:
    results = stored(tmp_path, course(4, 12), {6: {"workload_hash": "w2"}})
    rows = [row for row in trend(results) if row["metric"] == "e2e_ms"]
    assert [(row["workload_hash"], len(row["runs"])) for row in rows] == [("w1", 6), ("w2", 6)]


def test_since_shows_less_and_knows_all(tmp_path: Path) -> None:
    results = stored(tmp_path, course(1, 30, at=22, by=0.2))
    row = one(results, since=FIRST.replace(day=25))
    assert (len(row["runs"]), len(row["segments"])) == (6, 1)
    assert row["segments"][0]["change"] is not None


def test_the_hour_is_told_where_it_explains_much(tmp_path: Path) -> None:
    levels = [level + (0.3 if n % 3 == 1 else 0) for n, level in enumerate(course(5, 30))]
    row = one(written(history(levels, hours=(0, 6, 12)), tmp_path))
    assert row["by_hour"]["highest_hour"] == 14
    assert row["by_hour"]["share"] > 0.9
    assert one(stored(tmp_path / "other", course(5, 30)))["by_hour"] is None


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no stored run"):
        trend(tmp_path)
    results = stored(tmp_path, course(1, 3))
    with pytest.raises(UserError, match=r"gamma: no stored run asked this target.*alpha"):
        trend(results, target="gamma")
    with pytest.raises(UserError, match="no metric 'speed'"):
        trend(results, metrics=("speed",))
