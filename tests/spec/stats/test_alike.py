"""Likeness of neighbours: correlations against statsmodels, inflation against theory, p against its own level."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import rankdata
from statsmodels.tsa.stattools import acf

from benchbook.stats.alike import _ranks, correlations, likeness
from benchmarks.histories_drawn import ar1


def test_ranks_and_correlations_are_scipys_and_statsmodels() -> None:
    values = np.round(np.random.default_rng(1).lognormal(size=300), 1)  # with ties
    ranks = _ranks(values)
    assert ranks.tolist() == pytest.approx((rankdata(values) - 150.5).tolist())
    assert correlations(ranks).tolist() == pytest.approx(acf(ranks, nlags=99, fft=False).tolist())


@pytest.mark.parametrize("likely", [0.0, 0.3, 0.6, 0.8])
def test_the_inflation_is_that_of_an_autoregression(likely: float) -> None:
    """The variance of a mean of an AR(1) is (1 + r) / (1 - r) times that of independent values."""
    found = [likeness(np.exp(row)) for row in ar1(np.random.default_rng(2), (60, 1000), likely)]
    factors = [one.factor for one in found if one is not None]
    assert np.median(factors) == pytest.approx((1 + likely) / (1 - likely), rel=0.12)


def test_independent_values_are_called_alike_as_often_as_said() -> None:
    found = [likeness(row) for row in np.random.default_rng(3).standard_cauchy((2000, 60))]
    assert np.mean([one.p < 0.05 for one in found if one is not None]) == pytest.approx(0.05, abs=0.015)


@pytest.mark.parametrize("values", [[], [1.0] * 19, [2.0] * 50])
def test_too_few_and_equal_values_say_nothing(values: list[float]) -> None:
    assert likeness(values) is None
