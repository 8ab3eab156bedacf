"""Think time: each law's numbers, one draw a seed."""

from __future__ import annotations

import statistics
from typing import Any

import pytest

from benchbook.schedules import think_ns

SEEDS = range(4_000)


@pytest.mark.parametrize(
    ("law", "median_s", "mean_s"),
    [
        ({"kind": "constant", "s": 1.5}, 1.5, 1.5),
        ({"kind": "uniform", "from_s": 1, "to_s": 3}, 2, 2),
        ({"kind": "exponential", "mean_s": 2}, 2 * 0.6931, 2),
        ({"kind": "lognormal", "median_s": 2, "sigma": 0.5}, 2, 2 * 1.1331),
        ({"kind": "exponential", "mean_s": 0}, 0, 0),
    ],
    ids=lambda law: law["kind"] if isinstance(law, dict) else None,
)
def test_the_law_of_pauses(law: dict[str, Any], median_s: float, mean_s: float) -> None:
    drawn = [think_ns(law, seed) / 1e9 for seed in SEEDS]
    assert statistics.median(drawn) == pytest.approx(median_s, rel=0.06)
    assert statistics.fmean(drawn) == pytest.approx(mean_s, rel=0.06)
    assert min(drawn) >= 0
    assert drawn == [think_ns(law, seed) / 1e9 for seed in SEEDS]
