"""The retry policy: exponential back-off with full jitter, Retry-After honoured, every attempt a call of its own.

Pure: the randomness is passed in, and time enters as the failed call's own stamps. Only kinds in
`records.RETRYABLE` are tried again; a trial that timed out never is. The ceiling is tenacity's
(min(cap, base x 2^(n-1))); the jitter is full: uniform between nothing and the ceiling (Brooker, "Exponential
Backoff And Jitter", AWS Architecture Blog, 2015).
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from types import SimpleNamespace
from typing import Any, cast

from tenacity.wait import wait_exponential

from benchbook.records import RETRYABLE, Call


@dataclass(frozen=True, slots=True)
class Decision:
    """Wait that long and try again, or (`wait_s` None) give up; `reason` says why in either case."""

    wait_s: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """attempts: how often one call is tried in all, the first try included (3: at most two retries).
    base_s: the first ceiling; cap_s: the largest."""

    attempts: int = 3
    base_s: float = 1.0
    cap_s: float = 30.0

    def ceiling_s(self, attempt: int) -> float:
        """The longest back-off after the attempt of that number (from 1)."""
        wait = wait_exponential(multiplier=self.base_s, max=self.cap_s)
        return float(wait(cast("Any", SimpleNamespace(attempt_number=attempt))))

    def decide(self, call: Call, attempt: int, rng: Random, deadline_ns: int | None = None) -> Decision:
        """What to do after this call, the attempt of that number (from 1).

        A wait that would reach the deadline (monotonic ns, counted from the call's end) is not begun.
        """
        if call.error_kind is None:
            return Decision(None, "it succeeded")
        if call.error_kind not in RETRYABLE:
            return Decision(None, f"{call.error_kind} is not retried")
        if attempt >= self.attempts:
            return Decision(None, f"gave up after {attempt} attempts")
        asked_s = call.retry_after_s or 0.0
        wait_s = max(asked_s, rng.uniform(0.0, self.ceiling_s(attempt)))
        if deadline_ns is not None and call.closed_ns + wait_s * 1e9 >= deadline_ns:
            asked = f"the server asks for {asked_s:g} s" if asked_s >= wait_s else f"the back-off is {wait_s:.1f} s"
            left_s = max(0.0, (deadline_ns - call.closed_ns) / 1e9)
            return Decision(None, f"not retried: {asked}, and {left_s:.1f} s of the trial's time are left")
        return Decision(wait_s, f"{call.error_kind}: attempt {attempt + 1} of {self.attempts} after {wait_s:.2f} s")

    def next_wait(self, call: Call, attempt: int, rng: Random, deadline_ns: int | None = None) -> float | None:
        """Seconds to wait before the next attempt, or None: no further one."""
        return self.decide(call, attempt, rng, deadline_ns).wait_s
