"""How often the comparison's interval and p are right, on data whose truth is known."""

from __future__ import annotations

import itertools
from statistics import fmean

import numpy as np
import pytest

from benchbook.stats.compare import cliffs_delta, cluster_interval, sign_flip_p


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
