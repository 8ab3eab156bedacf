"""Money: a dated price vector times reported usage.

`Usage.input` holds all prompt tokens and `Usage.output` all generated ones, so what is cached, written to the
cache or reasoned is taken out before it is priced apart. Reasoning is priced as output unless the vector has a
price of its own for it. A vector without a per-request price charges none; any other price that is needed and
unknown makes the cost unknown. Never an estimate, never a clamp.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from benchbook.measure.provenance import DERIVED, Known, missing
from benchbook.measure.usage import counts
from benchbook.records import Call, Price, Usage

_TOKENS_PER_PRICE = 1_000_000


def cost_usd(price: Price | None, usage: Usage) -> Known:
    """What one call cost in USD, or None and why."""
    if price is None:
        return missing("no price")
    if usage.input is None or usage.output is None:
        return missing("usage not reported")
    parts = _parts(price, usage, usage.input, usage.output)
    for name, tokens, per_million in parts:
        if tokens < 0:
            return missing(f"reported usage contradicts itself ({name} tokens: {tokens})")
        if tokens > 0 and per_million is None:
            return missing(f"{name} price unknown")
    total = math.fsum(tokens * (per_million or 0.0) for _, tokens, per_million in parts)
    return total / _TOKENS_PER_PRICE + (price.request or 0.0), DERIVED


def trial_cost_usd(price: Price | None, calls: Sequence[Call]) -> Known:
    """The sum over a trial's calls that count (`usage.counts`); unknown as soon as one of them is."""
    return summed_usd(calls, [cost_usd(price, call.usage) for call in calls])


def summed_usd(calls: Sequence[Call], costs: Sequence[Known]) -> Known:
    """`trial_cost_usd` from what each call cost."""
    return summed([cost for call, cost in zip(calls, costs, strict=True) if counts(call)])


def summed(known: Sequence[Known]) -> Known:
    """The sum of what the calls that count cost; unknown as soon as one of them is."""
    if not known:
        return missing("no call was answered")
    unknown = next((reason for value, reason in known if value is None), None)
    if unknown is not None:
        return None, unknown
    return math.fsum(value for value, _ in known if value is not None), DERIVED


def _parts(price: Price, usage: Usage, tokens_in: int, tokens_out: int) -> list[tuple[str, int, float | None]]:
    """(name, tokens, price per million) of every part of a call's usage."""
    cached, written = usage.cached or 0, usage.cache_write or 0
    reasoned = 0 if price.reasoning is None else usage.reasoning or 0
    return [
        ("input", tokens_in - cached - written, price.input),
        ("cached", cached, price.cached),
        ("cache_write", written, price.cache_write),
        ("output", tokens_out - reasoned, price.output),
        ("reasoning", reasoned, price.reasoning),
    ]
