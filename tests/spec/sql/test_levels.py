"""Questions about runs as single observations against slow plain answers."""

from __future__ import annotations

import math
import random
import statistics
from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchbook.history import ask
from benchbook.metrics import LATENCY_METRICS
from benchbook.stats.proportions import student_t
from benchbook.stats.quantiles import quantile
from tests.spec.sql.plain import same
from tests.spec.sql.stored import Row, Stored, grouped, run_row, trial_row

AGENTS = ("agent", "multi_agent", "workflow")
LOG = (*LATENCY_METRICS, "wall_ms", "cost_usd", "model_ms", "tool_ms", "orchestration_ms")
CASE = ("dataset", "test_id")


def log_of(value: float) -> float | None:
    return math.log(value) if value > 0 else None


def values(rows: list[Row], metric: str) -> list[Row]:
    """Rows with the value in `x`: what counts for this metric."""
    if metric == "failure_share":
        return [{**row, "x": float(row["status"] != "success")} for row in rows if row["status"] != "skipped"]
    if metric in ("model_ms", "tool_ms", "orchestration_ms"):
        rows = [row for row in rows if row["workload"] in AGENTS]
    return [{**row, "x": row[metric]} for row in rows if row["status"] == "success" and row.get(metric) is not None]


def level(rows: list[Row], metric: str) -> Row:
    found = sorted(row["x"] for row in rows)
    cases = [[row["x"] for row in part] for part in grouped(rows, *CASE).values()]
    share = metric not in LOG
    by_case = [statistics.fmean(part) if share else log_of(statistics.median(part)) for part in cases]
    whole = all(one is not None for one in by_case)
    median = None if metric == "failure_share" else statistics.median(found)
    return {
        "scale": "share" if share else "log",
        "n": len(found),
        "cases": len(cases),
        "p50": median,
        "p95": None if metric == "failure_share" else quantile(found, 0.95).value,
        "level": statistics.fmean(found) if share or median is None else log_of(median),
        "case_level": statistics.fmean([one for one in by_case if one is not None]) if whole else None,
    }


def levels(stored: Stored) -> list[Row]:
    runs = {row["run_id"]: row for row in stored.rows["runs"]}
    answer = []
    for (run, target, workload), rows in grouped(stored.measured(), "run_id", "target", "workload").items():
        for metric in (*LOG, "score", "failure_share"):
            if found := values(rows, metric):
                key = {"run_id": run, "target": target, "workload": workload, "metric": metric}
                about = {name: runs[run][name] for name in ("started_at", "workload_hash", "verdict", "status")}
                answer.append({**key, **about, **level(found, metric)})
    names = ("run_id", "target", "workload", "metric")
    return sorted(answer, key=lambda row: tuple(row[name] for name in names))


def test_levels(history: tuple[Stored, Path]) -> None:
    stored, results = history
    expected = levels(stored)
    same(ask("levels", results), expected)
    assert {row["p95"] is None for row in expected if row["metric"] == "ttft_ms"} == {True, False}
    assert {row["scale"] for row in expected} == {"log", "share"}


def test_levels_of_agents_zeros_and_runs_that_count_for_nothing(tmp_path: Path) -> None:
    """A duration of 0 has no logarithm; what is INVALID or unfinished is there and says so."""
    stored = Stored()
    stored.rows["runs"] = [run_row("r1", verdict="INVALID"), run_row("r2", status="interrupted")]
    for run in ("r1", "r2"):
        for number in range(8):
            facts = {"model_ms": 80.0 + number, "tool_ms": 0.0, "orchestration_ms": 3.0, "workload": "agent"}
            stored.rows["trials"].append(trial_row(run, number, wall_ms=90.0, **facts))
        stored.rows["trials"].append(trial_row(run, 8, model_ms=5.0, wall_ms=5.0))
    results = stored.write(tmp_path)
    found = ask("levels", results)
    same(found, levels(stored))
    assert {(row["verdict"], row["status"]) for row in found} == {("INVALID", "finished"), ("VALID", "interrupted")}
    assert {row["level"] for row in found if row["metric"] == "tool_ms"} == {None}
    assert {row["workload"] for row in found if row["metric"] == "model_ms"} == {"agent"}


def test_fingerprints(history: tuple[Stored, Path]) -> None:
    stored, results = history
    for call in stored.rows["calls"]:
        assert call.get("model_served") is None
    found = ask("fingerprints", results)
    runs = {row["run_id"]: row for row in stored.rows["runs"]}
    expected = [
        {
            "run_id": run,
            "target": target,
            "started_at": runs[run]["started_at"],
            "workload_hash": "w1",
            "models": sorted({row["model"] for row in rows}),
            "price_date": "2026-11",
            "git_commit": None,
            "models_served": [],
        }
        for (run, target), rows in sorted(grouped(stored.rows["trials"], "run_id", "target").items())
    ]
    same(found, expected)


def test_fingerprints_hold_what_answers_said_of_themselves(tmp_path: Path) -> None:
    stored = Stored()
    stored.rows["runs"] = [run_row("r1", git_commit="abc", versions={"python": "3.11"}, plan="{}")]
    for number, (model, print_) in enumerate((("m-2", "fp_b"), ("m-1", None), ("m-2", "fp_a"))):
        stored.rows["trials"].append(trial_row("r1", number, price_date="2026-10"))
        call = {"run_id": "r1", "trial_id": f"t{number:04d}", "call_id": f"c{number}", "target": "alpha"}
        stored.rows["calls"].append(call | {"model_served": model, "system_fingerprint": print_})
    (row,) = ask("fingerprints", stored.write(tmp_path))
    assert (row["models_served"], row["system_fingerprints"]) == (["m-1", "m-2"], ["fp_a", "fp_b"])
    assert (row["git_commit"], dict(row["versions"]), row["price_date"]) == ("abc", {"python": "3.11"}, "2026-10")


@pytest.mark.parametrize("question", ["by_hour", "by_weekday"])
def test_levels_by_when_runs_began(tmp_path: Path, question: str) -> None:
    """`ask("by_hour")` and `ask("by_weekday")`: runs are the replicates, and three of them are needed."""
    column = question.removeprefix("by_")
    rng = random.Random(4)
    stored = Stored()
    for number in range(9):
        at = datetime(2026, 11, 16 + number % 2, 6 + number % 3 // 2, 30, tzinfo=UTC)
        verdict = "INVALID" if number == 8 else "VALID"
        stored.rows["runs"].append(run_row(f"r{number}", started_at=at, verdict=verdict))
        for case in range(3):
            stored.rows["trials"].append(
                trial_row(f"r{number}", case, e2e_ms=rng.lognormvariate(6, 0.3), score=rng.random())
            )
    results = stored.write(tmp_path)
    found = ask("by_hour", results) if question == "by_hour" else ask("by_weekday", results)
    fit = [row for row in ask("levels", results) if row["verdict"] == "VALID"]
    expected = []
    for metric in ("e2e_ms", "failure_share", "score"):
        rows = [row for row in fit if row["metric"] == metric]
        cells = grouped([{**row, column: when(row, column)} for row in rows], column)
        for (cell,), part in sorted(cells.items()):
            expected.append({"metric": metric, column: cell, **cell_of(part, rows)})
    same(found, expected)
    assert {row["refused"] for row in found} == ({None, "needs 3 runs, has 2"} if column == "hour" else {None})


def when(row: Row, column: str) -> int:
    return int(row["started_at"].hour if column == "hour" else row["started_at"].isoweekday())


def cell_of(part: list[Row], rows: list[Row]) -> Row:
    levels = [row["level"] for row in part]
    mean, enough = statistics.fmean(levels), len(levels) >= 3
    t = 4.302652729749462 if len(levels) == 3 else student_t(len(levels) - 1, 1.959963984540054)
    half = t * statistics.stdev(levels) / math.sqrt(len(levels)) if enough else math.nan
    unit = math.exp if part[0]["scale"] == "log" else float
    return {
        "runs": len(levels),
        "level": mean,
        "low": mean - half if enough else None,
        "value": unit(mean),
        "value_high": unit(mean + half) if enough else None,
        "away": mean - statistics.fmean(row["level"] for row in rows),
        "refused": None if enough else f"needs 3 runs, has {len(levels)}",
    }
