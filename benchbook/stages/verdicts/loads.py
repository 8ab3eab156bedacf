"""Reasons out of when trials started and ended: was the load that was asked for the load that was given?

All of a target's attempted trials count, warm-up included: a flow has no phases.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from benchbook.config import VerdictSpec
from benchbook.stages.verdicts.evidence import Evidence, Flow, flows
from benchbook.stages.verdicts.reasons import Reason, beyond

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEAST_STARTS = 20
LEAST_ARRIVALS = 100
LEAST_STEADY_S = 1.0
LEAST_TURNOVERS = 10
"""A flow is judged from so many mean times, or so many times its slots, on."""


def loads(evidence: Evidence, limits: VerdictSpec) -> Iterator[Reason]:
    """Schedule lag and rate of open loops, concurrency of closed ones, Little's law of both, by target.

    Not of a target whose breaker opened, and not the lateness of trials that waited for room under the plan's cap: that
    they were late is what the plan asked for, and said as such. Of a target that takes turns its worst leg speaks.
    """
    for target in (target for target in evidence.targets if target not in evidence.openings):
        rows = evidence.of(target)
        found = [reason for flow in flows(rows) for reason in _reasons(target, flow, evidence, limits)]
        if rows["block"].null_count < len(rows):
            found = [max(same, key=lambda reason: reason.value or 0.0) for same in _by_code(found)]
        yield from found


def _reasons(target: str, flow: Flow, evidence: Evidence, limits: VerdictSpec) -> Iterator[Reason]:
    found: list[Reason | None] = []
    if evidence.load.open and not evidence.load.capped:
        found += [_lag(target, flow, limits), _rate(target, flow, limits)]
    elif not evidence.load.open and evidence.load.slots is not None and not evidence.load.paused:
        found += [_concurrency(target, flow, evidence.load.slots, limits)]
    if evidence.load.steady:
        found += [_little(target, flow, limits)]
    yield from (reason for reason in found if reason is not None)


def _by_code(reasons: list[Reason]) -> Iterator[list[Reason]]:
    for code in dict.fromkeys(reason.code for reason in reasons):
        yield [reason for reason in reasons if reason.code == code]


def _lag(target: str, flow: Flow, limits: VerdictSpec) -> Reason | None:
    import numpy as np

    limit = limits.schedule_lag_p99_ms
    if limit is None or len(flow.started) < LEAST_STARTS:
        return None
    lag_ms = float(np.quantile(flow.started - flow.intended, 0.99)) * 1000
    if lag_ms <= limit:
        return None
    said = f"trials started {lag_ms:.1f} ms late at p99, at most {limit:g} ms may be"
    return Reason("schedule_lag", said, lag_ms, limit, target, beyond(lag_ms, limit, limits.invalid_factor))


def _rate(target: str, flow: Flow, limits: VerdictSpec) -> Reason | None:
    """Rates between the first and the last start, so that a short run's draining does not count against it."""
    limit, n = limits.rate_shortfall, len(flow.started)
    offered_s = float(flow.intended.max() - flow.intended.min())
    took_s = float(flow.started.max() - flow.started.min())
    if limit is None or n < LEAST_STARTS or not offered_s or not took_s:
        return None
    shortfall = 1 - offered_s / took_s
    if shortfall <= limit:
        return None
    rates = f"{(n - 1) / took_s:.1f} trials a second were started of {(n - 1) / offered_s:.1f} offered"
    said = f"{rates}: {shortfall:.0%} short, at most {limit:.0%} may be"
    return Reason("rate_not_reached", said, shortfall, limit, target, beyond(shortfall, limit, limits.invalid_factor))


def _concurrency(target: str, flow: Flow, slots: int, limits: VerdictSpec) -> Reason | None:
    """Mean in flight between the start that fills the last slot and the last start: there all slots have work."""
    limit = limits.concurrency_shortfall
    if limit is None or len(flow.started) < LEAST_TURNOVERS * slots:
        return None
    opens, closes = float(flow.started[slots - 1]), float(flow.started[-1])
    if closes - opens < LEAST_STEADY_S:
        return None
    mean = in_flight(flow, opens, closes)
    shortfall = 1 - mean / slots
    if shortfall <= limit:
        return None
    said = f"{mean:.1f} trials of {slots} asked were in flight: {shortfall:.0%} short, at most {limit:.0%} may be"
    return Reason("concurrency_not_reached", said, shortfall, limit, target)


def _little(target: str, flow: Flow, limits: VerdictSpec) -> Reason | None:
    """Little's law over the middle 80 % of the starts: L against rate x mean time of those that arrived there.

    The two agree for a flow that neither grows nor shrinks; they part where a queue builds up or drains.
    """
    import numpy as np

    limit = limits.little_law_gap
    opens, closes = (float(edge) for edge in np.quantile(flow.started, [0.1, 0.9]))
    inside = (flow.started >= opens) & (flow.started < closes)
    arrived = int(inside.sum())
    if limit is None or arrived < LEAST_ARRIVALS:
        return None
    mean_s = float((flow.ended - flow.started)[inside].mean())
    if not mean_s or closes - opens < LEAST_TURNOVERS * mean_s:
        return None
    mean = in_flight(flow, opens, closes)
    product = arrived / (closes - opens) * mean_s
    gap = abs(mean / product - 1)
    if gap <= limit:
        return None
    said = f"{mean:.2f} in flight, but rate x mean time is {product:.2f}: {gap:.0%} apart, at most {limit:.0%} may be"
    return Reason("little_law", said, gap, limit, target)


def in_flight(flow: Flow, opens: float, closes: float) -> float:
    """The time-weighted mean number in flight between two instants."""
    import numpy as np

    inside: NDArray[np.float64] = np.clip(flow.ended, opens, closes) - np.clip(flow.started, opens, closes)
    return float(inside.sum()) / (closes - opens)
