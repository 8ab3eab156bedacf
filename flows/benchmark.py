"""The flow `benchmark`: the five stages in their order, then the record for DVC. Order and nothing else.

Its parameter is a job as plain data (`Job.fields()`), so that any Prefect server can show it, keep it and run it
again. It runs wherever it is called: from the `run` verb, from a schedule, from a notebook.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run

from benchbook.stages import Job, job_from
from flows.approvals import approvals_bridged
from flows.endings import signals, skipped_where_busy
from flows.recording import record
from flows.telling import alerts_told
from tasks.aggregate import aggregate
from tasks.execute import execute
from tasks.live import watcher
from tasks.report import report
from tasks.store import store
from tasks.validate import validate


@flow(name="benchmark", log_prints=False)
async def benchmark(job: dict[str, Any]) -> dict[str, Any] | State[Any]:
    """Measure the job's plan and answer with the run's id, what `execute` came to, and where the files lie.

    An interrupted run is stored and reported like any other. Raises UserError; a scheduled run that finds the
    results folder busy ends as Skipped.
    """
    with signals():
        return await skipped_where_busy(chain(_traced(job_from(job))))


async def chain(job: Job) -> dict[str, Any]:
    """The stages, one after the other."""
    if not job.resume:
        await validate(job)
    async with approvals_bridged(job):
        executed = await execute(job)
    stored = await store(job, executed.run_id)
    aggregated = await aggregate(job)
    reported = await report(job, executed.run_id)
    watcher().say(await record(job, executed))
    for line in await alerts_told(job, executed.run_id):
        watcher().say(line)
    files = {"metrics": aggregated.metrics, "views": aggregated.views, **reported.files}
    answer = {"run_id": executed.run_id, "executed": asdict(executed), "stored": list(stored.stored), "files": files}
    watcher().on_answer(answer)
    return answer


def _traced(job: Job) -> Job:
    """The job with this flow run's id among its facts."""
    return replace(job, origin={**job.origin, "flow_run_id": flow_run.id})
