"""The question about pass^k and pass@k against the slow plain answer."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from benchbook.history import ask
from benchbook.stats.passes import PassRate, pass_at_k, pass_hat_k
from tests.spec.sql.plain import same
from tests.spec.sql.stored import Row, Stored, generated, grouped, run_row, trial_row


def passes(stored: Stored) -> list[Row]:
    parts = grouped(stored.rows["scores"], "run_id", "trial_id")
    tried = [
        {**row, "team": row.get("team") or "", "parts": parts.get((row["run_id"], row["trial_id"]), [])}
        for row in stored.measured()
        if row["status"] != "skipped"
    ]
    answered = grouped(tried, "run_id", "workload", "dataset", "test_id")
    datasets = grouped(tried, "run_id", "workload", "dataset")
    found = []
    for key, rows in sorted(grouped(tried, "run_id", "target", "workload", "team").items()):
        run, _, workload, _ = key
        cases = []
        for (dataset, test_id), own in sorted(grouped(rows, "dataset", "test_id").items()):
            same_case = answered[run, workload, dataset, test_id]
            others = datasets[run, workload, dataset]
            judged = any(row["parts"] for row in same_case)
            silent = all(row["status"] != "success" for row in same_case)
            if judged or (silent and any(row["parts"] for row in others)):
                cases.append((len(own), sum(passed(row) for row in own)))
        if cases:
            most = max(n for n, _ in cases)
            found += [answer(key, cases, k) for k in range(1, max(2, min(10, most)) + 1)]
    return found


def passed(row: Row) -> bool:
    return row["status"] == "success" and bool(row["parts"]) and all(part["passed"] for part in row["parts"])


def answer(key: tuple[str, ...], cases: list[tuple[int, int]], k: int) -> Row:
    every, one = pass_hat_k(cases, k), pass_at_k(cases, k)
    made: Row = dict(zip(("run_id", "target", "workload", "team"), key, strict=True))
    made |= {"k": k, "cases": len(cases), "trials": sum(n for n, _ in cases), "passed": sum(c for _, c in cases)}
    made |= {"repetitions_least": min(n for n, _ in cases), "repetitions_most": max(n for n, _ in cases)}
    for name, rate in (("pass_hat_k", every), ("pass_at_k", one)):
        made |= {name: rate.share, f"{name}_low": rate.low, f"{name}_high": rate.high}
    return made | {"refused": every.refused}


@pytest.mark.parametrize("seed", [1, 2])
def test_passes_of_any_history(tmp_path: Path, seed: int) -> None:
    stored = generated(seed)
    found = ask("pass_k", stored.write(tmp_path / "results"))
    expected = passes(stored)
    same(found, expected)
    assert all(row.keys() == wanted.keys() for row, wanted in zip(found, expected, strict=True))


def test_passes_of_a_plan_with_repetitions(tmp_path: Path) -> None:
    """Teams apart, several scorers a trial, a case that always fails, a dataset that nobody judges."""
    rng, stored = random.Random(7), Stored()
    stored.rows["runs"].append(run_row("r1"))
    number = 0
    for workload, team, repetitions in (("api", "", 1), ("agent", "solo", 4), ("multi_agent", "duo", 4)):
        for case in range(9):
            for repetition in range(repetitions):
                number += 1
                facts: Row = {"workload": workload, "team": team, "test_id": f"c{case}", "repetition": repetition}
                facts["dataset"] = "plain" if case == 8 else "d"
                facts["status"] = "failure" if case == 3 or rng.random() < 0.1 else "success"
                stored.rows["trials"].append(trial_row("r1", number, **facts))
                if case != 8 and facts["status"] == "success":
                    for scorer in ("contains", "steps")[: 1 + case % 2]:
                        score = {"run_id": "r1", "trial_id": f"t{number:04d}", "scorer": scorer, "value": 0.5}
                        stored.rows["scores"].append(score | {"passed": rng.random() < 0.8})
    found = ask("pass_k", stored.write(tmp_path / "results"))
    same(found, passes(stored))
    alone = {(row["workload"], row["k"]): row for row in found}
    assert alone["api", 2]["refused"] == "needs 2 repetitions of each test case, has 1"
    assert alone["agent", 4]["cases"] == 8
    assert alone["agent", 4]["pass_hat_k"] < alone["agent", 1]["pass_hat_k"] < alone["agent", 4]["pass_at_k"]
    assert alone["agent", 1]["pass_hat_k"] == pytest.approx(alone["agent", 1]["pass_at_k"])
    assert PassRate(1, 0, 0).share is None
