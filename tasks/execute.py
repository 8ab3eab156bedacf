"""Stage `execute` as a Prefect task, with a progress artifact. Never retried: a second try would be another run.

The engine is a process of its own; this one only follows it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from prefect import task
from prefect.artifacts import acreate_progress_artifact, aupdate_progress_artifact
from prefect.cache_policies import NO_CACHE

from benchbook.stages import Executed, Job
from tasks.live import unless_unreachable, watcher

_EVERY_S = 2.0
_PATIENCE_S = 5.0


@task(name="execute", cache_policy=NO_CACHE, task_run_name="execute")
async def execute(job: Job) -> Executed:
    """Measure, or finish the run that the job resumes. Raises UserError."""
    from benchbook.stages.execute import execute_apart as stage

    seen = Seen()
    async with shown(seen):
        executed = await asyncio.to_thread(stage, job, seen)
    for note in executed.notes:
        watcher().say(f"note: {note}")
    return executed


class Seen:
    """Keeps the newest progress and hands each one on to the watcher."""

    def __init__(self) -> None:
        self.fields: Mapping[str, Any] = {}
        self._watcher = watcher()

    def __call__(self, fields: Mapping[str, Any]) -> None:
        self.fields = fields
        self._watcher.on_progress(fields)

    @property
    def percent(self) -> float:
        """Share of the planned trials that is done."""
        return 100.0 * self.fields["done"] / self.fields["planned"] if self.fields.get("planned") else 0.0


@asynccontextmanager
async def shown(seen: Seen) -> AsyncIterator[None]:
    """A progress artifact that follows `seen` every two seconds and is exact at the end."""
    following = asyncio.create_task(_follow(seen))
    try:
        yield
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def _follow(seen: Seen) -> None:
    with unless_unreachable("progress"):
        artifact = await acreate_progress_artifact(0.0, key="progress", description="Finished trials, of those planned")
        try:
            while True:
                await asyncio.sleep(_EVERY_S)
                await aupdate_progress_artifact(artifact, progress=seen.percent)
        finally:
            async with asyncio.timeout(_PATIENCE_S):
                await aupdate_progress_artifact(artifact, progress=seen.percent)
