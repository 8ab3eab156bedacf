"""Shares with Wilson's interval, which stays inside 0..1 and holds for small counts and for shares near the ends.

`wilson` takes trials as independent. Repeats of one prompt are not: a claim over prompts needs the prompt as cluster,
which is what `clustered` is for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, variance

CLUSTERS_NEEDED = 6
"""Below it a spread between clusters says too little; `stats.compare` asks for as many."""


@dataclass(frozen=True, slots=True)
class Share:
    """`count` of `n` with the interval; share and bounds are None when n is 0."""

    count: int
    n: int
    share: float | None
    low: float | None
    high: float | None


def wilson(count: int, n: int, confidence: float = 0.95) -> Share:
    """The share count / n with Wilson's interval (statsmodels' `proportion_confint`)."""
    if not 0 <= count <= n:
        raise ValueError(f"a share needs 0 <= count <= n, not {count} of {n}")
    if n == 0:
        return Share(0, 0, None, None, None)
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(count, n, alpha=1 - confidence, method="wilson")
    return Share(count, n, count / n, float(low), float(high))


def clustered(values: Sequence[float], trials: int, confidence: float = 0.95) -> tuple[float, float] | None:
    """Bounds of the mean of clusters' shares, each in 0..1, over `trials` in all; None for fewer than CLUSTERS_NEEDED.

    Wilson's interval at an effective sample size (Korn and Graubard, Survey Methodology 24, 1998): as many independent
    trials as would scatter like these clusters' mean does, m (1 - m) / (s^2 / C), at least C and at most all trials,
    then times (z / t)^2 with C - 1 degrees of freedom. It never closes to a point: where every cluster has share 1 a
    bootstrap of clusters would say that nothing can go wrong, and this says what C clusters can tell.
    """
    clusters = len(values)
    if clusters < CLUSTERS_NEEDED:
        return None
    mean = min(1.0, max(0.0, fmean(values)))
    spread = variance(values) / clusters
    alike = trials if 0 < mean < 1 else clusters
    size = min(max(mean * (1 - mean) / spread if spread else alike, clusters), trials)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    size *= (z / student_t(clusters - 1, z)) ** 2
    centre = (mean * size + z * z / 2) / (size + z * z)
    half = z * math.sqrt(size * mean * (1 - mean) + z * z / 4) / (size + z * z)
    return max(0.0, centre - half), min(1.0, centre + half)


def student_t(degrees: int, z: float) -> float:
    """Student's quantile from the normal one, by Fisher's expansion (Abramowitz and Stegun 26.7.5): from 5 degrees of
    freedom on within 0.1 % at 95 % and at 99 %."""
    terms = (
        z**3 + z,
        5 * z**5 + 16 * z**3 + 3 * z,
        3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z,
        79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z,
    )
    scales = (4, 96, 384, 92160)
    return z + sum(
        term / (scale * degrees ** (i + 1)) for i, (term, scale) in enumerate(zip(terms, scales, strict=True))
    )
