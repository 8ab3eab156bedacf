"""Stage `validate` as a Prefect task."""

from __future__ import annotations

import asyncio

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from benchbook.errors import DatasetError
from benchbook.stages import Job, Validated
from tasks.live import watcher
from tasks.retries import worth_another_try


@task(name="validate", cache_policy=NO_CACHE, retries=1, retry_delay_seconds=1, retry_condition_fn=worth_another_try)
async def validate(job: Job) -> Validated:
    """Refuse unfit datasets. Raises UserError."""
    from benchbook.stages.validate import validate as stage

    try:
        validated = await asyncio.to_thread(stage, job)
    except DatasetError as error:
        for problem in error.problems:
            get_run_logger().error(problem)
        raise
    for note in validated.notes:
        watcher().say(f"note: {note}")
    return validated
