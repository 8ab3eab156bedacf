"""The search for the largest load: on services that give way at a known load."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchbook.stats.objectives import CANNOT_TELL, MET, VIOLATED
from benchbook.stats.search import Bracket, Range, bracket, next_load


def searched(within: Range, word: Callable[[float], str]) -> tuple[list[float], Bracket]:
    """The loads in the order in which they were tried, and the bracket."""
    tried: dict[float, str] = {}
    while (load := next_load(tried, within)) is not None:
        assert load not in tried
        tried[load] = word(load)
        assert len(tried) < 100
    return list(tried), bracket(tried)


def gives_way(at: float, unsure: float = 0.0) -> Callable[[float], str]:
    """Met up to `at` less `unsure`, violated beyond `at` and `unsure`."""
    return lambda load: CANNOT_TELL if abs(load - at) < unsure else MET if load <= at else VIOLATED


@pytest.mark.parametrize(
    ("at", "loads", "found"),
    [
        (11, [1, 2, 4, 8, 16, 12, 10, 11], Bracket(11, 12)),
        (64, [1, 2, 4, 8, 16, 32, 64], Bracket(64, None)),
        (1, [1, 2], Bracket(1, 2)),
        (0.5, [1], Bracket(None, 1)),
    ],
)
def test_doubling_then_halving(at: float, loads: list[float], found: Bracket) -> None:
    assert searched(Range(1, 64, whole=True), gives_way(at)) == (loads, found)


@given(st.integers(1, 500), st.integers(1, 500))
def test_a_whole_load_is_found_exactly(low: int, at: int) -> None:
    loads, found = searched(Range(low, 512, whole=True), gives_way(at))
    assert all(load.is_integer() for load in map(float, loads))
    if at < low:
        assert found == Bracket(None, low)
    else:
        assert found == Bracket(at, at + 1)
        assert len(loads) <= 20


@given(st.floats(0.5, 900))
def test_a_rate_is_found_within_the_resolution(at: float) -> None:
    _, found = searched(Range(0.5, 1000, whole=False), gives_way(at))
    assert found.largest_met is not None
    assert found.smallest_violated is not None
    assert found.largest_met <= at < found.smallest_violated
    assert found.smallest_violated / found.largest_met <= 1.1 + 0.01


@given(st.floats(20, 400), st.floats(1, 15))
def test_what_can_not_be_told_widens_the_bracket_and_no_more(at: float, unsure: float) -> None:
    _, found = searched(Range(1, 512, whole=True), gives_way(at, unsure))
    assert found.largest_met is not None
    assert found.smallest_violated is not None
    assert at - unsure - 1 <= found.largest_met <= at - unsure + 1e-9
    assert at + unsure - 1e-9 <= found.smallest_violated <= at + unsure + 1
    assert all(abs(load - at) < unsure for load in found.undecided)


def test_nothing_told_ends_at_the_largest_load() -> None:
    loads, found = searched(Range(1, 8, whole=True), lambda _load: CANNOT_TELL)
    assert loads == [1, 2, 4, 8]
    assert found == Bracket(None, None, (1, 2, 4, 8))


def test_a_load_met_beyond_a_violated_one_is_left_out_of_the_bracket() -> None:
    assert bracket({1: MET, 4: VIOLATED, 8: MET}) == Bracket(1, 4)
