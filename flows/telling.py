"""After a run: tell what its history has to tell, where the plan asks for it. Never at the cost of the run."""

from __future__ import annotations

import asyncio

from benchbook.errors import BenchbookError
from benchbook.stages import Job


async def alerts_told(job: Job, run_id: str) -> list[str]:
    """Lines for a person; one that says what went wrong, where something did: the run is complete all the same."""
    from benchbook.stages.alerting import told_after_run

    try:
        return await asyncio.to_thread(told_after_run, job, run_id)
    except (BenchbookError, OSError) as error:
        return [f"alerts: not told ({error})"]
