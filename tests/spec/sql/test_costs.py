"""Questions about tokens and money against slow plain answers."""

from __future__ import annotations

import math
import statistics
from pathlib import Path

import pytest

from benchbook.errors import QueryError
from benchbook.history import ask
from benchbook.history.summaries import key
from benchbook.stats.joint import ratio
from tests.spec.sql.plain import in_order, same
from tests.spec.sql.stored import Row, Stored, grouped, run_row, trial_row


def over(rows: list[Row], above: str, below: str) -> float | None:
    both = [row for row in rows if row.get(above) is not None and row.get(below) is not None]
    total = sum(row[below] for row in both)
    return sum(row[above] for row in both) / total if total else None


def test_token_use(history: tuple[Stored, Path], tmp_path: Path) -> None:
    stored, _ = history
    for place, row in enumerate(stored.rows["trials"]):
        row["answer_chars"] = None if place % 5 == 0 else 100 + place % 7
        row["reference_chars"] = None if row["dataset"] == "e" else 50 + place % 3
        row["tokens_cached"] = None if place % 4 == 0 else place % 11
    results = stored.write(tmp_path)
    expected = []
    for (run, target, workload), rows in in_order(stored.measured(status="success"), "run_id", "target", "workload"):
        both = [row for row in rows if row["tokens_out"] is not None]
        told = [row for row in rows if row["answer_chars"] is not None and row["reference_chars"] is not None]
        known = {"run_id": run, "target": target, "workload": workload, "succeeded": len(rows)}
        known |= {"token_trials": len(both), "verbosity_trials": len(told), "reasoning_share": None}
        known |= {
            "tokens_in": statistics.fmean(row["tokens_in"] for row in rows),
            "tokens_out": statistics.fmean(row["tokens_out"] for row in both) if both else None,
            "output_per_input": over(rows, "tokens_out", "tokens_in"),
            "cached_share": over(rows, "tokens_cached", "tokens_in"),
            "verbosity": over(rows, "answer_chars", "reference_chars"),
        }
        expected.append(known)
    assert any(row["verbosity"] for row in expected)
    same(ask("token_use", results), expected)


def priced(tmp_path: Path) -> tuple[Stored, Path]:
    """Targets whose costs are all known, of five cases only, partly unknown, nothing, and of one case alone."""
    stored = Stored()
    stored.rows["runs"] = [run_row("r1")]
    for number in range(120):
        case, target = f"c{number % 8}", "abcde"[number // 24]
        cost: float | None = 0.001 * (1 + number % 8) + 1e-5 * number
        if target == "b":
            case = f"c{number % 5}"
        if target == "c" and number % 6 == 0:
            cost = None
        if target == "d" or (target == "e" and case != "c1"):
            cost = 0.0
        stored.rows["trials"].append(
            trial_row("r1", number, target=target, test_id=case, cost_usd=cost, price_date="2026-11-21")
        )
    stored.rows["trials"].append(trial_row("r1", 900, target="a", status="failure", cost_usd=9.0))
    return stored, stored.write(tmp_path)


def test_cost_at_volume(tmp_path: Path) -> None:
    stored, results = priced(tmp_path)
    expected = []
    for (target,), rows in in_order(stored.measured(status="success"), "target"):
        by_case = grouped(rows, "test_id").values()
        unknown = sum(row["cost_usd"] is None for row in rows)
        spent = [math.fsum(row["cost_usd"] or 0 for row in case) for case in by_case]
        found = ratio(spent, [len(case) for case in by_case])
        parts = (found.value, found.low, found.high)
        value, low, high = (None if part is None or unknown else 2e6 * part for part in parts)
        row = {"target": target, "cases": len(by_case), "trials": len(rows), "volume": 2e6, "price_date": "2026-11-21"}
        expected.append(row | {"monthly_usd": value, "cost_usd": None if unknown else found.value})
        close = [None if part is None else pytest.approx(part, rel=1e-4) for part in (low, high)]
        expected[-1] |= {"monthly_usd_low": close[0], "monthly_usd_high": close[1]}
    rows = ask("cost_at_volume", results, volume=2e6)
    same(rows, expected)
    assert [row["refused"] for row in rows] == [
        None,
        "an interval needs 6 test cases, has 5",
        "the cost of 4 of 24 trials is unknown",
        "nothing was paid",
        "one case holds all of it",
    ]
    assert ask("cost_at_volume", results)[0]["volume"] == 1e6
    with pytest.raises(QueryError):
        ask("cost_at_volume", results, volume=-1)


def test_a_kept_answer_is_of_its_own_volume() -> None:
    """What `aggregate` keeps at the usual volume is no answer to another one."""
    assert key("cost_at_volume", {}) == key("cost_at_volume", {"volume": 1e6})
    assert key("cost_at_volume", {}) != key("cost_at_volume", {"volume": 2e6})
    assert key("token_use", {}) == key("token_use", {"volume": 2e6})
