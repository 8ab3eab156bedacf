"""How far runs of one workload lie apart when nothing changed: the spread that a claim over time must beat. Pure.

The run is the replicate. A run's level is one number (the natural log of its median latency, or a mean share), and its
scatter between runs holds both the drift of the service and what a finite run can't know of itself.

`between_runs` pools the variance within stretches that are alike, so that a step between two stretches counts into
neither; `spread_of` takes the stretches between a history's change points. `successive` needs no stretches: from
neighbours' differences (von Neumann, Annals of Mathematical Statistics 12, 1941), a step counts into one of them only,
but where neighbours are alike it knows of no more than that. `benchmarks/statistics.py` holds one against the other.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

STRETCHES = "stretches"
SUCCESSIVE = "successive"

RECENT = 50
"""Older runs than these say nothing about today's spread."""


@dataclass(frozen=True, slots=True)
class Spread:
    """sd: of run levels, in their unit (log latency, or share); df: degrees of freedom that it stands on.

    runs: how many levels it was taken from; kind: `stretches` or `successive`.
    """

    sd: float
    df: float
    runs: int
    kind: str = STRETCHES


def between_runs(groups: Iterable[Sequence[float]]) -> Spread | None:
    """Pooled standard deviation within groups of run levels; None where no group has two."""
    kept = [group for group in groups if len(group) > 0]
    df = sum(len(group) - 1 for group in kept)
    if df == 0:
        return None
    return Spread(math.sqrt(math.fsum(map(_squares, kept)) / df), df, sum(map(len, kept)))


def successive(levels: Sequence[float]) -> Spread | None:
    """The standard deviation from differences of neighbours in time: sqrt(sum d^2 / (2 (n - 1))); None below two runs.

    df: 2 (n - 1)^2 / (3 n - 4), those of the chi-square with this estimate's mean and variance where levels are normal.
    """
    n = len(levels)
    if n < 2:
        return None
    squares = math.fsum((after - before) ** 2 for before, after in pairwise(levels))
    return Spread(math.sqrt(squares / (2 * (n - 1))), 2 * (n - 1) ** 2 / (3 * n - 4), n, SUCCESSIVE)


def spread_of(levels: Sequence[float]) -> Spread | None:
    """The spread of stored runs of one target in order of time: what comparing, planning and alerts all use.

    Of the newest RECENT runs, pooled within the stretches between change points.
    """
    from benchbook.stats.changes import change_points

    newest = levels[-RECENT:]
    return between_runs(stretches(newest, (change.index for change in change_points(newest))))


def sd_interval(spread: Spread, confidence: float = 0.95) -> tuple[float, float]:
    """Bounds of the standard deviation itself, by the chi-square of its degrees of freedom (normal levels)."""
    from scipy.special import gammaincinv

    tail = (1 - confidence) / 2
    low, high = (2 * float(gammaincinv(spread.df / 2, q)) for q in (1 - tail, tail))
    return spread.sd * math.sqrt(spread.df / low), spread.sd * math.sqrt(spread.df / high)


def stretches(levels: Sequence[float], starts: Iterable[int]) -> list[Sequence[float]]:
    """Levels in order of time, cut before each index at which a new stretch starts."""
    cuts = [0, *sorted(set(starts)), len(levels)]
    return [levels[low:high] for low, high in pairwise(cuts) if high > low]


def _squares(values: Sequence[float]) -> float:
    """Sum of squares about the mean."""
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values)
