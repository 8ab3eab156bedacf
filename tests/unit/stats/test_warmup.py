"""MSER-5 against a slow plain answer, and the class of series whose law is known."""

from __future__ import annotations

import itertools
import math
import random
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau, theilslopes

from benchbook.stats.warmup import BATCH, LAST_BATCHES, NEEDED, marginal_errors, mser5, steadiness, trend

values = st.lists(st.integers(-1000, 1000), min_size=NEEDED, max_size=140)


def plain_mser5(series: list[float]) -> int | None:
    """As the paper words it: batch means, every truncation tried."""
    means = [statistics.fmean(series[at : at + 5]) for at in range(0, len(series) - 4, 5)]
    best, where = math.inf, 0
    for d in range(len(means) - LAST_BATCHES + 1):
        rest = means[d:]
        error = sum((value - statistics.fmean(rest)) ** 2 for value in rest) / len(rest) ** 2
        if error < best - 1e-9 * max(1.0, abs(best) if best < math.inf else 1.0):
            best, where = error, d
    return None if where > len(means) / 2 else where * BATCH


@settings(max_examples=40)
@given(values)
def test_mser5_is_the_plain_answer(series: list[int]) -> None:
    means = [statistics.fmean(series[at : at + 5]) for at in range(0, len(series) - 4, 5)]
    plain = [
        sum((value - statistics.fmean(means[d:])) ** 2 for value in means[d:]) / (len(means) - d) ** 2
        for d in range(len(means))
    ]
    assert marginal_errors(np.array(means)) == pytest.approx(plain, rel=1e-6, abs=1e-6)
    found = mser5(series).cut
    if found != plain_mser5([float(value) for value in series]):  # only where two truncations are equally good
        candidates = sorted(plain[: len(means) - LAST_BATCHES + 1])
        assert candidates[1] == pytest.approx(candidates[0], rel=1e-6, abs=1e-6)


@settings(max_examples=40)
@given(values, st.integers(-(10**6), 10**6), st.sampled_from([1, 2, 8]))
def test_neither_origin_nor_unit_moves_the_cut(series: list[int], shift: int, unit: int) -> None:
    assert mser5([unit * value + shift for value in series]) == mser5(series)


@pytest.mark.parametrize(("slow", "cut"), [(0, 0), (5, 5), (20, 20), (23, 25), (60, 60)])
def test_a_level_that_steps_down_is_cut_where_it_does(slow: int, cut: int) -> None:
    assert mser5([100.0] * slow + [10.0, 11.0] * ((200 - slow) // 2)).cut == cut


def test_a_series_that_never_settles_is_refused() -> None:
    found = mser5([float(value) for value in range(200)])
    assert found.cut is None
    assert found.refused is not None
    assert found.refused.startswith("no steady state")
    assert not steadiness([float(value) for value in range(200)]).settled


def test_too_few_values_are_refused() -> None:
    assert mser5([1.0] * 49).refused == "needs 50, has 49"
    assert steadiness([1.0] * 49).refused == "needs 50, has 49"
    assert steadiness([]).kind is None


@settings(max_examples=40)
@given(st.lists(st.integers(0, 20), min_size=3, max_size=32))
def test_trend_is_kendalls_and_theil_sens(series: list[int]) -> None:
    p, slope = trend(np.array(series, dtype=float))
    assert slope == pytest.approx(float(theilslopes(series).slope) * (len(series) - 1))
    pairs = itertools.combinations(series, 2)
    s = sum((later > earlier) - (later < earlier) for earlier, later in pairs)
    assert 0 <= p <= 1
    if s == 0:
        assert p == 1
    elif len(set(series)) > 1:
        assert math.copysign(1, s) == math.copysign(1, kendalltau(range(len(series)), series).statistic)


def test_the_trends_p_is_kendalls_normal_one_with_continuity() -> None:
    """n = 10, no ties, rising but for one pair: S = 43, variance 125."""
    p, _ = trend(np.array([1.0, 0, 2, 3, 4, 5, 6, 7, 8, 9]))
    assert p == pytest.approx(math.erfc(42 / math.sqrt(125) / math.sqrt(2)))


def noise(size: int, seed: int = 5) -> list[float]:
    rng = random.Random(seed)
    return [rng.gauss(200, 10) for _ in range(size)]


@pytest.mark.parametrize(
    ("series", "kind"),
    [
        (noise(300), "flat"),
        ([7.0] * 100, "flat"),
        ([0.0] * 100, "flat"),
        ([*[value + 100 for value in noise(40)], *noise(260)], "warm-up"),
        ([value * (1 + 0.3 * at / 300) for at, value in enumerate(noise(300))], "drifting"),
        ([value * (1 - 0.3 * at / 300) for at, value in enumerate(noise(300))], "drifting"),
        ([value * (1 + 0.02 * at / 300) for at, value in enumerate(noise(300))], "flat"),
    ],
)
def test_classes(series: list[float], kind: str) -> None:
    assert steadiness(series).kind == kind


def test_the_numbers_behind_a_class() -> None:
    warm = steadiness([*[value + 100 for value in noise(40)], *noise(260)])
    assert warm.cut in (40, 45)
    assert warm.warm_up == pytest.approx(0.5, abs=0.1)
    drift = steadiness([value * (1 + 0.3 * at / 300) for at, value in enumerate(noise(300))])
    assert drift.change == pytest.approx(0.26, abs=0.05)
    assert drift.p is not None
    assert drift.p < 0.01


def test_noise_is_seldom_called_anything_but_flat() -> None:
    """At alpha 0.01 for each of two tests, 300 series of noise: 6 expected at most, 20 are five sigma off."""
    rng = np.random.default_rng(11)
    kinds = [steadiness(rng.lognormal(5, 0.6, 200)).kind for _ in range(300)]
    assert kinds.count("flat") > 280
