"""What a comparison stands on: resampled prompts, flipped signs, ranks, discordant pairs. Pure, seeded by the caller.

The case (the prompt) is the cluster: whole cases are resampled, never single trials, and signs are flipped case by
case. Mirrored input gives the exact mirror image: swapping the sides of a comparison inverts it to the bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CASES_NEEDED = 6
"""With C cases a sign flip has 2^C outcomes; 6 is the first C whose smallest two-sided p, 2 / 64, is below 0.05."""

_ENUMERABLE = 13
_MOST_DRAWS = 20_000_000
_BATCH_DRAWS = 2_000_000


@dataclass(frozen=True, slots=True)
class Discordant:
    """Cases that one side alone solved, and McNemar's exact two-sided p; 1 where there is none."""

    only_a: int
    only_b: int
    p: float


def cluster_interval(
    differences: Sequence[float], rng: np.random.Generator, *, confidence: float = 0.95
) -> tuple[float, float]:
    """Bootstrap interval of the mean of per-cluster differences, resampling clusters; at least two of them.

    A plain percentile interval is too narrow for few clusters (Hesterberg, The American Statistician 69, 2015), so the
    percentiles are moved out to where a normal of the bootstrap's spread reaches t (C - 1) of the sample's spread.
    """
    import numpy as np

    of = np.asarray(differences, dtype=float)
    size = len(of)
    means = _batched(of, lambda rows: of[rng.integers(0, size, (rows, size))].mean(axis=1))
    return outer(means, cases=size, confidence=confidence)


def outer(draws: NDArray[np.float64], *, cases: int, confidence: float) -> tuple[float, float]:
    """The two percentiles of resampled values that an interval over so many cases runs between."""
    import numpy as np
    from scipy.special import ndtr, stdtrit

    reach = stdtrit(cases - 1, (1 + confidence) / 2) * math.sqrt(cases / (cases - 1))
    tail = float(ndtr(-reach))
    return float(np.quantile(draws, tail)), -float(np.quantile(-draws, tail))


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


def mcnemar(a: Sequence[bool], b: Sequence[bool]) -> Discordant:
    """Paired cases, solved or not on either side; the exact test (McNemar 1947) looks at those that differ."""
    only_a = sum(of_a and not of_b for of_a, of_b in zip(a, b, strict=True))
    only_b = sum(of_b and not of_a for of_a, of_b in zip(a, b, strict=True))
    if only_a + only_b == 0:
        return Discordant(0, 0, 1.0)
    from statsmodels.stats.contingency_tables import mcnemar as exact

    found = exact([[0, only_a], [only_b, 0]], exact=True)
    return Discordant(only_a, only_b, min(1.0, float(found.pvalue)))


def _batched(of: NDArray[np.float64], draw: Callable[[int], NDArray[np.float64]]) -> NDArray[np.float64]:
    """9,999 resampled means; fewer (at least 999) for very many clusters, and never all in memory at once."""
    import numpy as np

    wanted = min(9_999, max(999, _MOST_DRAWS // len(of)))
    step = max(1, _BATCH_DRAWS // len(of))
    return np.concatenate([draw(min(step, wanted - done)) for done in range(0, wanted, step)])
