"""The test that may be looked at: exact on every pattern of signs, and against a slow plain version."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from benchbook.stats.sequential import _BETS, confidence_sequence, e_values, sequential

SIZES = [0.3, 0.1, 2.0, 0.0, 0.7, 0.05, 40.0, 0.4]
SOME = [0.12, 0.31, -0.04, 0.22, 0.4, 0.17, 0.3, 0.2, 0.11, 0.25, 0.19, 0.28]


def plain_path(differences: list[float]) -> list[float]:
    """Bet by bet, block by block: a stake times 1 + sign tanh(l |d|), with l in units of the root mean square so far,
    all of it anew after each block."""
    path = []
    for looked in range(1, len(differences) + 1):
        stakes = []
        for bet, side in itertools.product(_BETS, (1, -1)):
            stake = 1.0
            for place, d in enumerate(differences[:looked], start=1):
                typical = math.sqrt(math.fsum(x * x for x in differences[:place]) / place)
                stake *= 1 + side * math.tanh(bet * d / typical) if typical else 1.0
            stakes.append(stake)
        path.append(math.fsum(stakes) / len(stakes))
    return path


def test_against_a_slow_plain_version() -> None:
    assert e_values(SOME).tolist() == pytest.approx(plain_path(SOME))
    rows = np.array([SOME, [-d for d in SOME]])
    assert e_values(rows)[1].tolist() == pytest.approx(plain_path(SOME))  # two-sided: signs turned, the same evidence


def test_over_all_signs_the_mean_is_exactly_one_after_every_block() -> None:
    """The whole law under `no difference`, given the sizes: no assumption is left to simulate."""
    signs = np.array(list(itertools.product((-1.0, 1.0), repeat=len(SIZES))))
    paths = e_values(signs * SIZES)
    assert paths.mean(axis=0).tolist() == pytest.approx([1.0] * len(SIZES))
    assert (paths.max(axis=1) >= 20).mean() <= 0.05


def test_looking_after_every_block_costs_no_more_than_alpha() -> None:
    rng = np.random.default_rng(1)
    for drawn in (rng.standard_normal((4000, 60)), rng.standard_cauchy((4000, 60))):
        alarms = (e_values(drawn) >= 20).any(axis=1).mean()
        assert 0.005 < alarms < 0.05
    fixed = np.abs(rng.standard_normal((4000, 60)).cumsum(axis=1) / np.sqrt(np.arange(1, 61)))[:, 4:]
    assert (fixed > 1.96).any(axis=1).mean() > 0.2  # what a fixed test would do, looked at as often


def test_a_difference_stops_it_soon() -> None:
    hit = e_values(np.random.default_rng(2).standard_normal((1000, 40)) + 2) >= 20
    assert hit.any(axis=1).all()
    assert (hit.argmax(axis=1) + 1).mean() < 9


def test_the_confidence_sequence_is_the_shifts_that_survive() -> None:
    low, high = confidence_sequence(SOME)
    assert low is not None
    assert high is not None
    shifts = np.linspace(-1, 2, 3001)
    kept = shifts[(e_values(np.asarray(SOME) - shifts[:, None]).max(axis=1) < 20)]
    assert (low, high) == (pytest.approx(kept[0], abs=2e-3), pytest.approx(kept[-1], abs=2e-3))
    assert sequential(SOME).clear()
    assert (low > 0) == (max(e_values(SOME)) >= 20)


def test_the_sequence_holds_the_truth_at_every_look_and_never_widens() -> None:
    rng, missed = np.random.default_rng(3), 0
    for _ in range(24):
        drawn = (0.1 + 0.05 * rng.standard_normal(14)).tolist()
        bounds = [confidence_sequence(drawn[:looked]) for looked in (7, 9, 11, 14)]
        known = [(low, high) for low, high in bounds if low is not None and high is not None]
        missed += any(not low <= 0.1 <= high for low, high in known)
        for (low, high), (later_low, later_high) in itertools.pairwise(known):
            assert later_low >= low - 1e-9
            assert later_high <= high + 1e-9
    assert missed <= 4  # of 24; at most 1.2 are expected, and 5 come by chance once in a hundred


@pytest.mark.parametrize("blocks", [[], [0.1], [0.1, 0.2, 0.3], [0.0] * 9, [0.2] * 5])
def test_few_blocks_and_blocks_of_nothing_bound_nothing(blocks: list[float]) -> None:
    found = sequential(blocks)
    assert found.blocks == len(blocks)
    assert found.p > 0.05
    assert not found.clear()


def test_equal_sides_end_as_equal() -> None:
    drawn = (0.01 * np.random.default_rng(4).standard_normal(20)).tolist()
    assert sequential(drawn).inside(0.05)
    assert not sequential(drawn).inside(0.001)


@pytest.mark.parametrize("noise", [0.0, 0.001, 0.005])
def test_differences_that_hardly_scatter_are_known_exactly(noise: float) -> None:
    rng = np.random.default_rng(8)
    said = sequential(0.18 + rng.normal(0, noise, 30))
    assert said.low is not None
    assert said.high is not None
    assert 0.18 - 3 * noise - 1e-6 < said.low < 0.18 + 1e-6
    assert 0.18 - 1e-6 < said.high < 0.18 + 3 * noise + 1e-6
