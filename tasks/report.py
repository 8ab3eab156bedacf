"""Stage `report` as a Prefect task, with a table of the results and where the report lies, for Prefect's pages."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from prefect import task
from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact
from prefect.cache_policies import NO_CACHE

from benchbook.stages import Job, Reported
from tasks.live import unless_unreachable
from tasks.retries import worth_another_try


@task(name="report", cache_policy=NO_CACHE, retries=2, retry_delay_seconds=1, retry_condition_fn=worth_another_try)
async def report(job: Job, run_id: str) -> Reported:
    """Write the run's reports. Raises UserError."""
    from benchbook.stages.report import report as stage

    reported = await asyncio.to_thread(stage, job, run_id)
    rows = await asyncio.to_thread(results_table, job, reported.run_id)
    with unless_unreachable("artifacts"):
        await acreate_table_artifact(rows, key="results", description=f"Run {reported.run_id}, one row a target")
        await acreate_markdown_artifact(links(reported), key="report", description="Where the report lies")
    return reported


COLUMNS = (
    "target",
    "model",
    "trials",
    "succeeded",
    "failed",
    "timed_out",
    "skipped",
    "ttft_ms_p50",
    "ttft_ms_p95",
    "e2e_ms_p50",
    "e2e_ms_p95",
    "tokens_per_s_user_p50",
    "score",
)
"""The columns of `summary` that fit a page."""


def results_table(job: Job, run_id: str) -> list[dict[str, Any]]:
    """The run's row of each target and workload, as the history has it."""
    from benchbook.history import ask

    rows = ask("summary", Path(job.results), runs=(run_id,))
    return [{name: _short(row[name]) for name in COLUMNS} for row in rows]


def _short(value: Any) -> Any:
    return float(f"{value:.4g}") if isinstance(value, float) else value


def links(reported: Reported) -> str:
    """Markdown: the report's files as links, for a browser on the machine that made them."""
    lines = [f"- [{kind}]({Path(path).resolve().as_uri()})" for kind, path in sorted(reported.files.items())]
    return "\n".join([f"Run `{reported.run_id}`", "", *lines]) + "\n"
