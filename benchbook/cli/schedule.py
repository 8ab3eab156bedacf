"""`benchbook schedule`: the pipeline by the clock, as a served Prefect deployment."""

from __future__ import annotations

from typing import Any

import click

from benchbook.cli.options import plan_option, results_option, set_option

_EPILOG = """\b
Examples:
  benchbook schedule --cron "0 * * * *"                      the default plan, hourly
  benchbook schedule --cron "30 6 * * 1-5" --plan plans/anthropic.yaml
  benchbook schedule --interval 900
A run that comes due while another one is going on is skipped; missed runs do not pile up. Ctrl-C ends it."""


@click.command(epilog=_EPILOG)
@click.option("--cron", metavar="EXPR", help="When, as five cron fields (UTC).")
@click.option(
    "--interval", "interval_s", type=click.IntRange(5), metavar="SECONDS", help="Every so many seconds instead."
)
@click.option("--name", default="scheduled", show_default=True, help="The deployment's name.")
@plan_option
@set_option
@results_option
def command(**chosen: Any) -> None:
    """Run a plan by the clock; needs nothing but this process."""
    from benchbook.errors import UserError
    from benchbook.stages import Job
    from flows.schedule import serve

    if (chosen["cron"] is None) == (chosen["interval_s"] is None):
        raise UserError("benchbook schedule", "needs one of --cron and --interval", 'e.g. --cron "0 * * * *"')
    job = Job(plan=chosen["plan"], overrides=chosen["overrides"], results=chosen["results"], preflight=False)
    job.spec()
    serve(job, cron=chosen["cron"], interval_s=chosen["interval_s"], name=chosen["name"])
