"""Stage `aggregate` as a Prefect task."""

from __future__ import annotations

import asyncio

from prefect import task
from prefect.cache_policies import NO_CACHE

from benchbook.stages import Aggregated, Job
from tasks.retries import worth_another_try


@task(name="aggregate", cache_policy=NO_CACHE, retries=2, retry_delay_seconds=1, retry_condition_fn=worth_another_try)
async def aggregate(job: Job) -> Aggregated:
    """Compute the figures over all runs. Raises UserError."""
    from benchbook.stages.aggregate import aggregate as stage

    return await asyncio.to_thread(stage, job)
