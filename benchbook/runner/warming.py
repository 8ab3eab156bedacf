"""Connections opened before the load starts, so that its first wave is not a wave of handshakes.

The first request on each is still marked cold and carries the set-up's time; nothing is sent on them before. What
can't be opened is left to the trials, which say why.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping

from benchbook.clock import monotonic_ns
from benchbook.errors import BenchbookError
from benchbook.providers import Provider
from benchbook.providers.transport import Transport
from benchbook.records import Target
from benchbook.runner.descriptors import room
from benchbook.runner.lanes import Share
from benchbook.runner.plan import Plan

_PATIENCE_NS = 5_000_000_000
MOST_AHEAD = 256
"""So many at most for an open loop, whose number in flight nobody knows ahead: those of its first second."""


async def warm(plan: Plan, providers: Mapping[str, Provider], transport: Transport, share: Share) -> None:
    """Open as many connections as the process's share of each target's load will use, where the plan asks for it.

    Fewer where the process may not have so many files open: the journal needs some as well.
    """
    if plan.spec.execute.warm_connections:
        count, spare = connections(plan, share), room()
        most = count if spare is None else min(count, spare // len(plan.targets))
        await asyncio.gather(
            *(_warm(plan, target, (providers[name], transport), most) for name, target in plan.targets.items())
        )


async def _warm(plan: Plan, target: Target, through: tuple[Provider, Transport], count: int) -> None:
    provider, transport = through
    prompt = next(iter(plan.prompts.values()), None)
    if prompt is None:
        return
    try:
        url = provider.prepare(plan.request_to(target, prompt)).url
        await transport.warm(url, count, monotonic_ns() + _PATIENCE_NS)
    except BenchbookError:
        return  # each trial will meet it too, and tell


def connections(plan: Plan, share: Share) -> int:
    """How many trials of one target the share may have in flight: its slots, or the first second of its schedule."""
    load = plan.load
    most = max((level.slots for level in load.levels), default=0)
    if most:
        return share.slots(min(most, len(plan.trials.lanes[0]) if plan.trials.lanes else 0))
    return share.slots(min(MOST_AHEAD, math.ceil(load.opening_per_s or 1.0)))
