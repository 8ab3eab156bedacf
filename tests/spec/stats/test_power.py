"""Power and runs needed, against statsmodels' noncentral t where that answers the same question, else against draws."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.stats import t as student
from statsmodels.stats.power import TTestIndPower

from benchbook.stats.power import (
    MOST_RUNS,
    Design,
    chance,
    chance_equivalent,
    detectable,
    runs_for_equivalence,
    runs_needed,
)


@pytest.mark.parametrize(("runs", "effect"), [*itertools.product((2, 3, 5, 10, 40), (0.0, 0.3, 1.0, 1.6))])
def test_without_a_margin_and_stored_runs_it_is_the_noncentral_t(runs: int, effect: float) -> None:
    assert chance(Design(0.05), runs, 0.05 * effect) == pytest.approx(
        TTestIndPower().power(effect, runs, 0.05) if effect else 0.05, abs=2e-3
    )


@pytest.mark.parametrize("effect", [0.5, 1.0, 2.0, 3.0])
def test_runs_needed_and_the_detectable_change_are_statsmodels_too(effect: float) -> None:
    by_statsmodels = TTestIndPower().solve_power(effect, power=0.8, alpha=0.05)
    assert runs_needed(Design(0.05), 0.05 * effect) == math.ceil(by_statsmodels)
    assert detectable(Design(0.05), 6) == pytest.approx(
        0.05 * TTestIndPower().solve_power(None, 6, 0.05, 0.8), rel=0.01
    )


@pytest.mark.parametrize(("runs", "df", "margin", "effect"), [(1, 9, 0.05, 0.12), (3, 4.5, 0.05, 0.08), (5, 0, 0.1, 0)])
def test_with_stored_runs_and_a_margin_it_is_what_draws_say(runs: int, df: float, margin: float, effect: float) -> None:
    design, rng, tries = Design(0.04, df, margin), np.random.default_rng(runs), 200_000
    error = 0.04 * math.sqrt(2 / runs)
    free = df + 2 * (runs - 1)
    seen = effect + error * rng.standard_normal(tries)
    reach = student.ppf(0.975, free) * error * np.sqrt(rng.chisquare(free, tries) / free)
    assert chance(design, runs, effect) == pytest.approx(np.mean((abs(seen) > reach) & (abs(seen) > margin)), abs=0.006)
    assert chance_equivalent(design, runs, effect) == pytest.approx(np.mean(abs(seen) + reach < margin), abs=0.006)


def test_more_runs_see_more_and_the_answers_are_each_others_inverse() -> None:
    design = Design(0.06, df=8, margin=math.log(1.05))
    changes = [detectable(design, runs) for runs in (1, 2, 3, 5, 10, 50)]
    assert all(
        before is not None and after is not None and after < before for before, after in itertools.pairwise(changes)
    )
    for runs, change in zip((1, 2, 3, 5, 10, 50), changes, strict=True):
        assert change is not None
        assert runs_needed(design, change * 1.0001) == runs
        assert change > design.margin
    enough = runs_for_equivalence(design)
    assert enough is not None
    assert (chance_equivalent(design, enough) or 0) >= 0.8 > (chance_equivalent(design, enough - 1) or 0)


def test_what_no_number_of_runs_shows_is_none() -> None:
    assert runs_needed(Design(0.05, margin=0.1), 0.1) is None  # the estimate of it lies beyond the margin half the time
    assert runs_needed(Design(1.0), 0.01) is None
    assert runs_needed(Design(0.0001), 0.5) is not None
    assert chance(Design(1.0), 1, 5.0) is None  # one run a side and none stored: no spread
    assert detectable(Design(1.0), 1) is None
    assert MOST_RUNS == 1000
    with pytest.raises(ValueError, match="a spread of 0 carries no plan"):
        Design(0)
    with pytest.raises(ValueError, match="at least one run"):
        chance(Design(1.0), 0, 1.0)
