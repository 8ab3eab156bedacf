"""Quantiles with distribution-free intervals from order statistics, and the refusal when there are too few values.

The interval for the q-quantile is a pair of sorted values, x_(low) and x_(high). With B ~ Binomial(n, q) the number
of values at or below the true quantile, it covers with probability P(low <= B <= high - 1), whatever the
distribution is (at least that for one with ties). Of all pairs within 1..n whose coverage reaches the confidence we
take the shortest in ranks; among equally short ones the one that covers most; among equals of these (only q = 1/2
has them) the lower one. A pair of width d covers at most the sum of the d - 1 largest binomial probabilities, and
those lie side by side, so the shortest pair is found by taking probabilities, largest first, until they suffice.

The estimate is the linear interpolation between order statistics at (n - 1) q: Hyndman and Fan's type 7, which is
also numpy's default and DuckDB's `quantile_cont`. `history/macros.sql` says the same in SQL.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

_TAIL_SD = 8
"""Half-width, in standard deviations, of the ranks that are looked at; beyond lies less than 1e-14."""


@dataclass(frozen=True, slots=True)
class Quantile:
    """An estimate with its interval, or None three times and `refused` = "needs 59, has 10"."""

    q: float
    n: int
    value: float | None
    low: float | None
    high: float | None
    refused: str | None = None


@lru_cache(maxsize=1024)
def needs(q: float, confidence: float = 0.95) -> int:
    """The fewest values for which an interval exists: 6 (p50), 29 (p90), 59 (p95), 299 (p99), 2995 (p99.9) at 0.95.

    x_(1) and x_(n) miss the quantile with probability q^n + (1 - q)^n.
    """
    _check(q, confidence)
    n = max(1, math.ceil(math.log(1 - confidence) / math.log(max(q, 1 - q))))
    while q**n + (1 - q) ** n > 1 - confidence:
        n += 1
    return n


@lru_cache(maxsize=4096)
def interval_ranks(n: int, q: float, confidence: float = 0.95) -> tuple[int, int] | None:
    """1-based ranks (low, high) of the interval among n sorted values, None where none reaches the confidence."""
    if n < needs(q, confidence):
        return None
    likely = sorted((-_binomial(k, n, q), k) for k in _near(n, q))
    low = high = likely[0][1]
    covered = 0.0
    for minus_p, k in likely:
        if covered >= confidence:
            break
        covered -= minus_p
        low, high = min(low, k), max(high, k)
    return low, high + 1


def quantile(values: Sequence[float], q: float, confidence: float = 0.95) -> Quantile:
    """The q-quantile of values (in any order) with its interval; refused where the interval does not exist."""
    n = len(values)
    ranks = interval_ranks(n, q, confidence)
    if ranks is None:
        return Quantile(q, n, None, None, None, f"needs {needs(q, confidence)}, has {n}")
    ordered = sorted(values)
    return Quantile(q, n, interpolated(ordered, q), ordered[ranks[0] - 1], ordered[ranks[1] - 1])


def interpolated(ordered: Sequence[float], q: float) -> float:
    """Type 7 estimate from values already sorted; at least one."""
    at = (len(ordered) - 1) * q
    below = math.floor(at)
    above = math.ceil(at)
    return ordered[below] + (at - below) * (ordered[above] - ordered[below])


def _near(n: int, q: float) -> range:
    spread = _TAIL_SD * math.sqrt(n * q * (1 - q)) + _TAIL_SD
    return range(max(1, math.floor(n * q - spread)), min(n - 1, math.ceil(n * q + spread)) + 1)


def _binomial(k: int, n: int, q: float) -> float:
    """P(B = k), written so that for q = 1/2 the values at k and n - k are equal to the last bit."""
    choose = math.lgamma(n + 1) - (math.lgamma(k + 1) + math.lgamma(n - k + 1))
    return math.exp(choose + (k * math.log(q) + (n - k) * math.log(1 - q)))


def _check(q: float, confidence: float) -> None:
    if not 0 < q < 1:
        raise ValueError(f"a quantile lies between 0 and 1, not {q}")
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence lies between 0 and 1, not {confidence}")
