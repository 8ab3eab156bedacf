"""Ratios, scores and quantiles over cases: by hand, refusals, and how often an interval holds the truth."""

from __future__ import annotations

import random

import numpy as np
import pytest

from benchbook.stats.joint import (
    cases_needed,
    drawn,
    mean_of_shares,
    quantile_ratio,
    ratio,
    share_difference,
)


def test_a_ratio_by_hand() -> None:
    above, below = [4.0, 8, 4, 8, 6, 6], [10.0, 20, 10, 20, 15, 15]
    found = ratio(above, below)
    assert (found.cases, found.value, found.low, found.high) == (6, 0.4, pytest.approx(0.4), pytest.approx(0.4))
    wider = ratio([5.0, 7, 4, 8, 6, 6], below)
    assert wider.value == 0.4
    assert wider.low is not None
    assert wider.high is not None
    assert wider.low < 0.38 < 0.42 < wider.high
    assert wider.low * wider.high == pytest.approx(0.16), "the interval is of the log"


@pytest.mark.parametrize(
    ("above", "below", "why"),
    [
        ([], [], "nothing to divide by"),
        ([1.0] * 6, [0.0] * 6, "nothing to divide by"),
        ([1.0] * 5, [1.0] * 5, "needs 6 test cases, has 5"),
        ([0.0] * 6, [1.0] * 6, "it is 0"),
        ([0.0] * 5 + [1.0], [1.0] * 6, "one case holds all"),
    ],
)
def test_ratios_that_are_refused(above: list[float], below: list[float], why: str) -> None:
    found = ratio(above, below)
    assert found.refused is not None
    assert why in found.refused
    assert found.low is found.high is None


def test_scores_never_get_an_interval_of_no_width() -> None:
    ones = [1.0] * 40
    same = share_difference(ones, ones)
    assert same.value == 0
    assert same.high == pytest.approx(-(same.low or 0)) == pytest.approx(3.8415 / 43.8415, abs=1e-4)
    assert share_difference([0.5] * 40, [0.5] * 40, graded=True).high == same.high
    assert cases_needed(same, 0.03) is not None
    alone = mean_of_shares(ones, 400)
    assert alone.high == 1
    assert alone.low is not None
    assert alone.low < 0.93
    assert share_difference([1.0] * 5, [1.0] * 5).refused == "an interval needs 6 test cases, has 5"


def test_turning_a_difference_turns_its_sign() -> None:
    rng = random.Random(4)
    a, b = ([rng.choice([0.0, 1.0]) for _ in range(50)] for _ in range(2))
    forth, back = share_difference(a, b), share_difference(b, a)
    assert (back.value, back.low, back.high) == pytest.approx((-forth.value, -forth.high, -forth.low))  # type: ignore[operator]


def test_equivalence_is_rarely_claimed_of_what_differs_by_the_margin() -> None:
    """Of 40 and of 200 cases one side loses 3 in 100: without the floor a third of 40-case claims would be wrong."""
    rng = random.Random(7)
    for cases in (40, 200):
        claims = 0
        for _ in range(400):
            b = [float(rng.random() >= 0.03) for _ in range(cases)]
            found = share_difference([1.0] * cases, b)
            claims += found.low is not None and found.low > -0.03
        assert claims <= 0.05 * 400


def test_a_cost_ratio_holds_the_truth() -> None:
    rng, held = random.Random(8), 0
    for _ in range(300):
        base = [rng.lognormvariate(0, 0.6) for _ in range(20)]
        a, b = ([part * size * rng.lognormvariate(0, 0.2) for size in base] for part in (1.0, 0.4))
        found = ratio(b, a)
        held += (found.low or 9) <= 0.4 <= (found.high or 0)
    assert held >= 0.9 * 300


def test_a_quantile_ratio_against_repeated_values() -> None:
    """A case drawn twice is its values twice: weights against copies, by numpy."""
    from benchbook.stats.joint import _Ranked

    rng = np.random.default_rng(3)
    cases = [list(rng.lognormal(3, 1, size=rng.integers(1, 6))) for _ in range(9)]
    weights = rng.multinomial(9, np.full(9, 1 / 9), size=20).astype(float)
    for q in (0.5, 0.95):
        found = _Ranked.of(cases).quantiles(weights, q)
        for row, value in zip(weights, found, strict=True):
            copies = [v for case, times in zip(cases, row, strict=True) for v in case * int(times)]
            assert value == pytest.approx(np.quantile(np.log(copies), q))


def test_a_quantile_ratio() -> None:
    rng = random.Random(2)
    a = [[rng.lognormvariate(3, 0.3) for _ in range(5)] for _ in range(20)]
    b = [[1.5 * value for value in case] for case in a]
    found = quantile_ratio(*(drawn(side, 0.5, 7, 99) for side in (a, b)))
    assert (found.value, found.low, found.high) == pytest.approx((1.5, 1.5, 1.5)), "the same draws on both sides cancel"
    few = [drawn(side[:5], 0.5, 7, 99) for side in (a, b)]
    assert quantile_ratio(*few).refused == "an interval needs 6 test cases, has 5"
    assert "0 or less" in str(quantile_ratio(drawn([[0.0]] * 6, 0.5, 7, 99), drawn([[1.0]] * 6, 0.5, 7, 99)).refused)


def test_a_quantile_ratio_holds_the_truth() -> None:
    rng, held = random.Random(9), 0
    for seed in range(150):
        base = [rng.lognormvariate(0, 0.3) for _ in range(15)]
        a, b = ([[part * size * rng.lognormvariate(0, 0.3) for _ in range(5)] for size in base] for part in (1.0, 1.2))
        found = quantile_ratio(drawn(a, 0.5, seed, 199), drawn(b, 0.5, seed, 199))
        held += (found.low or 9) <= 1.2 <= (found.high or 0)
    assert held >= 0.93 * 150
