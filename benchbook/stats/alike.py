"""Are neighbours in time more alike than others, and how much less do n such values say than n independent ones? Pure.

A queue, a warm cache or a busy quarter of a minute makes neighbouring trials alike. An interval that takes values as
independent is then too narrow, by the root of the inflation

    f = 1 + 2 sum over k of r_k,       r_k: correlation of values k places apart

by which the variance of a mean over a stretch of the series exceeds that of independent values. The correlations are
of ranks, so that a heavy tail decides nothing; the sum ends where neighbouring pairs r_2m + r_2m+1 stop being positive
and may not rise (Geyer's initial monotone sequence, Statistical Science 7, 1992), so that noise far out is left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NEEDED = 20
"""Below so many values the correlation of neighbours says nothing."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """r: rank correlation of neighbours among n; p: one-sided, of `independent`; factor: f, 1 or more."""

    n: int
    r: float
    p: float
    factor: float


def likeness(values: Sequence[float] | NDArray[np.float64]) -> Likeness | None:
    """How alike neighbours are; None for fewer than NEEDED values, or where all are equal."""
    import numpy as np

    of = np.asarray(values, dtype=float)
    n = len(of)
    if n < NEEDED:
        return None
    ranks = _ranks(of)
    if not ranks.any():
        return None
    r = correlations(ranks)
    z = (float(r[1]) + 1 / n) * math.sqrt(n)
    return Likeness(n, float(r[1]), math.erfc(z / math.sqrt(2)) / 2, inflation(r))


def correlations(centred: NDArray[np.float64]) -> NDArray[np.float64]:
    """r_0 = 1, r_1, ... up to a third of the series; the values' mean is 0. By the Fourier transform, in n log n."""
    import numpy as np

    n = len(centred)
    size = 1 << (2 * n - 1).bit_length()
    spectrum = np.abs(np.fft.rfft(centred, size)) ** 2
    sums: NDArray[np.float64] = np.fft.irfft(spectrum, size)[: max(2, n // 3)]
    return sums / sums[0]


def inflation(r: NDArray[np.float64]) -> float:
    """1 + 2 sum r_k over the initial monotone sequence; never below 1."""
    import numpy as np

    even = len(r) // 2 * 2
    pairs = r[:even].reshape(-1, 2).sum(axis=1)
    ended = np.nonzero(pairs <= 0)[0]
    kept = np.minimum.accumulate(pairs[: ended[0] if len(ended) else len(pairs)])
    return max(1.0, float(2 * kept.sum() - 1))


def _ranks(of: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mid-ranks about their mean."""
    import numpy as np

    _, places, counts = np.unique(of, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    found: NDArray[np.float64] = ranks - (len(of) + 1) / 2
    return found
