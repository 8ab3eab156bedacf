"""Load shapes are arithmetic: tables of numbers, and the laws of a Poisson process."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchbook.schedules import LOADS, Closed, Constant, Poisson, load_of


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
    assert Constant(rate).offsets_ns(count, seed=1) == offsets


def test_closed_has_slots_and_no_schedule() -> None:
    load = Closed(7)
    assert (load.slots, load.rate_per_s, load.offsets_ns(3, seed=1)) == (7, None, None)


@given(st.floats(0.5, 5000), st.integers(0, 2**32))
def test_poisson_is_ascending_and_repeatable(rate: float, seed: int) -> None:
    offsets = Poisson(rate).offsets_ns(200, seed)
    assert offsets == Poisson(rate).offsets_ns(200, seed)
    assert offsets is not None
    assert offsets[0] == 0
    assert offsets == sorted(offsets)


def test_poisson_keeps_its_rate_and_its_spread() -> None:
    offsets = Poisson(100.0, seed=5).offsets_ns(20_001, seed=1)
    assert offsets is not None
    gaps = [(later - earlier) / 1e9 for earlier, later in pairwise(offsets)]
    mean = sum(gaps) / len(gaps)
    spread = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert mean == pytest.approx(0.01, rel=0.03)
    assert spread == pytest.approx(mean, rel=0.05)


def test_its_own_seed_beats_the_runs() -> None:
    assert Poisson(5, seed=3).offsets_ns(9, seed=1) == Poisson(5, seed=3).offsets_ns(9, seed=2)
    assert Poisson(5).offsets_ns(9, seed=1) != Poisson(5).offsets_ns(9, seed=2)


def test_every_kind_is_built_from_a_plans_fields() -> None:
    fields = {"closed": {"concurrency": 2}, "constant": {"rate": 2.0}, "poisson": {"rate": 2.0, "seed": None}}
    assert set(fields) == set(LOADS)
    for kind, rest in fields.items():
        assert isinstance(load_of({"kind": kind, **rest}), LOADS[kind])
