"""Two stored runs: sign, symmetry, refusals, and what stands beside a ratio."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from benchbook.errors import UnknownRunError
from benchbook.history import compare_runs
from benchbook.metrics import LATENCY_METRICS
from tests.spec.sql.stored import Stored, run_row, trial_row


def two_runs(tmp_path: Path, factor: float = 1.0, cases: int = 8, noise: float = 0.0, **facts: Any) -> Path:
    """Run `b` is `a` with every value times `factor` and noise; `facts` go into b's row of runs."""
    rng = random.Random(9)
    stored = Stored()
    stored.rows["runs"] += [run_row("a"), run_row("b", **facts)]
    for number in range(4 * cases):
        values = {metric: rng.lognormvariate(3, 0.5) for metric in LATENCY_METRICS}
        case = {"test_id": f"c{number % cases}"}
        stored.rows["trials"].append(trial_row("a", number, **case, **values))
        scaled = {metric: factor * value * rng.lognormvariate(0, noise) for metric, value in values.items()}
        stored.rows["trials"].append(trial_row("b", number, **case, **scaled))
    stored.rows["trials"] += [trial_row("b", 900 + i, status="failure", ttft_ms=1e9) for i in range(4)]
    stored.rows["trials"] += [trial_row("b", 990, phase="warmup", ttft_ms=1e9)]
    return stored.write(tmp_path)


def row_of(rows: list[dict[str, Any]], metric: str, target: str = "alpha") -> dict[str, Any]:
    return next(row for row in rows if row["metric"] == metric and row["target"] == target)


def test_a_run_against_its_like(tmp_path: Path) -> None:
    rows = compare_runs(two_runs(tmp_path), "a", "b")
    assert [row["metric"] for row in rows] == list(LATENCY_METRICS)
    for row in rows:
        assert (row["ratio"], row["low"], row["high"], row["p"]) == (1, 1, 1, 1)
        assert row["word"] == "EQUIVALENT within 5 %"
        assert row["sense"] is None
        assert (row["cases"], row["n_a"], row["n_b"]) == (8, 32, 32)
        assert (row["failure_share_a"], row["failure_share_b"]) == (0, 4 / 36)


def test_sign_and_symmetry(tmp_path: Path) -> None:
    results = two_runs(tmp_path, factor=1.5)
    forth, back = compare_runs(results, "a", "b"), compare_runs(results, "b", "a")
    for row, other in zip(forth, back, strict=True):
        assert row["ratio"] == pytest.approx(1.5)
        assert other["ratio"] == pytest.approx(1 / 1.5)
        assert row["word"] == other["word"] == "CANNOT TELL: one run a side"
        more_is_better = row["metric"] == "tokens_per_s_user"
        assert row["better"] == ("higher" if more_is_better else "lower")
        assert row["sense"] == ("better" if more_is_better else "worse")
        assert other["sense"] == ("worse" if more_is_better else "better")
    assert forth == compare_runs(results, "a", "b")


def test_swapping_noisy_runs_inverts_the_interval(tmp_path: Path) -> None:
    results = two_runs(tmp_path, noise=0.3)
    for row, other in zip(compare_runs(results, "a", "b"), compare_runs(results, "b", "a"), strict=True):
        assert row["low"] < row["ratio"] < row["high"]
        assert (other["low"], other["high"]) == pytest.approx((1 / row["high"], 1 / row["low"]))
        assert (other["p"], other["word"]) == (row["p"], row["word"])


@pytest.mark.parametrize(("theirs", "why"), [("w2", "unlike workloads"), (None, "the workload of run b is unknown")])
def test_unlike_workloads_have_no_ratio(tmp_path: Path, theirs: str | None, why: str) -> None:
    rows = compare_runs(two_runs(tmp_path, workload_hash=theirs), "a", "b")
    assert len(rows) == len(LATENCY_METRICS)
    for row in rows:
        assert why in row["refused"]
        assert row["word"].startswith("CANNOT TELL: ")
        assert [row[name] for name in ("ratio", "low", "high", "p", "cliffs_delta", "sense")] == [None] * 6


def test_too_few_cases(tmp_path: Path) -> None:
    row = row_of(compare_runs(two_runs(tmp_path, cases=5), "a", "b"), "ttft_ms")
    assert row["word"] == "CANNOT TELL: needs 6 paired cases, has 5"
    assert row["ratio"] is None


def test_an_invalid_run_is_no_evidence(tmp_path: Path) -> None:
    row = row_of(compare_runs(two_runs(tmp_path, verdict="INVALID"), "a", "b"), "ttft_ms")
    assert (row["ratio"], row["verdict_b"]) == (1, "INVALID")
    assert row["word"] == "CANNOT TELL: run b is INVALID"


def test_a_target_of_one_side_only(tmp_path: Path) -> None:
    results = two_runs(tmp_path)
    stored = Stored()
    stored.rows["runs"].append(run_row("c"))
    stored.rows["trials"] = [trial_row("c", i, target="beta", ttft_ms=1.0) for i in range(9)]
    stored.write(results)
    rows = compare_runs(results, "a", "c")
    assert row_of(rows, "ttft_ms", "alpha")["refused"] == "run c has no measured trial of it"
    assert row_of(rows, "ttft_ms", "beta")["refused"] == "run a has no measured trial of it"
    assert row_of(rows, "ttft_ms", "beta")["n_b"] == 9


def test_unknown_runs(tmp_path: Path) -> None:
    with pytest.raises(UnknownRunError, match="no run 'z'"):
        compare_runs(two_runs(tmp_path), "a", "z")
