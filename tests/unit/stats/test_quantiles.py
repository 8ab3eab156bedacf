"""Estimates, intervals and refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchbook.stats.quantiles import Quantile, interpolated, interval_ranks, needs, quantile

finite = st.floats(-1e9, 1e9)
some_q = st.floats(0.01, 0.99)


@settings(deadline=None)
@given(st.lists(finite, max_size=150), some_q)
def test_bounds_hold_the_estimate_or_all_is_refused(values: list[float], q: float) -> None:
    found = quantile(values, q)
    if len(values) < needs(q):
        assert found == Quantile(q, len(values), None, None, None, f"needs {needs(q)}, has {len(values)}")
        return
    assert found.refused is None
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    assert min(values) <= found.low <= found.high <= max(values)
    assert min(values) <= found.value <= max(values)
    assert found.low in values
    assert found.high in values


@settings(deadline=None)
@given(st.lists(finite, min_size=1, max_size=60), some_q)
def test_the_estimate_is_numpys(values: list[float], q: float) -> None:
    scale = max(map(abs, values))
    assert interpolated(sorted(values), q) == pytest.approx(
        np.quantile(values, q), rel=1e-9, abs=1e-12 * scale + 1e-300
    )


@settings(deadline=None)
@given(st.integers(1, 5_000), some_q, st.sampled_from((0.8, 0.95, 0.99)))
def test_ranks_stay_among_the_values(n: int, q: float, confidence: float) -> None:
    ranks = interval_ranks(n, q, confidence)
    assert (ranks is None) == (n < needs(q, confidence))
    if ranks:
        assert 1 <= ranks[0] < ranks[1] <= n
        assert ranks[0] - 1 <= n * q <= ranks[1]


@settings(deadline=None)
@given(st.integers(6, 500))
def test_the_median_takes_the_lower_of_two_mirror_images(n: int) -> None:
    low, high = interval_ranks(n, 0.5) or (0, 0)
    assert low <= n + 1 - high


def test_order_does_not_matter_and_input_is_left_alone() -> None:
    values = [5.0, 1.0, 4.0, 2.0, 3.0, 6.0]
    assert quantile(values, 0.5) == quantile(sorted(values), 0.5) == Quantile(0.5, 6, 3.5, 1.0, 6.0)
    assert values == [5.0, 1.0, 4.0, 2.0, 3.0, 6.0]


def test_more_confidence_is_wider() -> None:
    spans = [high - low for low, high in filter(None, (interval_ranks(200, 0.9, c) for c in (0.5, 0.8, 0.95, 0.99)))]
    assert spans == sorted(set(spans))


@pytest.mark.parametrize(("q", "confidence"), [(0.0, 0.95), (1.0, 0.95), (-1, 0.95), (0.5, 0.0), (0.5, 1.0)])
def test_impossible_arguments(q: float, confidence: float) -> None:
    with pytest.raises(ValueError, match="lies between 0 and 1"):
        interval_ranks(100, q, confidence)
