"""The bare API call: one request, its retries, and nothing else."""

from __future__ import annotations

from benchbook.records import PlannedTrial, Trial
from benchbook.workloads import Desk, Slot
from benchbook.workloads.attempts import ask, finished, first_ask


async def run(planned: PlannedTrial, desk: Desk, slot: Slot) -> Trial:
    """One trial: attempts until success, a failure that no retry mends, or the trial's timeout."""
    one = first_ask(planned, desk, slot, name=f"{planned.trial_id}-")
    told = await ask(desk, slot, one)
    slot.release(told.calls[-1].closed_ns)
    return finished(planned, (slot.intended_ns, one.taken_up_ns), told)
