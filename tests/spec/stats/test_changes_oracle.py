"""Change points against apache-otava's answers on fixed series, as `ask_otava.py` has stored them."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from benchbook.stats.changes import _furthest, change_points

HERE = Path(__file__).parent
ANSWERS: dict[str, Any] = json.loads((HERE / "otava_answers.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("row", ANSWERS["series"], ids=lambda row: row["name"])
def test_changes_are_where_otava_has_them(row: dict[str, Any]) -> None:
    found = [change.index for change in change_points(row["levels"])]
    assert len(found) == len(row["otava"])
    assert all(abs(ours - theirs) <= 1 for ours, theirs in zip(found, row["otava"], strict=True))


def test_the_stored_series_are_those_that_the_script_draws() -> None:
    spec = importlib.util.spec_from_file_location("ask_otava", HERE / "ask_otava.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    drawn = [script.series(seed, course) for seed, course in enumerate(script.COURSES.values())]
    assert [row["levels"] for row in ANSWERS["series"]] == drawn
    assert [row["name"] for row in ANSWERS["series"]] == list(script.COURSES)


@pytest.mark.parametrize("seed", range(5))
def test_the_furthest_split_against_every_split_by_the_book(seed: int) -> None:
    """The weighed energy distance with exponent 1, as sums over pairs (Matteson & James)."""
    import random

    import numpy as np

    rng = random.Random(seed)
    levels = [rng.gauss(0, 1) + 2 * (at >= 9) for at in range(16)]

    def mean_apart(pairs: list[tuple[float, float]]) -> float:
        return sum(abs(x - y) for x, y in pairs) / len(pairs)

    def weighed(at: int) -> float:
        older, newer = levels[:at], levels[at:]
        within = [[(x, y) for i, x in enumerate(side) for y in side[i + 1 :]] for side in (older, newer)]
        across = [(x, y) for x in older for y in newer]
        distance = 2 * mean_apart(across) - mean_apart(within[0]) - mean_apart(within[1])
        return len(older) * len(newer) / len(levels) * distance

    assert _furthest(np.array(levels)) == max(range(3, 14), key=weighed)
