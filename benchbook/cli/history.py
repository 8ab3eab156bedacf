"""`benchbook history`: every run and target; the stored questions; another machine's runs."""

from __future__ import annotations

from typing import Any

import click

from benchbook.cli.options import json_option, results_option

_EPILOG = """\b
Examples:
  benchbook history                     latency of every run and target
  benchbook history --json
  benchbook history --list              the stored questions
  benchbook history errors              one of them
  benchbook history merge ../other/results"""

_COLUMNS = ("run_id", "target", "model", "n", "failure_share", "score")
_QUANTILES = ("ttft_ms", "e2e_ms", "decode_ms_per_token")


@click.command(epilog=_EPILOG)
@click.argument("question", default="summary")
@click.argument("folder", required=False, metavar="[DIR]")
@results_option
@click.option("--run", "run", metavar="RUN", help="Of this run only (an id, a prefix, `latest`).")
@click.option("--list", "listed", is_flag=True, help="List the questions, each with what one row is.")
@json_option
def command(**chosen: Any) -> None:
    """Latency of every run and target; or the answer to another stored QUESTION; or `merge DIR`."""
    from benchbook.cli.output import print_json, print_table

    if chosen["listed"]:
        _list(as_json=chosen["as_json"])
    elif chosen["question"] == "merge":
        _merge(chosen)
    else:
        rows = _ask(chosen)
        if chosen["as_json"]:
            print_json(rows)
        elif chosen["question"] == "summary":
            _print_summary(rows)
        else:
            columns = list(rows[0]) if rows else ["no rows"]
            print_table("", columns, [list(row.values()) for row in rows])


def _ask(chosen: dict[str, Any]) -> list[dict[str, Any]]:
    from pathlib import Path

    from benchbook.history import ask
    from benchbook.results import journal

    runs = (journal.find_run(Path(chosen["results"]), chosen["run"]),) if chosen["run"] else None
    return ask(chosen["question"], chosen["results"], runs=runs)


def _print_summary(rows: list[dict[str, Any]]) -> None:
    from benchbook.cli.output import note, print_table
    from benchbook.reports.words import median, tail

    if not rows:
        note("no run is stored yet; start with: benchbook run")
        return
    headings = [*_COLUMNS, *(f"{metric} p50" for metric in _QUANTILES), "ttft_ms p95", "e2e_ms p95"]
    lines = [
        [
            *(row[name] for name in _COLUMNS),
            *(median(row, metric) for metric in _QUANTILES),
            tail(row, "ttft_ms"),
            tail(row, "e2e_ms"),
        ]
        for row in rows
    ]
    print_table("", headings, lines)


def _list(*, as_json: bool) -> None:
    from benchbook.cli.output import print_json, print_table
    from benchbook.history import questions

    found = questions()
    if as_json:
        print_json(found)
    else:
        print_table("", ("question", "grain"), found.items())


def _merge(chosen: dict[str, Any]) -> None:
    from pathlib import Path

    from benchbook.cli.output import note
    from benchbook.errors import UserError
    from benchbook.results.merge import merge

    if not chosen["folder"]:
        raise UserError("benchbook history merge", "needs a folder", "name another machine's results folder")
    merged = merge(Path(chosen["results"]), Path(chosen["folder"]))
    click.echo(f"{len(merged.added)} runs added, {len(merged.same)} were here already")
    for conflict in merged.conflicts:
        note(f"not merged: {conflict}")
    if merged.added:
        note("next: benchbook stage store && benchbook stage aggregate (or dvc repro)")
