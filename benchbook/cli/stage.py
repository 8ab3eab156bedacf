"""`benchbook stage NAME`: one stage bare, without the orchestrator; what `dvc repro` calls."""

from __future__ import annotations

from typing import Any

import click

from benchbook.cli.options import (
    again_default,
    json_option,
    plan_option,
    profile_option,
    quiet_option,
    results_option,
    set_option,
    workers_option,
)
from benchbook.stages import STAGES

_EPILOG = """\b
Examples:
  benchbook stage validate
  benchbook stage execute            measures only if this plan has no finished run
  benchbook stage execute --again    measures in any case (so does BENCHBOOK_AGAIN=1)"""


@click.command(epilog=_EPILOG)
@click.argument("name", type=click.Choice(STAGES))
@plan_option
@set_option
@results_option
@click.option("--again", is_flag=True, help="For execute: measure although this plan has a finished run.")
@workers_option
@profile_option
@json_option
@quiet_option
def command(**chosen: Any) -> int:
    """Run one stage of the pipeline bare, as `dvc repro` does."""
    from benchbook.cli.pipeline import run_stage
    from benchbook.stages import Job

    job = Job(
        plan=chosen["plan"],
        overrides=chosen["overrides"],
        results=chosen["results"],
        again=chosen["again"] or again_default(),
        profile=chosen["profile"] or "",
        workers=chosen["workers"],
    )
    return run_stage(chosen["name"], job, as_json=chosen["as_json"], quiet=chosen["quiet"])
