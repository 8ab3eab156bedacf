"""Shares and Wilson's interval."""

from __future__ import annotations

from math import sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchbook.stats.proportions import Share, wilson


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 2_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_bounds(of: tuple[int, int]) -> None:
    found = wilson(*of)
    assert found.share is not None
    assert found.low is not None
    assert found.high is not None
    assert -1e-12 <= found.low <= found.share + 1e-12
    assert found.share <= found.high + 1e-12 <= 1 + 2e-12
    mirror = wilson(of[1] - of[0], of[1])
    assert found.low == pytest.approx(1 - (mirror.high or 0), abs=1e-9)


def test_the_formula_by_hand() -> None:
    z, n, p = 1.959963984540054, 20, 0.4
    centre, half = p + z * z / (2 * n), z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    found = wilson(8, 20)
    assert (found.low, found.high) == pytest.approx(
        ((centre - half) / (1 + z * z / n), (centre + half) / (1 + z * z / n))
    )


def test_nothing_was_tried() -> None:
    assert wilson(0, 0) == Share(0, 0, None, None, None)


@pytest.mark.parametrize(("count", "n"), [(-1, 3), (4, 3)])
def test_impossible_counts(count: int, n: int) -> None:
    with pytest.raises(ValueError, match="0 <= count <= n"):
        wilson(count, n)
