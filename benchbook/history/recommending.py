"""Which target to take: quality, latency, cost and reliability of comparable targets, side by side, with intervals.

Targets are compared on the test cases that they share; the case is the cluster. What the stored runs can't carry is
refused, with the reason and the command that would supply what is lacking; no number stands in for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]

LATENCIES = ("e2e_ms", "ttft_ms")
"""What the latency axes may be of."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """about: whom or what; reason: why it can't be said; command: what would supply what is lacking."""

    about: str
    reason: str
    command: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked. volume: trials a month, or (unit `tokens`) tokens a month; reference: the target that savings are
    said against (None: the one with the best score); most: upper limits by axis, least: lower limits by axis;
    score_margin in 0..1; prices: a price file to take in the place of the stored prices."""

    sides: Sequence[str] = ()
    latency: str = "e2e_ms"
    volume: float | None = None
    unit: str = "trials"
    reference: str | None = None
    most: Mapping[str, float] = field(default_factory=dict)
    least: Mapping[str, float] = field(default_factory=dict)
    score_margin: float = 0.03
    prices: str | None = None
    confidence: float = 0.95


@dataclass(frozen=True, slots=True)
class Recommendation:
    """rows: one a target and workload, best first (keys: see `recommendation`); pairs: one a pair of them and axis;
    sentences: what may be said; refusals: what may not; notes: what a reader must know beside it."""

    runs: tuple[str, ...]
    workload_hash: str | None
    rows: tuple[Row, ...]
    pairs: tuple[Row, ...]
    sentences: tuple[str, ...]
    refusals: tuple[Refusal, ...]
    notes: tuple[str, ...]


def recommendation(results: str | Path, wish: Wish | None = None) -> Recommendation:
    """Compare the targets of comparable runs. Raises UserError for a side that selects nothing.

    A row has: target, workload, provider, model, runs (how many), cases, attempted, succeeded, failed; of each axis
    (`score`, `LATENCY_p50`, `LATENCY_p95` for both of LATENCIES, `cost_usd` a trial, `cost_usd_per_solved`,
    `failure_share`) NAME, NAME_low, NAME_high, NAME_refused; price_date; standing (`front`, `may be dominated`,
    `dominated`, `not comparable`), dominated_by (targets), meets (whether the wish's limits are met: `yes`, `no`,
    `cannot tell`), monthly_usd with _low and _high; tokens_in and tokens_out a trial, output_per_input, cached_share,
    verbosity (length of answer over length of reference), verbosity_to_cheapest.

    A pair has: a, b (targets), workload, axis, cases, ratio or difference (b against a) with low, high, and says.
    """
    raise NotImplementedError
