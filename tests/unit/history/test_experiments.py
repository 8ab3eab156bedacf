"""Experiments out of stored rows: differences by round, looks that hold, and what runs of the same teach."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest

from benchbook.history import ask
from benchbook.history.comparing import Held, compare_sides
from benchbook.history.experiments import Pair, differences, looks, rounds, settled
from benchbook.history.null_runs import nulls, realised, taught
from benchbook.history.recommending import recommendation
from benchbook.history.selecting import Side
from benchbook.history.series import AGAIN
from benchbook.reports.experiments import null_lines
from tests.spec.sql.stored import Stored, run_row, trial_row

PAIR = Pair("alpha", "beta")
PLAN = json.dumps({"sections": {"execute": {"targets": [{"name": "alpha"}, {"name": f"alpha{AGAIN}"}]}}})


def experiment(
    results: Path, factor: float, count: int, *, axis: str = "ab", b: str = "beta", drift: float = 0.1, **facts: Any
) -> list[str]:
    """Rounds whose level drifts as a whole, with B `factor` times A but for 1 %; every third trial of B is slower."""
    rng = random.Random(5)
    stored = Stored()
    runs = [f"{axis}{number:02d}" for number in range(1, count + 1)]
    for number, run_id in enumerate(runs, start=1):
        sweep = {"sweep_id": f"{axis}-1", "sweep_axis": axis, "sweep_value": float(number), "plan": PLAN}
        stored.rows["runs"].append(run_row(run_id, **{**sweep, **(facts if number == 1 else {})}))
        day = math.exp(rng.gauss(0, drift))
        for trial in range(48):
            target = ("alpha", b)[trial // 24]
            level = 200 * day * (factor * math.exp(rng.gauss(0, 0.01)) if target == b else 1)
            values = {name: level * math.exp(rng.gauss(0, 0.05)) for name in ("ttft_ms", "e2e_ms")}
            case = {"test_id": f"c{trial % 8}", "target": target, "cost_usd": 0.001, "wall_ms": 300.0}
            stored.rows["trials"].append(trial_row(run_id, trial, **case, **values))
    stored.write(results)
    return runs


def test_rounds_say_what_they_cost_and_how_far_b_lies_from_a(tmp_path: Path) -> None:
    runs = experiment(tmp_path, 1.2, 3)
    rows = rounds(tmp_path, runs, PAIR)
    assert [(row["round"], row["run_id"]) for row in rows] == [(1, "ab01"), (2, "ab02"), (3, "ab03")]
    for row in rows:
        assert row["spent_usd"] == pytest.approx(0.048)
        assert row["a"] == row["b"] == {"succeeded": 24, "attempted": 24}
        assert set(row["ratios"]) == {("api", "ttft_ms"), ("api", "e2e_ms")}
        assert row["ratios"]["api", "ttft_ms"] == pytest.approx(1.2, rel=0.06)
    levels = [row["p50"] for row in ask("levels", tmp_path) if (row["target"], row["metric"]) == ("alpha", "ttft_ms")]
    assert max(levels) / min(levels) > 1.1
    assert rounds(tmp_path, [], PAIR) == []
    assert set(differences(tmp_path, runs, Pair("alpha", "gamma"))["api", "ttft_ms"]) == set()


def test_a_difference_is_known_when_it_is_and_not_before(tmp_path: Path) -> None:
    runs = experiment(tmp_path, 1.2, 9)
    words = [settled(looks(tmp_path, runs[:count], PAIR)) for count in (1, 3, 9)]
    assert words[:2] == ["", ""]
    assert words[2].startswith("B differs from A: e2e_ms x 1.")
    sides = [Side(name, tuple(runs[:4]), name) for name in (PAIR.a, PAIR.b)]
    compared = {row["metric"]: row["verdict"] for row in compare_sides(tmp_path, *sides).rows if row["gated"]}
    assert (compared["ttft_ms"], compared["cost_usd"]) == ("CHANGED worse", "EQUIVALENT")
    found = {look.metric: look for look in looks(tmp_path, runs, PAIR)}
    assert 1 < (found["ttft_ms"].low or 0) < found["ttft_ms"].ratio < (found["ttft_ms"].high or 0) < 1.3


def test_the_same_is_called_alike_and_drift_of_whole_rounds_is_no_difference(tmp_path: Path) -> None:
    runs = experiment(tmp_path, 1.0, 12, drift=0.3)
    assert settled(looks(tmp_path, runs, PAIR, margin=0.05)) == "B is like A in e2e_ms, ttft_ms"
    assert settled(looks(tmp_path, runs, PAIR, margin=0.002)) == ""


def test_runs_of_the_same_teach_how_often_compare_cries_wolf(tmp_path: Path) -> None:
    runs = experiment(tmp_path, 1.0, 6, axis="aa", b=f"alpha{AGAIN}")
    first, second = tuple(runs[:3]), tuple(runs[3:6])
    assert [(a.runs, b.runs) for a, b in nulls("alpha", [*runs, "more"])] == [
        (first, first),
        (second, second),
        (first, second),
    ]
    found = realised(tmp_path, "alpha", "w1")
    assert found is not None
    assert (found["rounds"], found["experiments"], found["comparisons"], found["alarms"]) == (6, 1, 3, 0)
    assert found["low"] == 0 < found["high"] < 0.6
    assert 0.03 < found["spread"]["ttft_ms"]["sd"] < 0.25
    assert found["spread"]["ttft_ms"]["df"] == 5
    assert next(iter(null_lines(found))).startswith(
        "false alarms: 0 of 3 comparisons of the same (95 % 0 %\N{EN DASH}56 %)"
    )
    assert realised(tmp_path, f"alpha{AGAIN}", "w1") is None
    held = Held.of(tmp_path, runs, "w1")
    for a, b in nulls("alpha", runs):
        assert compare_sides(tmp_path, a, b, held=held) == compare_sides(tmp_path, a, b)
    assert {row["target"] for row in recommendation(tmp_path).rows} == {"alpha"}
    assert realised(tmp_path, "alpha", "w2") is None
    assert taught(tmp_path, runs[:1], ["alpha", f"alpha{AGAIN}", "gamma"]) == [found]
    assert taught(tmp_path, [], ["alpha"]) == []


def test_a_twin_that_is_none_raises_alarms_and_an_invalid_round_is_left_out(tmp_path: Path) -> None:
    experiment(tmp_path, 1.6, 4, axis="aa", b=f"alpha{AGAIN}", drift=0.001, verdict="INVALID")
    found = realised(tmp_path, "alpha", "w1")
    assert found is not None
    assert (found["rounds"], found["comparisons"]) == (3, 1)
    assert found["alarms"] == 1
