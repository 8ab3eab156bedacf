"""Loads without an end of their own: tables of numbers, and the laws of Poisson and gamma processes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchbook.schedules import Closed, Level
from benchbook.schedules.constant import Constant
from benchbook.schedules.gamma import Gamma
from benchbook.schedules.poisson import Poisson


@pytest.mark.parametrize(
    ("rate", "count", "offsets"),
    [
        (1, 3, [0, 1_000_000_000, 2_000_000_000]),
        (4, 5, [0, 250_000_000, 500_000_000, 750_000_000, 1_000_000_000]),
        (0.5, 2, [0, 2_000_000_000]),
        (3, 4, [0, 333_333_333, 666_666_667, 1_000_000_000]),
        (10, 0, []),
    ],
)
def test_constant(rate: float, count: int, offsets: list[int]) -> None:
    made = Constant(rate).offsets_ns(count, seed=1)
    assert (made.typecode, made.tolist()) == ("q", offsets)


def test_closed_has_slots_and_no_schedule() -> None:
    load = Closed(7)
    assert (load.slots, load.rate_per_s, load.offsets_ns(3, seed=1)) == (7, None, None)
    assert (load.levels, load.count, load.lasts_s) == ((Level(0, 7),), None, None)


@given(st.floats(0.5, 5000), st.integers(0, 2**32))
def test_poisson_is_ascending_and_repeatable(rate: float, seed: int) -> None:
    offsets = Poisson(rate).offsets_ns(200, seed)
    assert offsets == Poisson(rate).offsets_ns(200, seed)
    assert offsets[0] == 0
    assert offsets.tolist() == sorted(offsets)


def spread(offsets: Sequence[int]) -> tuple[float, float]:
    """Mean of the gaps in seconds, and their standard deviation over it."""
    gaps = [(later - earlier) / 1e9 for earlier, later in pairwise(offsets)]
    mean = sum(gaps) / len(gaps)
    return mean, (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5 / mean


def test_poisson_keeps_its_rate_and_its_spread() -> None:
    mean, relative = spread(Poisson(100.0, seed=5).offsets_ns(20_001, seed=1))
    assert mean == pytest.approx(0.01, rel=0.03)
    assert relative == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize("burstiness", [0.25, 1.0, 4.0])
def test_gamma_keeps_its_rate_and_has_the_spread_of_its_shape(burstiness: float) -> None:
    mean, relative = spread(Gamma(100.0, burstiness).offsets_ns(20_001, seed=1))
    assert mean == pytest.approx(0.01, rel=0.05)
    assert relative == pytest.approx(burstiness**-0.5, rel=0.05)


@given(st.floats(0.5, 5000), st.floats(0.1, 20), st.integers(0, 2**32))
def test_gamma_is_ascending_and_repeatable(rate: float, burstiness: float, seed: int) -> None:
    offsets = Gamma(rate, burstiness).offsets_ns(100, seed)
    assert offsets == Gamma(rate, burstiness).offsets_ns(100, seed)
    assert offsets.tolist() == sorted(offsets)


def test_its_own_seed_beats_the_runs() -> None:
    for made in (lambda seed: Poisson(5, seed=seed), lambda seed: Gamma(5, 0.5, seed=seed)):
        assert made(3).offsets_ns(9, seed=1) == made(3).offsets_ns(9, seed=2)
        assert made(None).offsets_ns(9, seed=1) != made(None).offsets_ns(9, seed=2)


def test_a_million_starts_take_eight_bytes_each() -> None:
    offsets = Constant(1000.0).offsets_ns(1_000_000, seed=1)
    assert offsets.itemsize * len(offsets) == 8_000_000
    assert offsets[-1] == 999_999_000_000
