"""Two sides of stored runs: sign, symmetry, evidence between runs, refusals, and what stands beside a number."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from benchbook.errors import EXIT_CANNOT_TELL, EXIT_DONE, EXIT_REGRESSION, UnknownRunError, UserError
from benchbook.history import compare_runs
from benchbook.history.comparing import Compared, compare_sides
from benchbook.history.rules import Rules, planned_rules
from benchbook.history.selecting import Side, select_side
from benchbook.metrics import AGENT_METRICS, COMPARED_P95
from benchbook.stats.verdicts import BETTER, CANNOT_TELL, EQUIVALENT, WORSE, Margins
from tests.spec.sql.stored import Stored, run_row, trial_row

START = datetime(2026, 11, 1, 8, tzinfo=UTC)
METRICS = ("ttft_ms", "e2e_ms", "tokens_per_s_user")
LATENCIES = [(m, what) for m in METRICS for what in ("median", "p95") if what == "median" or m in COMPARED_P95]


def add_run(
    stored: Stored,
    run_id: str,
    factors: Mapping[str, float],
    *,
    cases: int = 8,
    trials: int = 8,
    **facts: Any,
) -> None:
    """A run of these targets; `factors` move all their latencies. Equal seeds, so equal runs for equal factors."""
    facts = {"started_at": START + timedelta(days=len(stored.rows["runs"])), **facts}
    stored.rows["runs"].append(run_row(run_id, **facts))
    for target, factor in factors.items():
        rng = random.Random(9)
        for number in range(trials * cases):
            values = {metric: factor * rng.lognormvariate(3, 0.1) for metric in METRICS}
            values |= {"score": float(rng.random() < 0.7), "cost_usd": 0.001}
            case = {"test_id": f"c{number % cases}", "target": target}
            stored.rows["trials"].append(trial_row(run_id, number, **case, **values))


def history(tmp_path: Path, levels: Mapping[str, float], **facts: Any) -> Path:
    stored = Stored()
    for run_id, factor in levels.items():
        add_run(stored, run_id, {"alpha": factor}, **facts)
    return stored.write(tmp_path)


def two_runs(tmp_path: Path, factor: float = 1.0, cases: int = 8, **facts: Any) -> Path:
    """Run `b` is `a` with every latency times `factor`, and a few failures; `facts` go into b's row of runs."""
    stored = Stored()
    add_run(stored, "a", {"alpha": 1.0}, cases=cases)
    add_run(stored, "b", {"alpha": factor}, cases=cases, **facts)
    stored.rows["trials"] += [trial_row("b", 900 + i, status="failure", ttft_ms=1e9) for i in range(4)]
    stored.rows["trials"] += [trial_row("b", 990, phase="warmup", ttft_ms=1e9)]
    return stored.write(tmp_path)


def row_of(rows: Any, metric: str, what: str = "median", target: str = "alpha") -> Mapping[str, Any]:
    return next(r for r in rows if (r["metric"], r["statistic"], r["target"]) == (metric, what, target))


def compared(results: Path, a: str, b: str, **rules: Any) -> Compared:
    return compare_sides(results, select_side(results, a), select_side(results, b), Rules(**rules))


DRIFT = {"r1": 1.0, "r2": 1.02, "r3": 0.99, "r4": 1.01, "r5": 0.98, "r6": 1.0}


@pytest.fixture(scope="module")
def drifting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six runs that drift by 1 or 2 %, three that are slower by a third, and one more of the first kind."""
    return history(tmp_path_factory.mktemp("drifting"), {**DRIFT, "s1": 1.3, "s2": 1.33, "s3": 1.29, "x": 1.01})


def test_a_run_against_its_like(tmp_path: Path) -> None:
    rows = compare_runs(two_runs(tmp_path), "a", "b")
    assert [(row["metric"], row["statistic"]) for row in rows] == [
        *LATENCIES,
        ("score", "score"),
        ("failure_share", "failures"),
        ("cost_usd", "median"),
    ]
    for row in rows[: len(LATENCIES)]:
        assert (row["ratio"], row["sense"], row["n_a"], row["n_b"]) == (1, None, 64, 64)
        assert (row["failure_share_a"], row["failure_share_b"]) == (0, 4 / 68)
        assert row["verdict"] == (EQUIVALENT if row["statistic"] == "median" else row["verdict"])
    failures = row_of(rows, "failure_share", "failures")
    assert (failures["n_a"], failures["n_b"]) == (64, 68)
    assert failures["difference"] == pytest.approx(4 * (1 / 9) / 8)


def test_one_run_a_side_is_never_changed(tmp_path: Path) -> None:
    results = two_runs(tmp_path, factor=3.0)
    forth, back = compare_runs(results, "a", "b"), compare_runs(results, "b", "a")
    for row, other in zip(forth[: len(LATENCIES)], back, strict=False):
        assert row["ratio"] == pytest.approx(3.0)
        assert other["ratio"] == pytest.approx(1 / 3)
        assert row["verdict"] == other["verdict"] == CANNOT_TELL
        assert "at least 1 more run a side" in row["why"]
        more_is_better = row["metric"] == "tokens_per_s_user"
        assert (row["sense"], other["sense"]) == (("better", "worse") if more_is_better else ("worse", "better"))
    assert forth == compare_runs(results, "a", "b")


def test_stored_runs_are_the_evidence(drifting: Path) -> None:
    found = compared(drifting, "r6", "s1")
    ttft = row_of(found.rows, "ttft_ms")
    assert (ttft["gated"], ttft["spread"]["runs"]) == (True, 8)
    assert ttft["verdict"] == CANNOT_TELL  # the others hold two steps, so runs are known to differ by much
    assert ttft["more_runs"] is not None
    assert ttft["low"] < ttft["prompts_low"] <= ttft["ratio"] == pytest.approx(1.3)
    assert ttft["p_adjusted"] >= ttft["p_runs"]
    assert found.exit_code == EXIT_CANNOT_TELL


def test_sets_of_runs_are_replicates(drifting: Path) -> None:
    found = compared(drifting, "until=2026-11-06", "since=2026-11-07 until=2026-11-09")
    assert (found.a.runs, found.b.runs) == (("r1", "r2", "r3", "r4", "r5", "r6"), ("s1", "s2", "s3"))
    ttft = row_of(found.rows, "ttft_ms")
    assert (ttft["verdict"], ttft["runs_a"], ttft["runs_b"], ttft["spread"]["df"]) == (WORSE, 6, 3, 7)
    assert ttft["n_a"] == 6 * 64
    assert found.exit_code == EXIT_REGRESSION
    p95 = row_of(found.rows, "e2e_ms", "p95")
    assert p95["verdict"] == WORSE
    assert p95["difference_low"] < p95["difference"] == pytest.approx(p95["b"] - p95["a"])
    back = compared(drifting, "s1 s2 s3", "r1 r2 r3 r4 r5 r6", gate=("ttft_ms", "e2e_ms:p95"))
    assert [row["verdict"] for row in back.rows if row["gated"]] == [BETTER, BETTER]
    assert back.exit_code == EXIT_DONE


def test_an_open_verdict_says_how_many_runs_it_takes(tmp_path: Path) -> None:
    results = history(tmp_path, {"r1": 1.0, "r2": 1.2, "s1": 1.3, "s2": 1.1})
    row = row_of(compared(results, "r1 r2", "s1 s2").rows, "ttft_ms")
    assert (row["verdict"], row["why"]) == (CANNOT_TELL, f"needs about {row['more_runs']} more runs a side")
    assert row["more_runs"] > 1


def test_targets_of_one_run(tmp_path: Path) -> None:
    stored = Stored()
    for number, drift in enumerate((1.0, 1.4, 0.8, 1.2)):
        add_run(stored, f"r{number}", {"alpha": drift, "beta": drift * (1.2 + 0.005 * number)})
    results = stored.write(tmp_path)
    one = row_of(compared(results, "r3 target=alpha", "r3 target=beta").rows, "ttft_ms", target="alpha → beta")
    assert (one["verdict"], one["ratio"]) == (WORSE, pytest.approx(1.215))
    every = compared(results, "target=alpha", "target=beta")
    assert every.a.runs == every.b.runs == ("r0", "r1", "r2", "r3")
    assert row_of(every.rows, "ttft_ms", target="alpha → beta")["p_runs"] < 0.001
    overlapping = compared(results, "r0 r1 target=alpha", "r1 r2 target=beta")
    assert overlapping.a.runs == overlapping.b.runs == ("r1",)
    assert "left out" in overlapping.notes[0]
    with pytest.raises(UserError, match="run r3 is on both sides"):
        compared(results, "r3", "latest")
    with pytest.raises(UserError, match="2 runs are on both sides"):
        compared(results, "target=alpha", "target=alpha last=2")


def test_several_targets_are_one_comparison_each(tmp_path: Path) -> None:
    stored = Stored()
    add_run(stored, "a", {"alpha": 1.0, "beta": 1.0})
    add_run(stored, "b", {"beta": 1.0, "gamma": 1.0, "alpha": 1.0})
    found = compared(stored.write(tmp_path), "a", "b")
    assert {row["target"] for row in found.rows} == {"alpha", "beta"}
    assert found.notes == ("gamma (api) is in B only and left out",)
    with pytest.raises(UserError, match=r"nothing to hold against each other: A has alpha.*B has alpha.*gamma"):
        compare_sides(tmp_path, Side("", ("a",), "beta"), Side("", ("b",), "gamma", "chat"))


def test_invalid_and_unfinished_runs_carry_no_conclusion(tmp_path: Path) -> None:
    results = two_runs(tmp_path, verdict="INVALID")
    for row in compare_runs(results, "a", "b"):
        assert (row["verdict"], row["why"]) == (CANNOT_TELL, row["refused"] or "run b is INVALID")
    stored = Stored()
    for number in range(6):
        add_run(stored, f"r{number}", {"alpha": 1 + 0.01 * (number % 2)})
    add_run(stored, "bad", {"alpha": 9.0}, verdict="INVALID")
    add_run(stored, "cut", {"alpha": 9.0}, status="interrupted")
    results = stored.write(tmp_path / "more")
    found = compared(results, "r0 r1 bad cut", "r2 r3")
    assert found.a.runs == ("r0", "r1")
    assert found.notes == ("left out of A: bad (INVALID), cut (not finished (interrupted))",)
    ttft = row_of(found.rows, "ttft_ms")
    assert ttft["spread"]["runs"] == 6  # of stored runs those that count, too
    only = compared(results, "cut", "r3")
    assert {row["verdict"] for row in only.rows} == {CANNOT_TELL}
    assert "run cut is not finished (interrupted)" in {row["why"] for row in only.rows}
    assert only.exit_code == EXIT_CANNOT_TELL


@pytest.mark.parametrize(
    ("theirs", "why"), [("w2", "unlike workloads: what was asked of the targets differs"), (None, "b: its workload")]
)
def test_unlike_workloads_are_refused(tmp_path: Path, theirs: str | None, why: str) -> None:
    with pytest.raises(UserError, match=why):
        compare_runs(two_runs(tmp_path, workload_hash=theirs), "a", "b")


def test_of_mixed_workloads_those_are_taken_that_both_sides_have(tmp_path: Path) -> None:
    stored = Stored()
    for run_id, workload in (("r1", "w1"), ("r2", "w2"), ("r3", "w1"), ("r4", "w2"), ("r5", "w1")):
        add_run(stored, run_id, {"alpha": 1.0}, workload_hash=workload)
    found = compared(stored.write(tmp_path), "r1 r2 r3", "r4 r5")
    assert (found.a.runs, found.b.runs) == (("r1", "r3"), ("r5",))
    assert found.notes == (
        "1 run of A asked something else and is left out",
        "1 run of B asked something else and is left out",
    )


def test_too_few_cases(tmp_path: Path) -> None:
    row = row_of(compare_runs(two_runs(tmp_path, cases=5), "a", "b"), "ttft_ms")
    assert (row["word"], row["ratio"]) == ("CANNOT TELL: needs 6 paired cases, has 5", None)


def test_all_failures_on_one_side(tmp_path: Path) -> None:
    stored = Stored()
    for number in range(4):
        add_run(stored, f"r{number}", {"alpha": 1 + 0.01 * number})
    stored.rows["runs"].append(run_row("dead"))
    stored.rows["trials"] += [trial_row("dead", i, test_id=f"c{i % 8}", status="failure") for i in range(64)]
    found = compared(stored.write(tmp_path), "r3", "dead")
    ttft, failures = row_of(found.rows, "ttft_ms"), row_of(found.rows, "failure_share", "failures")
    assert (ttft["verdict"], ttft["why"], ttft["n_b"]) == (CANNOT_TELL, "no trial of B succeeded", 0)
    assert (failures["verdict"], failures["difference"], failures["spread"]["sd"]) == (WORSE, 1, 0)
    assert found.exit_code == EXIT_REGRESSION
    nothing = compared(tmp_path, "dead", "r3", gate=("failure_share",))
    assert nothing.exit_code == EXIT_DONE


def test_where_every_call_failed_on_both_sides_no_run_would_tell_more(tmp_path: Path) -> None:
    stored = Stored()
    for run_id in ("a", "b"):
        stored.rows["runs"].append(run_row(run_id))
        stored.rows["trials"] += [trial_row(run_id, i, test_id=f"c{i % 8}", status="failure") for i in range(64)]
    found = compared(stored.write(tmp_path), "a", "b")
    (row,) = found.rows
    assert (row["metric"], row["verdict"], row["more_runs"], row["difference"]) == (
        "failure_share",
        CANNOT_TELL,
        None,
        0,
    )
    assert row["why"] == "no trial of either side succeeded: more runs would tell nothing"
    assert found.exit_code == EXIT_CANNOT_TELL


def test_agents_are_compared_by_wall_time_and_its_parts(tmp_path: Path) -> None:
    stored = Stored()
    for run_id, factor in (("a", 1.0), ("b", 1.1)):
        stored.rows["runs"].append(run_row(run_id))
        for number in range(64):
            parts = {"wall_ms": 90.0 * factor, "model_ms": 60.0 * factor, "tool_ms": 0.0, "orchestration_ms": 30.0}
            case = {"test_id": f"c{number % 8}", "workload": "agent", "team": "solo"}
            stored.rows["trials"].append(trial_row(run_id, number, **case, **parts))
    rows = compare_runs(stored.write(tmp_path), "a", "b")
    assert [row["metric"] for row in rows if row["statistic"] == "median"] == list(AGENT_METRICS)
    assert row_of(rows, "wall_ms")["gated"]
    assert row_of(rows, "wall_ms")["ratio"] == pytest.approx(1.1)
    assert row_of(rows, "tool_ms")["verdict"] == EQUIVALENT  # all zero on both sides
    assert row_of(rows, "orchestration_ms")["ratio"] == 1


def test_gates_and_margins(drifting: Path) -> None:
    sides = ("r1 r2 r3", "s1 s2 s3")
    wide = compared(drifting, *sides, gate=("ttft_ms",), margins=Margins(median=0.7))
    assert wide.exit_code == EXIT_DONE
    assert [row["metric"] for row in wide.rows if row["gated"]] == ["ttft_ms"]
    with pytest.raises(UserError, match=r"--gate wall_ms: is no metric of these runs; one of .*ttft_ms"):
        compared(drifting, *sides, gate=("wall_ms",))


def test_the_plan_says_the_rules(tmp_path: Path) -> None:
    plan = '{"sections": {"aggregate": {"confidence": 0.9, "margin_median": 0.2, "gate": ["score"]}}}'
    results = two_runs(tmp_path, plan=plan)
    assert planned_rules(results, "b") == Rules(0.9, Margins(median=0.2), ("score",))
    assert planned_rules(results, "a") == Rules()


def test_what_differs_is_said(tmp_path: Path) -> None:
    targets = '[{"name": "alpha", "model": "m%d", "params": {"temperature": 0.0}}]'
    plan = '{"sections": {"execute": {"targets": %s}}, "prices": {"alpha": {"input": %d}}}'
    stored = Stored()
    add_run(stored, "a", {"alpha": 1.0}, git_commit="a" * 40, versions={"boto3": "1"}, plan=plan % (targets % 1, 3))
    add_run(stored, "b", {"alpha": 1.0}, git_commit="b" * 40, versions={"boto3": "1"}, plan=plan % (targets % 2, 4))
    served = {"call_id": "c", "target": "alpha", "model_requested": "m"}
    stored.rows["calls"] += [{"run_id": run_id, **served, "model_served": f"m-{run_id}"} for run_id in "ab"]
    found = compared(stored.write(tmp_path), "a", "b")
    assert found.differences == (
        {"what": "git commit", "a": "a" * 12, "b": "b" * 12},
        {"what": "model", "a": "m1", "b": "m2"},
        {"what": "price input", "a": "3", "b": "4"},
        {"what": "model served", "a": "m-a", "b": "m-b"},
    )


def test_unknown_runs(tmp_path: Path) -> None:
    with pytest.raises(UnknownRunError, match="no run 'z'"):
        compare_runs(two_runs(tmp_path), "a", "z")
