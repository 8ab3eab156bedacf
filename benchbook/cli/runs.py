"""`benchbook runs`: what has been measured."""

from __future__ import annotations

from typing import Any

import click

from benchbook.cli.options import json_option, results_option

_EPILOG = """\b
Examples:
  benchbook runs
  benchbook runs --json"""


@click.command(epilog=_EPILOG)
@results_option
@json_option
def command(**chosen: Any) -> None:
    """List the stored runs, the newest last, and journals that were never stored."""
    from pathlib import Path

    from benchbook.cli.output import note, print_json, print_table
    from benchbook.history import ask
    from benchbook.results import journal

    results = Path(chosen["results"])
    rows = ask("overview", results)
    if chosen["as_json"]:
        print_json(rows)
    elif rows:
        columns = ("run", "status", "verdict", "trials", "time", "targets")
        print_table("", columns, [_line(row) for row in rows])
    else:
        note(f"no run is stored in {results}; start with: benchbook run")
    stored = {row["run_id"] for row in rows}
    for run_id in journal.runs(results):
        if run_id not in stored:
            note(f"{run_id} is not stored yet: benchbook run --resume {run_id}, or benchbook stage store")


def _line(row: dict[str, Any]) -> list[Any]:
    from benchbook.reports.words import counts, seconds

    return [row["run_id"], row["status"], row["verdict"], counts(row), seconds(row["wall_s"]), row["targets"]]
