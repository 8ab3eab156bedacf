"""`benchbook show RUN`: one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from benchbook.cli.options import json_option, results_option

_EPILOG = """\b
Examples:
  benchbook show latest
  benchbook show 20261121T081502Z --failures
  benchbook show latest --json"""


_FAILURE = (
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
    from benchbook.reports.console import print_view
    from benchbook.reports.gather import gather
    from benchbook.results import journal

    run_id = journal.find_run(Path(chosen["results"]), chosen["run"])
    found = gather(chosen["results"], run_id)
    if chosen["as_json"]:
        print_json({name: part for name, part in asdict(found).items() if name != "curves"})
        return
    print_view(chosen["results"], found)
    if chosen["failures"] and found.failures:
        print_table("\nfailures", _FAILURE, [[row[name] for name in _FAILURE] for row in found.failures])
    elif chosen["failures"]:
        click.echo("\nno trial failed or timed out")
    if chosen["checks"]:
        _print_checks(found.checks)


def _print_checks(checks: Sequence[Mapping[str, Any]]) -> None:
    """Every check in a line; below them what the failed ones found, place by place."""
    from benchbook.cli.output import print_table

    columns = ("suite", "subject", "check", "outcome", "observed", "unexpected")
    lines = [[row[name] for name in ("suite", "subject", "name")] + [_outcome(row)] for row in checks]
    counted = [[row["observed"], row["unexpected"]] for row in checks]
    print_table("\nchecks", columns, [line + count for line, count in zip(lines, counted, strict=True)])
    for row in checks:
        for failure in row["failures"]:
            click.echo(f"  {row['name']}: {failure}")


def _outcome(check: Mapping[str, Any]) -> str:
    return "passed" if check["success"] else f"failed ({check['severity']})"
