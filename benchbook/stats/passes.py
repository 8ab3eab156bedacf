"""How dependably tasks are solved: pass^k (all of k tries pass) and pass@k (at least one does), from repetitions.

Of a case with n tries, c of them passed, both are unbiased over the ways to draw k of the n without putting back:

    pass^k = C(c, k) / C(n, k)            (Yao et al., tau-bench, arXiv 2406.12045)
    pass@k = 1 - C(n - c, k) / C(n, k)    (Chen et al., arXiv 2107.03374)

The share of a set of cases is the mean over them, and the case is the cluster of its interval: k tries of one prompt
are no k prompts. A k that a case's repetitions don't carry is refused: leaving that case out would change the set.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchbook.stats.proportions import CLUSTERS_NEEDED, clustered

Tries = tuple[int, int]
"""Of one case: how many there were, and how many of them passed."""


@dataclass(frozen=True, slots=True)
class PassRate:
    """A share over cases with its interval; None where `refused` says why. The share may stand where the interval
    can't."""

    k: int
    cases: int
    trials: int
    share: float | None = None
    low: float | None = None
    high: float | None = None
    refused: str | None = None


def pass_hat_k(cases: Sequence[Tries], k: int, confidence: float = 0.95) -> PassRate:
    """pass^k over cases: the chance that all of k tries at a case pass."""
    return _rate(cases, k, confidence, [drawn(passed, n, k) for n, passed in cases if n >= k])


def pass_at_k(cases: Sequence[Tries], k: int, confidence: float = 0.95) -> PassRate:
    """pass@k over cases: the chance that at least one of k tries at a case passes."""
    return _rate(cases, k, confidence, [1 - drawn(n - passed, n, k) for n, passed in cases if n >= k])


def drawn(some: int, n: int, k: int) -> float:
    """C(some, k) / C(n, k): the chance that k draws out of n, none put back, all are of `some`."""
    return math.prod((max(some - i, 0)) / (n - i) for i in range(k))


def _rate(cases: Sequence[Tries], k: int, confidence: float, shares: Sequence[float]) -> PassRate:
    if k < 1 or any(not 0 <= passed <= n for n, passed in cases):
        raise ValueError("a pass rate needs k from 1 on, and no more passes than tries")
    trials = sum(n for n, _ in cases)
    if not cases or len(shares) < len(cases):
        fewest = min((n for n, _ in cases), default=0)
        lacking = f"needs {k} repetitions of each test case, has {fewest}" if cases else "no test case was judged"
        return PassRate(k, len(cases), trials, refused=lacking)
    bounds = clustered(shares, trials, confidence)
    refused = None if bounds else f"an interval needs {CLUSTERS_NEEDED} test cases, has {len(cases)}"
    low, high = bounds or (None, None)
    return PassRate(k, len(cases), trials, math.fsum(shares) / len(shares), low, high, refused)
