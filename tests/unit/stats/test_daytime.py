"""What the hour of a run's start explains, against scipy's analysis of variance; and levels against a named one."""

from __future__ import annotations

import random

import pytest
from scipy import stats

from benchbook.stats.against import off_level
from benchbook.stats.daytime import explained
from benchbook.stats.spread import between_runs


@pytest.mark.parametrize("by", [0.0, 0.05, 1.0])
def test_the_f_test_is_scipys(by: float) -> None:
    rng = random.Random(1)
    cells = {hour: [rng.gauss(by * (hour == 6), 0.1) for _ in range(3 + hour // 6)] for hour in (0, 6, 12)}
    cells[18] = [9.0, 9.0]  # two runs are no cell
    found = explained(cells)
    assert found is not None
    assert found.p == pytest.approx(stats.f_oneway(*(cells[hour] for hour in (0, 6, 12))).pvalue)
    assert (found.cells, found.runs, set(found.offsets)) == (3, 12, {0, 6, 12})
    assert found.share < 1
    if by == 1.0:
        assert found.share > 0.9
        assert max(found.offsets, key=lambda hour: found.offsets[hour]) == 6


def test_what_can_not_be_known_is_none() -> None:
    assert explained({}) is None
    assert explained({1: [1.0, 2.0, 3.0], 2: [1.0, 2.0]}) is None
    assert explained({1: [1.0] * 3, 2: [2.0] * 3}) is None


def test_runs_off_a_named_level() -> None:
    spread = between_runs([[0.0, 0.02, -0.02, 0.01]])
    near, far = (off_level(0.0, [by, by + 0.01, by - 0.01, 9.0], spread) for by in (0.01, 0.9))
    assert near is not None
    assert far is not None
    assert near > 0.1 > 0.001 > far
    assert off_level(0.0, [1.0, 1.0], spread) is None
    assert off_level(0.0, [1.0] * 3, None) is None
    assert off_level(0.0, [1.0] * 3, between_runs([[0.0, 0.0]])) == 0.0
