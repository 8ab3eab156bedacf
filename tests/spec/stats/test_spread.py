"""The spread between runs, against an analysis of variance, and against draws whose spread is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.regression.linear_model import OLS

from benchbook.stats.spread import between_runs, sd_interval, spread_of, stretches, successive

GROUPS = ([1.0, 1.2, 0.9], [2.0, 2.1], [5.0], [3.3, 3.1, 3.0, 3.4])


def test_pooling_is_the_residual_of_an_analysis_of_variance() -> None:
    found = between_runs(GROUPS)
    values = np.concatenate(GROUPS)
    of = np.repeat(np.arange(len(GROUPS)), [len(group) for group in GROUPS])
    fitted = OLS(values, np.eye(len(GROUPS))[of]).fit()
    assert found is not None
    assert (found.sd, found.df) == (pytest.approx(math.sqrt(fitted.mse_resid)), fitted.df_resid)
    assert found.runs == 10


@pytest.mark.parametrize("groups", [[], [[]], [[1.0]], [[1.0], [2.0], []]])
def test_nothing_is_known_without_a_second_run(groups: list[list[float]]) -> None:
    assert between_runs(groups) is None
    assert successive([value for group in groups for value in group][:1]) is None


@pytest.mark.parametrize("runs", [2, 3, 6, 20])
def test_successive_differences_have_the_mean_and_the_freedom_that_they_say(runs: int) -> None:
    """Of a chi-square over its df: mean 1, variance 2 / df."""
    drawn = 3 * np.random.default_rng(runs).standard_normal((20_000, runs))
    found = [successive(row.tolist()) for row in drawn]
    ratios = np.array([(spread.sd / 3) ** 2 for spread in found if spread is not None])
    assert found[0] is not None
    assert ratios.mean() == pytest.approx(1, abs=0.04)
    assert ratios.var() == pytest.approx(2 / found[0].df, rel=0.12)


def test_a_step_counts_into_no_spread() -> None:
    rng = np.random.default_rng(1)
    levels = [*(0.02 * rng.standard_normal(12)), *(0.5 + 0.02 * rng.standard_normal(12))]
    pooled = between_runs(stretches(levels, [12]))
    assert pooled is not None
    assert pooled.sd == pytest.approx(0.02, rel=0.4)
    whole, taken = between_runs([levels]), spread_of(levels)
    assert whole is not None
    assert taken is not None
    assert whole.sd > 0.2 > 0.12 > taken.sd


def test_cutting_keeps_every_run_once() -> None:
    assert stretches([1.0, 2.0, 3.0, 4.0], [3, 1, 1]) == [[1.0], [2.0, 3.0], [4.0]]
    assert stretches([1.0, 2.0], []) == [[1.0, 2.0]]
    assert stretches([], []) == []


def test_the_interval_of_a_spread_covers_it() -> None:
    drawn = np.random.default_rng(2).standard_normal((2000, 6))
    covered = 0
    for row in drawn:
        found = between_runs([row.tolist()])
        assert found is not None
        low, high = sd_interval(found)
        covered += low <= 1 <= high
    assert 0.935 <= covered / 2000 <= 0.965
