"""How far a trial of a team may go, by its limits and by arithmetic alone. Pure.

The call under way when a limit is reached comes on top, and so do retries: limits are looked at before a call.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from benchbook.records import Limits, Price, Team

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Bounds:
    """At most, in one trial; None = no limit says so. tokens_in and tokens_out are each an upper bound, their sum is
    within `tokens`."""

    calls: int
    tokens: int | None
    tokens_in: int | None
    tokens_out: int | None
    time_s: float | None
    handoffs: int
    cost_usd: float | None


def bounds(team: Team, timeout_s: float, max_tokens: int | None, prices: Iterable[Price | None]) -> Bounds:
    """What a trial of the team may take. max_tokens: of an answer; prices: of every target that it may use."""
    limits = _tightest(team)
    output = limits.tokens if max_tokens is None else limits.steps * max_tokens
    if output is not None and limits.tokens is not None:
        output = min(output, limits.tokens)
    times = [timeout_s] if limits.time_s is None else [timeout_s, limits.time_s]
    costs = [_cost(price, limits, output) for price in prices]
    known = [cost for cost in costs if cost is not None]
    cost = max(known) if known and len(known) == len(costs) else None
    if limits.usd is not None:
        cost = limits.usd if cost is None else min(cost, limits.usd)
    handoffs = limits.handoffs if team.workload == "multi_agent" else 0
    return Bounds(limits.steps, limits.tokens, limits.tokens, output, min(times), handoffs, cost)


def _tightest(team: Team) -> Limits:
    """The team's limits; of a team of one, the narrower of its and its member's."""
    own = team.members[0].limits if team.kind == "agent" else None
    if own is None:
        return team.limits

    def least(name: str) -> float | None:
        return min(
            (value for value in (getattr(own, name), getattr(team.limits, name)) if value is not None), default=None
        )

    return Limits(**{name: least(name) for name in Limits.__slots__})  # type: ignore[arg-type]


def _cost(price: Price | None, limits: Limits, output: int | None) -> float | None:
    """The dearest split of the tokens: as many as may be are the dearer kind."""
    if price is None or price.input is None or price.output is None or limits.tokens is None or output is None:
        return None
    out = output if price.output >= price.input else 0
    spent = (limits.tokens - out) * price.input + out * price.output
    return spent / _MILLION + (price.request or 0) * limits.steps
