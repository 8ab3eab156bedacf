"""Stage `store` as a Prefect task."""

from __future__ import annotations

import asyncio

from prefect import task
from prefect.cache_policies import NO_CACHE

from benchbook.stages import Job, Stored
from tasks.live import watcher
from tasks.retries import worth_another_try


@task(name="store", cache_policy=NO_CACHE, retries=2, retry_delay_seconds=1, retry_condition_fn=worth_another_try)
async def store(job: Job, run_id: str) -> Stored:
    """Write the run's Parquet partitions. Raises UserError."""
    from benchbook.stages.store import store as stage

    stored = await asyncio.to_thread(stage, job, run_id, watcher().on_stored)
    for name in stored.damaged:
        watcher().say(f"note: passed over: {name}")
    return stored
