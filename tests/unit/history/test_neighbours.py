"""Trials that are alike in time make a comparison's interval wider; the same trials in another order don't."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from benchbook.history import compare_runs
from benchbook.history.neighbours import Neighbours
from benchbook.history.values import Where
from benchbook.stats.alike import likeness
from benchmarks.histories_drawn import ar1
from tests.spec.sql.stored import Stored, run_row, trial_row

CASES = 10


def stored(results: Path, *, shuffled: bool) -> dict[str, list[float]]:
    """Runs a and b of 200 trials whose log times are alike by 0.7 in time; what was drawn, less the cases' medians.

    shuffled: the same trials of the same cases, begun in another order.
    """
    rng, rows, drawn = np.random.default_rng(1), Stored(), {}
    for run_id in ("a", "b"):
        noise = 0.3 * ar1(rng, (1, 200), 0.7)[0]
        begun = rng.permutation(200)
        rows.rows["runs"].append(run_row(run_id))
        for place in rng.permutation(200).tolist():  # rows are in no order of time
            took = math.exp(5 + 0.2 * (place % CASES) + noise[place])
            facts = {
                "test_id": f"c{place % CASES}",
                "e2e_ms": took,
                "started_ns": int(begun[place]) if shuffled else place,
            }
            rows.rows["trials"].append(trial_row(run_id, place, **facts))
        by_case = noise.reshape(-1, CASES)
        drawn[run_id] = (by_case - np.median(by_case, axis=0)).ravel().tolist()
    rows.write(results)
    return drawn


def test_what_trials_are_worth_is_found_in_order_of_start(tmp_path: Path) -> None:
    drawn = stored(tmp_path, shuffled=False)
    found = Neighbours.of(tmp_path, ("a", "b"))
    where = Where("alpha", "api")
    expected = [likeness(drawn[run_id]) for run_id in "ab"]
    assert all(one is not None and one.factor > 2 for one in expected)
    for run_id, one in zip("ab", expected, strict=True):
        assert one is not None
        assert found.factors[run_id, where, "e2e_ms"] == pytest.approx(one.factor)
    mean = found.inflation(((("a",), where), (("b",), where)), "e2e_ms")
    assert mean == pytest.approx(sum(one.factor for one in expected if one is not None) / 2)
    assert found.inflation(((("a",), where), (("b",), where)), "ttft_ms") == 1.0


def test_the_interval_is_wider_where_neighbours_are_alike(tmp_path: Path) -> None:
    widths, worth = {}, {}
    for shuffled in (True, False):
        stored(tmp_path / str(shuffled), shuffled=shuffled)
        row = next(row for row in compare_runs(tmp_path / str(shuffled), "a", "b") if row["metric"] == "e2e_ms")
        widths[shuffled] = math.log(row["prompts_high"] / row["prompts_low"])
        found = Neighbours.of(tmp_path / str(shuffled), ("a", "b")).factors.items()
        worth[shuffled] = sum(factor for (*_, metric), factor in found if metric == "e2e_ms") / 2
    assert worth[False] > 2 > 1.3 > worth[True] >= 1
    assert widths[False] / widths[True] == pytest.approx(math.sqrt(worth[False] / worth[True]))
