"""The bare API call: one request, its retries, and nothing else."""

from __future__ import annotations

from random import Random

from benchbook.clock import monotonic_ns
from benchbook.records import PlannedTrial, Trial
from benchbook.workloads import Desk, Slot
from benchbook.workloads.attempts import SECOND_NS, Ask, ask, finished


async def run(planned: PlannedTrial, desk: Desk, slot: Slot) -> Trial:
    """One trial: attempts until success, a failure that no retry mends, or the trial's timeout."""
    started_ns = monotonic_ns()
    one = Ask(
        name=f"{planned.trial_id}-",
        provider=desk.provider(planned.target),
        request=desk.request(planned),
        intended_ns=slot.intended_ns,
        taken_up_ns=started_ns,
        deadline_ns=started_ns + round(desk.timeout_s * SECOND_NS),
        chance=Random(planned.seed),  # noqa: S311
    )
    told = await ask(desk, slot, one)
    slot.release(told.calls[-1].closed_ns)
    return finished(planned, (slot.intended_ns, started_ns), told)
