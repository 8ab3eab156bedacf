"""Where trials of a target wait while its breaker is open: they are neither failed nor dropped, only later.

A trial waits before it is taken up, so its deadline has not begun and the wait shows as schedule lag. A retry waits
as part of its back-off, at most until its trial's time is up. Nobody polls: whoever waits sleeps until the pause is
over or the breaker changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from benchbook.clock import monotonic_ns
from benchbook.config import BreakerSpec
from benchbook.records import Call, Event
from benchbook.runner.breaker import CLOSED, HALF_OPEN, OPEN, Breaker, Heard, Rule

_SECOND_NS = 1_000_000_000
_TICK_NS = 1_000_000

STATE_WORDS = {OPEN: "breaker open", HALF_OPEN: "breaker half open"}
"""What a live view says of a target whose breaker is not closed."""


def rule_of(spec: BreakerSpec) -> Rule:
    """The plan's words in nanoseconds."""
    return Rule(
        failure_share=spec.failure_share,
        window=spec.window,
        min_calls=spec.min_calls,
        open_ns=round(spec.open_s * _SECOND_NS),
        cap_ns=round(spec.cap_s * _SECOND_NS),
        probes=spec.probes,
        counts=frozenset(spec.counts),
        window_ns=None if spec.window_s is None else round(spec.window_s * _SECOND_NS),
    )


def gates(spec: BreakerSpec | None, targets: Iterable[str], tell: Callable[[Event], None]) -> dict[str, Gate]:
    """A gate for each target; none where the plan has no breaker, so that a call costs nothing more."""
    if spec is None:
        return {}
    return {target: Gate(Breaker(rule_of(spec), target, monotonic_ns(), tell)) for target in targets}


class Gate:
    """One target's gate, on the loop that measures."""

    def __init__(self, breaker: Breaker) -> None:
        self._breaker = breaker
        self._changed = asyncio.Event()

    @property
    def state(self) -> str:
        """`closed`, `open` or `half_open`."""
        return self._breaker.state

    @property
    def holds(self) -> bool:
        """Whether not every call may begin at once."""
        return self._breaker.state != CLOSED

    async def admitted(self, deadline_ns: int | None = None) -> bool:
        """Wait until a call may begin; False if `deadline_ns` comes first."""
        while not self._breaker.admit(now_ns := monotonic_ns()):
            until_ns = self._breaker.until_ns if self._breaker.state == OPEN else None
            if deadline_ns is not None:
                if now_ns >= deadline_ns:
                    return False
                until_ns = deadline_ns if until_ns is None else min(until_ns, deadline_ns)
            await self._change(None if until_ns is None else max(until_ns - now_ns, _TICK_NS))
        return True

    def hear(self, call: Call) -> None:
        """Take in how a call ended, and wake whom it concerns. One never sent speaks of when it was given up."""
        began_ns = call.closed_ns if call.sent_ns is None else call.sent_ns
        self.heard(Heard(began_ns, call.closed_ns, call.error_kind, call.retry_after_s))

    def heard(self, end: Heard) -> None:
        """Take in how something ended, and wake whom it concerns."""
        before = self._breaker.state
        self._breaker.hear(end)
        if self._breaker.state != before or before == HALF_OPEN:
            self._changed.set()
            self._changed = asyncio.Event()

    async def _change(self, within_ns: int | None) -> None:
        try:
            async with asyncio.timeout(None if within_ns is None else within_ns / _SECOND_NS):
                await self._changed.wait()
        except TimeoutError:
            return
