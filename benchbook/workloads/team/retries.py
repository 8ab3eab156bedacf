"""Our own retry policy as an agent's: what is tried again, after how long, is decided as for a bare call.

The decision is made on the decoded call; every attempt is a row and every back-off a `rate_limit_wait` span. A retry
waits for the target's breaker, and no wait outlives the trial.
"""

from __future__ import annotations

from typing import Any

from strands.event_loop._retry import ModelRetryStrategy
from strands.hooks import AfterModelCallEvent, HookRegistry

from benchbook.clock import monotonic_ns, sleep_until
from benchbook.records import Call
from benchbook.workloads.attempts import SECOND_NS, STAYED_OPEN
from benchbook.workloads.team.asking import Asking
from benchbook.workloads.team.collector import Opening, here
from benchbook.workloads.team.work import Work


class Retries(ModelRetryStrategy):
    """The plan's `retries` for one agent."""

    def __init__(self, work: Work, target: str) -> None:
        super().__init__(max_attempts=1)
        self._work, self._target = work, target

    def register_hooks(self, registry: HookRegistry, **_: Any) -> None:
        registry.add_callback(AfterModelCallEvent, self._after_model)

    async def _after_model(self, event: AfterModelCallEvent) -> None:
        around = here()
        if around is None or around.asking is None:
            return
        asking: Asking = around.asking
        await asking.closed()
        if event.exception is None:
            return
        newest = await asking.newest()
        if newest is None:
            around.fails(f"{type(event.exception).__name__}: {event.exception}")
            return
        call, _ = newest
        around.fails(call.error_message or str(event.exception))
        event.retry = await self._again(call, asking, around)

    async def _again(self, call: Call, asking: Asking, around: Opening) -> bool:
        """Wait as the policy says; whether to try again."""
        work = self._work
        decision = work.desk.retries.decide(call, call.attempt, work.chance, work.deadline_ns)
        work.reasons[around.agent] = decision.reason
        if decision.wait_s is None:
            return False
        from_ns = monotonic_ns()
        said = f"back-off after {call.error_kind}"
        with work.collector.inside("rate_limit_wait", said, started_ns=from_ns) as waiting:
            waiting.says("", attempt=call.attempt, wait_s=round(decision.wait_s, 6))
            await sleep_until(from_ns + round(decision.wait_s * SECOND_NS))
            admitted = await work.desk.admitted(self._target, work.deadline_ns)
        if not admitted:
            work.reasons[around.agent] = f"not retried: {STAYED_OPEN}"
            return False
        asking.backoff_ns = monotonic_ns() - from_ns
        asking.again = True
        around.status, around.error = "ok", None
        return True
