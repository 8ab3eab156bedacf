"""`benchbook run`: the whole pipeline, through the Prefect flow unless asked otherwise."""

from __future__ import annotations

from typing import Any

import click

from benchbook.cli.options import (
    budget_option,
    job_of,
    json_option,
    plan_options,
    profile_option,
    quiet_option,
    results_option,
    save_plan,
    workers_option,
)
from benchbook.reports.otlp import DEFAULT as OTEL

_EPILOG = """\b
Examples:
  benchbook run                                        the default plan, params.yaml
  benchbook run --plan plans/quick.yaml -n 3
  benchbook run --target openai:gpt-4o-mini --target anthropic:claude-haiku-4-5 \\
                --dataset datasets/coding-tasks.json -c 10 -n 3
  benchbook run --resume latest                        finish an interrupted run
\b
Exit codes: 0 done, 1 failures beyond the threshold, 2 bad input, 3 not VALID and --require-valid,
130 interrupted."""


@click.command(epilog=_EPILOG)
@plan_options
@results_option
@click.option(
    "--resume", metavar="RUN", help="Finish exactly the missing trials of this run (an id, a prefix, or `latest`)."
)
@budget_option
@click.option("--require-valid", is_flag=True, help="End with code 3 unless the verdict is VALID.")
@click.option("--no-flow", is_flag=True, help="Call the same stages bare, without Prefect.")
@click.option(
    "--metrics",
    metavar="[HOST:]PORT",
    envvar="BENCHBOOK_METRICS",
    default="",
    show_envvar=True,
    help="Serve Prometheus metrics there while the run lasts; on loopback where no host is named.",
)
@click.option(
    "--otel",
    metavar="ENDPOINT",
    is_flag=False,
    flag_value=OTEL,
    default="",
    help="Afterwards send the run to this OpenTelemetry collector; without a value, to OTEL_EXPORTER_OTLP_ENDPOINT.",
)
@click.option("--save-plan", metavar="FILE", help="Write the plan as a file and go on.")
@workers_option
@profile_option
@json_option
@quiet_option
def command(**chosen: Any) -> int:
    """Run a plan: validate, execute, store, aggregate, report."""
    from benchbook.cli.pipeline import Manner, run_job

    rest = {name: chosen[name] for name in ("results", "resume", "budget_usd", "workers")}
    rest["profile"] = chosen["profile"] or ""
    job = job_of(chosen, **rest)
    if chosen["save_plan"]:
        save_plan(job, chosen["save_plan"])
    named = {name: chosen[name] for name in ("as_json", "quiet", "metrics", "otel", "require_valid")}
    return run_job(job, Manner(flow=not chosen["no_flow"], **named))
