"""`benchbook show RUN`: one run."""

from __future__ import annotations

from typing import Any

import click

from benchbook.cli.options import json_option, results_option

_EPILOG = """\b
Examples:
  benchbook show latest
  benchbook show 20261121T081502Z --failures
  benchbook show latest --json"""


@click.command(epilog=_EPILOG)
@click.argument("run", default="latest")
@results_option
@click.option("--failures", is_flag=True, help="List every trial that failed.")
@click.option("--checks", is_flag=True, help="List every check and how it came out.")
@json_option
def command(**chosen: Any) -> None:
    """Show one run (an id, a prefix, `latest`, `latest~1`): verdict, targets, failures, checks."""
    from dataclasses import asdict
    from pathlib import Path

    from benchbook.cli.output import print_json, print_table
    from benchbook.reports.console import print_run
    from benchbook.reports.gather import gather
    from benchbook.results import journal

    run_id = journal.find_run(Path(chosen["results"]), chosen["run"])
    if chosen["as_json"]:
        view = asdict(gather(chosen["results"], run_id))
        print_json({name: part for name, part in view.items() if name != "curves"})
        return
    print_run(chosen["results"], run_id)
    if not (chosen["failures"] or chosen["checks"]):
        return
    found = gather(chosen["results"], run_id)
    if chosen["failures"]:
        columns: tuple[str, ...] = (
            "target",
            "dataset",
            "test_id",
            "phase",
            "repetition",
            "status",
            "error_kind",
            "calls",
            "error_message",
        )
        print_table("failures", columns, [[row[name] for name in columns] for row in found.failures])
    if chosen["checks"]:
        columns = ("suite", "subject", "name", "success", "severity", "observed", "unexpected", "failures")
        print_table("checks", columns, [[row[name] for name in columns] for row in found.checks])
