"""Shares with Wilson's interval, which stays inside 0..1 and holds for small counts and for shares near the ends.

It takes trials as independent. Repeats of one prompt are not: a claim over prompts needs the prompt as cluster.
"""

from __future__ import annotations

from dataclasses import dataclass


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
