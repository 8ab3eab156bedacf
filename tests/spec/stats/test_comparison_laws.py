"""How often the comparison's interval and p are right, on data whose truth is known."""

from __future__ import annotations

import itertools
from statistics import fmean

import numpy as np
import pytest
from scipy.stats import binomtest, mannwhitneyu, ttest_ind, ttest_rel
from statsmodels.stats.proportion import proportion_confint

from benchbook.stats.compare import cliffs_delta, cluster_interval, mcnemar, sign_flip_p
from benchbook.stats.effects import FAILURES, MEDIAN, P95, SCORE, Known, effect
from benchbook.stats.quantiles import interpolated
from benchbook.stats.verdicts import BENJAMINI_HOCHBERG, adjusted


@pytest.mark.parametrize("cases", [6, 12, 40])
def test_the_interval_covers_the_true_difference(cases: int) -> None:
    rng = np.random.default_rng(cases)
    covered = 0
    for _ in range(100):
        low, high = cluster_interval(rng.normal(0.1, 1, cases).tolist(), rng)
        covered += low <= 0.1 <= high
    assert covered / 100 >= 0.88  # less comes by chance once in 400


SOME = [0.3, 0.1, -0.05, 0.2, 0.4, 0.07, 0.3, -0.2]


@pytest.mark.parametrize(
    ("differences", "slack"), [(SOME, 1e-12), ([*SOME, *[0.01, -0.3, 0.02, -0.1, 0.2, 0.0]], 0.02)]
)
def test_the_permutation_p_against_every_sign(differences: list[float], slack: float) -> None:
    """Exactly where all flips are counted, closely where they are drawn."""
    seen = abs(fmean(differences))
    flips = [
        abs(fmean(sign * d for sign, d in zip(signs, differences, strict=True)))
        for signs in itertools.product((-1, 1), repeat=len(differences))
    ]
    exact = sum(mean >= seen - 1e-12 for mean in flips) / len(flips)
    assert sign_flip_p(differences, np.random.default_rng(1)) == pytest.approx(exact, abs=slack)


def test_cliffs_delta_against_every_pair() -> None:
    rng = np.random.default_rng(2)
    for size_a, size_b in itertools.product((1, 2, 9), repeat=2):
        a, b = (rng.integers(0, 6, size).tolist() for size in (size_a, size_b))
        pairs = [(x < y) - (y < x) for x in a for y in b]
        assert cliffs_delta(a, b) == pytest.approx(fmean(pairs))
        u = mannwhitneyu(b, a).statistic
        assert cliffs_delta(a, b) == pytest.approx(2 * u / (size_a * size_b) - 1)


def levelled(levels: list[float], seed: int = 4, cases: int = 8) -> list[dict[int, list[float]]]:
    """A run per level: the same cases in each, every value of a case moved by the run's level alone."""
    base = np.random.default_rng(seed).lognormal(3, 0.5, (cases, 3))
    return [{case: (base[case] * np.exp(level)).tolist() for case in range(cases)} for level in levels]


A, B = [0.02, -0.04, 0.05, 0.01], [0.11, 0.2, 0.07]


def test_runs_as_replicates_against_student_on_their_levels() -> None:
    """The p between runs is the two-sample t of the run levels; for the same runs on both sides the paired one."""
    found = effect(MEDIAN, levelled(A), levelled(B), Known(np.random.default_rng(1)))
    theirs = ttest_ind(B, A)
    assert found.p_runs == pytest.approx(theirs.pvalue)
    bounds = theirs.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((bounds.low, bounds.high))  # every case moves alike: prompts add 0
    paired = effect(MEDIAN, levelled(A[:3]), levelled(B), Known(np.random.default_rng(1), alike=True))
    assert paired.p_runs == pytest.approx(ttest_rel(B, A[:3]).pvalue)


def test_the_p95_and_its_interval_against_repeated_trials() -> None:
    """Resampled cases by plain repetition of their trials, the same draws, value by value."""
    noise = np.random.default_rng(8)
    a, b = ({case: noise.lognormal(3, 1, 9).tolist() for case in range(8)} for _ in "ab")
    found = effect(P95, [a], [b], Known(np.random.default_rng(3)))
    weights = np.random.default_rng(3).multinomial(8, [1 / 8] * 8, 1_999)
    draws = []
    for drawn in weights:
        p95s = []
        for side in (a, b):
            values = sorted(v for case, times in enumerate(drawn) for v in side[case] * int(times))
            p95s.append(interpolated(values, 0.95))
        draws.append(np.log(p95s[1]) - np.log(p95s[0]))
    plain = [interpolated(sorted(v for of in side.values() for v in of), 0.95) for side in (a, b)]
    assert (found.a, found.b, found.difference) == pytest.approx((*plain, plain[1] - plain[0]))
    assert found.low is not None
    assert found.high is not None
    inside = np.mean((np.array(draws) >= found.low) & (np.array(draws) <= found.high))
    assert 0.95 <= inside <= 0.995


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 0), (1, 0), (0, 6), (3, 9), (5, 5)])
def test_mcnemar_against_the_binomial(only_a: int, only_b: int) -> None:
    a = [True] * only_a + [False] * only_b + [True, False] * 4
    b = [False] * only_a + [True] * only_b + [True, False] * 4
    found = mcnemar(a, b)
    assert (found.only_a, found.only_b) == (only_a, only_b)
    differing = only_a + only_b
    assert found.p == pytest.approx(binomtest(only_a, differing).pvalue if differing else 1)


def test_flipped_signs_of_single_scores_are_mcnemar() -> None:
    """One 0/1 score a case: the two tests ask the same."""
    a = {case: [float(case < 4)] for case in range(12)}
    b = {case: [float(case > 1)] for case in range(12)}
    found = effect(SCORE, [a], [b], Known(np.random.default_rng(1)))
    assert found.solved is not None
    assert found.p_prompts == pytest.approx(found.solved.p)


def test_failure_shares_reach_as_far_as_newcombe() -> None:
    """Where cases don't differ at all, the interval is that of two independent Wilson intervals."""
    a, b = ({case: [1.0] * fails + [0.0] * (10 - fails) for case in range(6)} for fails in (1, 3))
    found = effect(FAILURES, [a], [b], Known(np.random.default_rng(1)))
    (a_low, a_high), (b_low, b_high) = (proportion_confint(k, 60, method="wilson") for k in (6, 18))
    assert found.low == pytest.approx(0.2 - np.hypot(0.3 - b_low, a_high - 0.1))
    assert found.high == pytest.approx(0.2 + np.hypot(b_high - 0.3, 0.1 - a_low))


def test_holm_and_benjamini_hochberg_against_the_textbook() -> None:
    p = [0.001, 0.04, 0.03, 0.2]
    order = sorted(range(4), key=p.__getitem__)
    holm, worst = [0.0] * 4, 0.0
    for rank, index in enumerate(order):
        worst = max(worst, (4 - rank) * p[index])
        holm[index] = min(1.0, worst)
    hochberg, least = [0.0] * 4, 1.0
    for rank, index in reversed(list(enumerate(order, 1))):
        least = min(least, 4 / rank * p[index])
        hochberg[index] = least
    assert adjusted(p) == pytest.approx(holm)
    assert adjusted(p, BENJAMINI_HOCHBERG) == pytest.approx(hochberg)


@pytest.mark.parametrize(("drift", "sides"), [(0.0, 4), (0.05, 3), (0.15, 5)])
def test_unchanged_runs_that_drift_are_rarely_called_different(drift: float, sides: int) -> None:
    """The p between runs is at most 5 % in about 5 % of comparisons, whatever the runs' drift."""
    noise, alarms, rounds = np.random.default_rng(int(100 * drift)), 0, 120
    for _ in range(rounds):
        a, b = (
            [
                {c: np.exp(noise.normal(c / 4, 0.2, 3) + level).tolist() for c in range(10)}
                for level in noise.normal(0, drift, sides)
            ]
            for _ in "ab"
        )
        found = effect(MEDIAN, a, b, Known(np.random.default_rng(1)))
        assert found.p is not None
        alarms += found.p <= 0.05
    assert alarms / rounds <= 0.11
