"""The questions behind a page's drawings against slow plain answers."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median_low

import pytest

from benchbook.history import ask
from benchbook.stats.proportions import wilson
from tests.spec.sql.agents import agents_history
from tests.spec.sql.plain import in_order, same
from tests.spec.sql.stored import Row, Stored
from tests.spec.sql.streamed import streamed

AGENTS = ("agent", "multi_agent", "workflow")
FAILED = ("failure", "timeout")


def at_ns(row: Row, name: str) -> int:
    return int(row[name] + (row["wall_offset_ns"] or 0))


def test_errors_by_time(history: tuple[Stored, Path]) -> None:
    stored, results = history
    expected = []
    tried = [row for row in stored.measured() if row["status"] != "skipped"]
    for (run,), of_run in in_order(tried, "run_id"):
        zero_ns = min(at_ns(row, "started_ns") for row in of_run)
        length_ns = max(at_ns(row, "ended_ns") for row in of_run) - zero_ns
        slices = max(1, min(24, len(of_run) // (5 * len({row["target"] for row in of_run}))))
        cut = [
            {**row, "slice": min(slices - 1, (at_ns(row, "ended_ns") - zero_ns) * slices // length_ns)}
            for row in of_run
        ]
        for (target, place), rows in in_order(cut, "target", "slice"):
            kinds = [row["error_kind"] or "unknown" for row in rows if row["status"] in FAILED]
            share = wilson(len(kinds), len(rows))
            expected.append(
                {"run_id": run, "target": target, "slice": place, "attempted": len(rows), "failed": len(kinds)}
                | {"from_s": place * length_ns / slices / 1e9, "to_s": (place + 1) * length_ns / slices / 1e9}
                | {
                    "failure_share": len(kinds) / len(rows),
                    "failure_share_low": share.low,
                    "failure_share_high": share.high,
                }
                | {"kinds": {kind: kinds.count(kind) for kind in sorted(set(kinds))}}
            )
    same(ask("errors_by_time", results), expected)
    assert any(row["kinds"] for row in expected)


def test_gap_tail(tmp_path: Path) -> None:
    stored = streamed(3)
    expected = []
    kept = [
        row
        for row in stored.rows["calls"]
        if row["phase"] == "measured" and row["error_kind"] is None and len(row["chunk_offsets_us"] or ()) > 1
    ]
    for (run, target), calls in in_order([row for row in kept if row["streamed"]], "run_id", "target"):
        at = [row["chunk_offsets_us"] for row in calls]
        longest_first = sorted((b - a for each in at for a, b in pairwise(each)), reverse=True)
        n = len(longest_first)
        for share in [10 ** (-i / 10) for i in range(61) if 10 ** (-i / 10) * n > 1] + [1 / n]:
            gap_us = longest_first[max(1, n - math.floor(n - share * n)) - 1]
            expected.append({"run_id": run, "target": target, "n": n, "share": share, "gap_ms": gap_us / 1e3})
    same(ask("gap_tail", stored.write(tmp_path)), expected)


def test_cost_quality(history: tuple[Stored, Path]) -> None:
    stored, results = history
    found = {(row["run_id"], row["target"], row["workload"]): row for row in ask("cost_quality", results)}
    tried = [row for row in stored.measured() if row["status"] != "skipped"]
    assert [*found] == [key for key, _ in in_order(tried, "run_id", "target", "workload")]
    for key, rows in in_order(tried, "run_id", "target", "workload"):
        answer = found[key]
        scored = [row for row in rows if row["status"] == "success" and row["score"] is not None]
        means = [fmean(row["score"] for row in case) for _, case in in_order(scored, "dataset", "test_id")]
        costs = [row["cost_usd"] for row in rows]
        assert answer["attempted"] == len(rows)
        assert (answer["cases"] or 0, answer["scored"] or 0) == (len(means), len(scored))
        assert answer["score"] == (pytest.approx(fmean(means)) if means else None)
        known = None not in costs
        assert answer["cost_usd_per_trial"] == (pytest.approx(math.fsum(costs) / len(costs)) if known else None)
        if len(means) < 6:
            assert answer["score_low"] is answer["score_high"] is None
        else:  # the spread between cases by Student's t, never narrower than all trials apart would be by much
            assert answer["score_low"] < answer["score"] < answer["score_high"]
    some = [row for row in found.values() if (row["cases"] or 0) >= 6]
    assert some
    assert all(0 <= row["score_low"] < row["score_high"] <= 1 for row in some)


def test_telling_trials(tmp_path: Path) -> None:
    stored, results = agents_history(4), tmp_path / "results"
    found = ask("telling_trials", stored.write(results))
    tried = [row for row in stored.measured() if row["status"] != "skipped" and row["workload"] in AGENTS]
    expected = {}
    for key, rows in in_order(
        [{**row, "team": row["team"] or ""} for row in tried], "run_id", "target", "workload", "team"
    ):
        for succeeded in (True, False):
            timed = [
                (r["wall_ms"], r["trial_id"]) for r in rows if (r["status"] == "success") is succeeded and r["wall_ms"]
            ]
            if timed and succeeded:
                expected[*key, "median"] = median_low(timed)[1]
            if timed and not (succeeded and max(timed) == median_low(timed)):
                expected[*key, "slowest" if succeeded else "failed"] = max(timed)[1]
    names = ("run_id", "target", "workload", "team", "which")
    assert {tuple(row[name] for name in names): row["trial_id"] for row in found} == expected
    assert {row["which"] for row in found} >= {"median", "slowest"}

    both = [row["trial_id"] for row in found[:2]]
    spans = ask("timeline", results, trial=",".join(both))
    assert {row["trial_id"] for row in spans} == {*both}
    assert len(spans) == sum(len(ask("timeline", results, trial=one)) for one in both)


def test_wall_curves(tmp_path: Path) -> None:
    stored = agents_history(4)
    tried = [row for row in stored.measured() if row["status"] != "skipped" and row["workload"] in AGENTS]
    expected = []
    for (run, target, workload), rows in in_order(tried, "run_id", "target", "workload"):
        walls = sorted(row["wall_ms"] for row in rows if row["status"] == "success" and row["wall_ms"] is not None)
        assert len(walls) <= 200
        for rank, wall_ms in enumerate(walls, 1):
            point = {"run_id": run, "target": target, "workload": workload, "metric": "wall_ms", "n": len(walls)}
            point |= {"rank": rank, "value": wall_ms, "share": rank / len(walls), "share_attempted": rank / len(rows)}
            expected.append(point)
    same(ask("wall_curves", stored.write(tmp_path)), expected)
