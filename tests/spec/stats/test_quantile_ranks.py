"""Order-statistic intervals against every pair of ranks in exact fractions, and against scipy where both exist."""

from __future__ import annotations

import random
from fractions import Fraction
from math import comb

import pytest

from benchbook.stats.quantiles import interval_ranks, needs, quantile

QUANTILES = (0.5, 0.9, 0.95, 0.99)


def missed(n: int, q: Fraction) -> Fraction:
    """How often the smallest and the largest of n values miss the quantile."""
    return q**n + (1 - q) ** n


def brute(n: int, q: Fraction, confidence: Fraction) -> tuple[int, int] | None:
    """Every pair: enough coverage, then the shortest, then the most coverage, then the lowest."""
    below = [Fraction(0)]
    for k in range(n + 1):
        below.append(below[-1] + comb(n, k) * q**k * (1 - q) ** (n - k))
    pairs = [
        (high - low, -(below[high] - below[low]), low, high)
        for low in range(1, n + 1)
        for high in range(low + 1, n + 1)
        if below[high] - below[low] >= confidence
    ]
    return min(pairs)[2:] if pairs else None


@pytest.mark.parametrize("q", QUANTILES)
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_against_every_pair(q: float, confidence: float) -> None:
    for n in [*range(1, 32), 45, 59, 60, 73]:
        wanted = brute(n, Fraction(str(q)), Fraction(str(confidence)))
        assert interval_ranks(n, q, confidence) == wanted, n


@pytest.mark.parametrize(("q", "fewest"), [(0.5, 6), (0.9, 29), (0.95, 59), (0.99, 299), (0.999, 2995)])
def test_needs_are_the_published_ones(q: float, fewest: int) -> None:
    assert needs(q) == fewest
    assert interval_ranks(fewest - 1, q) is None
    low, high = interval_ranks(fewest, q) or (0, 0)
    assert 1 <= low < high <= fewest
    assert missed(fewest, Fraction(str(q))) <= Fraction(5, 100) < missed(fewest - 1, Fraction(str(q)))


@pytest.mark.parametrize(("q", "scipys"), [(0.5, 6), (0.9, 36), (0.95, 72), (0.99, 368)])
def test_against_scipy(q: float, scipys: int) -> None:
    """scipy takes equal tails, which need more values and may be wider; both hold the estimate, both cover."""
    import numpy as np
    from scipy.stats import quantile_test

    rng = np.random.default_rng(5)
    for n in (scipys, scipys + 40, 500):
        values = np.sort(rng.lognormal(size=n))
        theirs = quantile_test(values, q=values[n // 2], p=q).confidence_interval(0.95)
        assert np.isfinite(theirs.low)
        assert np.isfinite(theirs.high)
        ours = quantile(values.tolist(), q)
        assert ours.low is not None
        assert ours.high is not None
        theirs_width = np.searchsorted(values, theirs.high) - np.searchsorted(values, theirs.low)
        assert np.searchsorted(values, ours.high) - np.searchsorted(values, ours.low) <= theirs_width
        assert ours.low <= theirs.high
        assert theirs.low <= ours.high
    few = np.sort(rng.lognormal(size=scipys - 1))
    lacking = quantile_test(few, q=few[0], p=q).confidence_interval(0.95)
    assert np.isnan([lacking.low, lacking.high]).any()


@pytest.mark.parametrize("q", QUANTILES)
def test_a_million_values(q: float) -> None:
    from scipy.stats import binom

    n = 1_000_000
    low, high = interval_ranks(n, q) or (0, 0)
    assert binom.cdf(high - 1, n, q) - binom.cdf(low - 1, n, q) == pytest.approx(0.95, abs=1e-3)
    assert binom.cdf(high - 2, n, q) - binom.cdf(low - 1, n, q) < 0.95


@pytest.mark.parametrize(("q", "n"), [(0.5, 10), (0.95, 60), (0.9, 100)])
def test_the_interval_covers_as_often_as_it_says(q: float, n: int) -> None:
    rng = random.Random(11)
    covered = 0
    for _ in range(1_500):
        found = quantile([rng.random() for _ in range(n)], q)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= q <= found.high
    assert covered / 1_500 > 0.93
