"""Has a series of measurements, in order of time, a steady part, and is it steady? MSER-5 and a class. Pure.

MSER-5 (White, "An effective truncation heuristic for bias reduction in simulation output", Simulation 69, 1997;
batches of five: White, Cobb and Spratt, Winter Simulation Conference 2000): of the means b_1..b_m of batches of five,
leave out the first d for which the marginal standard error of the rest, sum (b_i - mean)^2 / (m - d)^2, is smallest.
A minimum in the second half means that the series never settled: then nothing is cut, and `refused` says so. The last
five batches are no candidates: the spread of a handful is small by chance.

The class looks at what is left, as at most 32 means of equal stretches, so that neighbouring values' likeness is not
taken for a trend: `drifting` where Mann and Kendall's test (Mann, Econometrica 13, 1945; Kendall, "Rank Correlation
Methods", 1975; ties and continuity corrected) finds a trend and Theil and Sen's slope (Sen, JASA 63, 1968) over the
whole stretch exceeds the margin; else `warm-up` where the part that was cut differs from the rest by more than the
margin, beyond chance (a rank sum test of the batch means, tie-corrected); else `flat`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BATCH = 5
LAST_BATCHES = 5
NEEDED = 50
"""Ten batches: five in the first half, and the five that are no candidates."""
MARGIN = 0.05
ALPHA = 0.01
_STRETCHES = 32


@dataclass(frozen=True, slots=True)
class Truncation:
    """cut: how many leading values MSER-5 leaves out; None where `refused` says why there is no such number."""

    n: int
    cut: int | None
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Steadiness:
    """kind: `flat`, `warm-up`, `drifting`, or None where `refused`.

    change: of a drifting or flat series, the trend over the steady part as a share of its mean; warm_up: the cut part's
    mean over the steady part's, minus 1 (None where nothing was cut); p: of the trend, two-sided.
    """

    n: int
    kind: str | None
    cut: int | None = None
    settled: bool = True
    change: float | None = None
    warm_up: float | None = None
    p: float | None = None
    refused: str | None = None


def mser5(values: Sequence[float] | NDArray[np.float64]) -> Truncation:
    """Where the steady part begins. A last batch that is not full is left out of the search, not of the series."""
    import numpy as np

    n = len(values)
    if n < NEEDED:
        return Truncation(n, None, f"needs {NEEDED}, has {n}")
    means = _batch_means(np.asarray(values, dtype=float))
    best = int(np.argmin(marginal_errors(means)[: len(means) - LAST_BATCHES + 1]))
    if best > len(means) / 2:
        return Truncation(n, None, "no steady state: the smallest marginal standard error lies in the second half")
    return Truncation(n, best * BATCH)


def marginal_errors(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """For d = 0..m-1: sum over i > d of (b_i - their mean)^2, over (m - d)^2."""
    import numpy as np

    centred = (means - np.median(means))[::-1]  # about the middle, so that squares stay small
    left = np.arange(1, len(means) + 1)
    squares = np.cumsum(centred**2) - np.cumsum(centred) ** 2 / left
    errors: NDArray[np.float64] = (np.maximum(squares, 0.0) / left**2)[::-1]
    return errors


def steadiness(
    values: Sequence[float] | NDArray[np.float64], *, margin: float = MARGIN, alpha: float = ALPHA
) -> Steadiness:
    """The class of a series in order of time. alpha: of each of the two tests; divide it by the series judged."""
    import numpy as np

    series = np.asarray(values, dtype=float)
    found = mser5(series)
    if found.n < NEEDED:
        return Steadiness(found.n, None, refused=found.refused)
    cut = found.cut or 0
    steady = series[cut:]
    level = float(steady.mean())
    p, slope = trend(_stretches(steady))
    change = _share(slope, level)
    warm_up = _share(float(series[:cut].mean()) - level, level) if cut else None
    kind = "flat"
    if p < alpha and change is not None and abs(change) > margin:
        kind = "drifting"
    elif warm_up is not None and abs(warm_up) > margin and _differs(series, cut, alpha):
        kind = "warm-up"
    return Steadiness(found.n, kind, cut, found.cut is not None, change, warm_up, p)


def trend(values: NDArray[np.float64]) -> tuple[float, float]:
    """Mann-Kendall's two-sided p, and the Theil-Sen slope times the length of the series; at least two values."""
    import numpy as np

    rows, columns = np.triu_indices(len(values), 1)
    steps = values[columns] - values[rows]
    s = float(np.sign(steps).sum())
    n = len(values)
    ties = np.unique(values, return_counts=True)[1].astype(float)
    variance = (n * (n - 1) * (2 * n + 5) - float((ties * (ties - 1) * (2 * ties + 5)).sum())) / 18
    slope = float(np.median(steps / (columns - rows))) * (n - 1)
    if variance <= 0 or s == 0:
        return 1.0, slope
    z = (abs(s) - 1) / math.sqrt(variance)
    return math.erfc(z / math.sqrt(2)), slope


def _differs(series: NDArray[np.float64], cut: int, alpha: float) -> bool:
    """Whether the cut part's batch means lie elsewhere than the steady part's: Wilcoxon's rank sum, normal form."""
    import numpy as np

    means = _batch_means(series)
    early = cut // BATCH
    late = len(means) - early
    _, places, counts = np.unique(means, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    n = len(means)
    variance = early * late / 12 * (n + 1 - float((counts**3 - counts).sum()) / (n * (n - 1)))
    if variance <= 0:
        return False
    z = abs(float(ranks[:early].sum()) - early * (n + 1) / 2) / math.sqrt(variance)
    return math.erfc(z / math.sqrt(2)) < alpha


def _batch_means(series: NDArray[np.float64]) -> NDArray[np.float64]:
    whole = len(series) // BATCH
    means: NDArray[np.float64] = series[: whole * BATCH].reshape(whole, BATCH).mean(axis=1)
    return means


def _stretches(series: NDArray[np.float64]) -> NDArray[np.float64]:
    """At most 32 means of stretches as equal as can be, none shorter than a batch."""
    import numpy as np

    parts = np.array_split(series, max(2, min(_STRETCHES, len(series) // BATCH)))
    return np.array([part.mean() for part in parts])


def _share(part: float, whole: float) -> float | None:
    return part / abs(whole) if whole else None
