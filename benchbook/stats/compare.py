"""Two runs over the same prompts, paired by test case: a ratio, its interval, and what may be said of it.

A case's number on a side is the median of its trials. The ratio is b / a: the exponential of the mean, over the cases
that both sides have, of the difference of log medians, so that swapping the sides inverts it. The case (the prompt) is
the cluster: whole cases are resampled, never single trials, and signs are flipped case by case.

Nothing here can say CHANGED. That takes the spread between runs, and these numbers hold one run a side: two runs of an
unchanged service differ by more than their trials' own scatter suggests. EQUIVALENT within a margin is sayable when
the whole interval lies inside it; else the word is CANNOT TELL.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchbook.metrics import METRIC_DIRECTION

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CASES_NEEDED = 6
"""With C cases a sign flip has 2^C outcomes; 6 is the first C whose smallest two-sided p, 2 / 64, is below 0.05."""

MARGIN = 0.05
"""A median that moves by less than this share is called equivalent."""

_ENUMERABLE = 13
_MOST_DRAWS = 20_000_000
_BATCH_DRAWS = 2_000_000


@dataclass(frozen=True, slots=True)
class Comparison:
    """b against a. `ratio`, `low`, `high` are b / a; all numbers are None when `refused` says why.

    cases: pairs used; only_a, only_b: cases that have no partner; p: sign-flip permutation, two-sided, never 0;
    cliffs_delta: P(b > a) - P(b < a) within a case, averaged over cases, so -1 when every b lies below every a.
    """

    cases: int
    only_a: int
    only_b: int
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    cliffs_delta: float | None = None
    refused: str | None = None


Values = Mapping[Any, Sequence[float]]
"""Test case -> the metric of each of its trials, in any order."""


def compare(a: Values, b: Values, rng: np.random.Generator, *, confidence: float = 0.95) -> Comparison:
    """Compare two sides case by case; refused with fewer than CASES_NEEDED pairs or a value that has no logarithm."""
    sides = [{case: values for case, values in side.items() if values} for side in (a, b)]
    paired = [case for case in sides[0] if case in sides[1]]
    counts = (len(paired), len(sides[0]) - len(paired), len(sides[1]) - len(paired))
    if len(paired) < CASES_NEEDED:
        return Comparison(*counts, refused=f"needs {CASES_NEEDED} paired cases, has {len(paired)}")
    medians = [[statistics.median(side[case]) for case in paired] for side in sides]
    if min(map(min, medians)) <= 0:
        return Comparison(*counts, refused="a median is 0 or less, and a ratio needs more")
    logs = [math.log(of_b) - math.log(of_a) for of_a, of_b in zip(*medians, strict=True)]
    mean = math.fsum(logs) / len(logs)
    low, high = cluster_interval(logs, rng, confidence=confidence)
    return Comparison(
        *counts,
        ratio=math.exp(mean),
        low=math.exp(min(low, mean)),
        high=math.exp(max(high, mean)),
        p=sign_flip_p(logs, rng),
        cliffs_delta=math.fsum(cliffs_delta(sides[0][case], sides[1][case]) for case in paired) / len(paired),
    )


def word(comparison: Comparison, *, margin: float = MARGIN) -> str:
    """What one run a side allows: `EQUIVALENT within 5 %` or `CANNOT TELL: ` and why. Never CHANGED."""
    if comparison.refused or comparison.low is None or comparison.high is None:
        return f"CANNOT TELL: {comparison.refused or 'no interval'}"
    if 1 / (1 + margin) < comparison.low and comparison.high < 1 + margin:
        return f"EQUIVALENT within {margin * 100:g} %"
    return "CANNOT TELL: one run a side"


def sense(metric: str, comparison: Comparison) -> str | None:
    """Whether b is `better` or `worse` on these prompts by the metric's direction; None where the interval holds 1."""
    low, high = comparison.low, comparison.high
    if low is None or high is None or low <= 1 <= high:
        return None
    return "better" if (METRIC_DIRECTION[metric] == "higher") == (low > 1) else "worse"


def cluster_interval(
    differences: Sequence[float], rng: np.random.Generator, *, confidence: float = 0.95
) -> tuple[float, float]:
    """Bootstrap interval of the mean of per-cluster differences, resampling clusters; at least two of them.

    A plain percentile interval is too narrow for few clusters (Hesterberg, The American Statistician 69, 2015), so the
    percentiles are moved out to where a normal of the bootstrap's spread reaches t (C - 1) of the sample's spread.
    """
    import numpy as np
    from scipy.special import ndtr, stdtrit

    of = np.asarray(differences, dtype=float)
    size = len(of)
    reach = stdtrit(size - 1, (1 + confidence) / 2) * math.sqrt(size / (size - 1))
    tail = float(ndtr(-reach))
    means = _batched(of, lambda rows: of[rng.integers(0, size, (rows, size))].mean(axis=1))
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def sign_flip_p(differences: Sequence[float], rng: np.random.Generator) -> float:
    """Two-sided p of `mean = 0` by sign flips: all 2^C of them for up to 13 clusters, else m random ones.

    Never 0: the flip that changes nothing is one of the 2^C, and of random ones p = (b + 1) / (m + 1)
    (Phipson and Smyth, "Permutation p-values should never be zero", 2010).
    """
    import numpy as np

    of = np.asarray(differences, dtype=float)
    seen = abs(of.mean()) - 1e-12 * np.abs(of).max()
    if len(of) <= _ENUMERABLE:
        bits = (np.arange(2 ** len(of))[:, np.newaxis] >> np.arange(len(of))) & 1
        return float(np.mean(np.abs((bits * 2 - 1) @ of / len(of)) >= seen))
    flipped = _batched(of, lambda rows: (rng.integers(0, 2, (rows, len(of))) * 2 - 1) @ of / len(of))
    return float((np.count_nonzero(np.abs(flipped) >= seen) + 1) / (len(flipped) + 1))


def cliffs_delta(a: Sequence[float], b: Sequence[float]) -> float:
    """P(b > a) - P(b < a) over all pairs: from -1 (every b below every a) to 1."""
    import numpy as np

    ordered = np.sort(np.asarray(a, dtype=float))
    below = np.searchsorted(ordered, b, side="left").sum()
    above = (len(ordered) - np.searchsorted(ordered, b, side="right")).sum()
    return float(below - above) / (len(a) * len(b))


def _batched(of: NDArray[np.float64], draw: Callable[[int], NDArray[np.float64]]) -> NDArray[np.float64]:
    """9,999 resampled means; fewer (at least 999) for very many clusters, and never all in memory at once."""
    import numpy as np

    wanted = min(9_999, max(999, _MOST_DRAWS // len(of)))
    step = max(1, _BATCH_DRAWS // len(of))
    return np.concatenate([draw(min(step, wanted - done)) for done in range(0, wanted, step)])
