"""Percentiles by the methods that the tools use. Each takes sorted values, at least one."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from itertools import accumulate


def linear(values: Sequence[float], percent: float) -> float:
    """numpy.percentile's default: between the neighbours of rank (n - 1) p (Hyndman and Fan's type 7)."""
    place = (len(values) - 1) * percent / 100
    below = int(place)
    above = min(below + 1, len(values) - 1)
    return values[below] + (place - below) * (values[above] - values[below])


def exclusive(values: Sequence[float], percent: int) -> float:
    """statistics.quantiles' default: at rank (n + 1) p (type 6); beyond the largest value where n is small."""
    if len(values) == 1:
        return values[0]
    if percent == 50:
        return statistics.median(values)
    parts = 10 if percent % 10 == 0 else 100
    return statistics.quantiles(values, n=parts)[percent * parts // 100 - 1]


def inverse(weighted: Sequence[tuple[float, float]], percent: float) -> float:
    """The smallest value whose share of the weight, with all below it, reaches p: a value that occurred (type 1).

    weighted: (value, weight), sorted by value; all weights 0 count as equal. The shares are added up in floating point
    and compared as they come out, as the tool does: nine of ten equal shares fall short of 0.9, so p90 is the tenth.
    """
    if not any(weight for _, weight in weighted):
        weighted = [(value, 1.0) for value, _ in weighted]
    merged: dict[float, float] = {}
    for value, weight in weighted:
        merged[value] = merged.get(value, 0.0) + weight
    total = sum(merged.values())
    shares = accumulate(weight / total for weight in merged.values())
    reached = (value for value, share in zip(merged, shares, strict=True) if share >= percent / 100)
    return next(reached, weighted[-1][0])


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean."""
    return statistics.fmean(values)
