"""`benchbook export RUN`: a run's trials for other tools."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from benchbook.cli.options import results_option

_EPILOG = """\b
Examples:
  benchbook export latest --format csv > trials.csv
  benchbook export latest --format json --columns target,test_id,ttft_ms,score
  benchbook export latest --format parquet --table calls -o calls.parquet
  benchbook export latest --format otlp --to http://localhost:4318   to an OpenTelemetry collector
  benchbook export latest --format otlp -o traces.jsonl"""

TABLES = ("trials", "calls", "responses", "spans", "scores", "checks", "events", "runs")


@click.command(epilog=_EPILOG)
@click.argument("run", default="latest")
@click.option(
    "--format", "form", type=click.Choice(("json", "csv", "parquet", "otlp")), default="csv", show_default=True
)
@click.option("--columns", metavar="A,B,...", default="", help="These columns only, in this order.")
@click.option("--table", type=click.Choice(TABLES), default="trials", show_default=True, help="Which table.")
@click.option("-o", "--output", metavar="FILE", help="Write to a file instead of stdout.")
@click.option("--to", metavar="ENDPOINT", help="For otlp: send to this OpenTelemetry collector, traces and metrics.")
@results_option
def command(**chosen: Any) -> None:
    """Write a run's trials (or another table) as JSON, CSV or Parquet; or its traces as OTLP."""
    from benchbook.errors import UserError

    if chosen["form"] == "otlp":
        _as_otlp(chosen)
    elif chosen["to"]:
        raise UserError("--to", f"takes OTLP, not {chosen['form']}", "add --format otlp, or write a file with -o")
    else:
        _as_table(chosen)


def _as_table(chosen: Mapping[str, Any]) -> None:
    from benchbook.errors import UserError
    from benchbook.reports.export import FORMATS
    from benchbook.reports.export import chosen as choose
    from benchbook.results.runs import find_stored
    from benchbook.results.store import read_table

    results = Path(chosen["results"])
    run_id = find_stored(results, chosen["run"])
    table, damaged = read_table(results, chosen["table"], [run_id])
    if damaged:
        raise UserError(str(damaged[0]), "can't be read", "benchbook stage store makes it anew from the journal")
    names = [name.strip() for name in chosen["columns"].split(",") if name.strip()]
    data = FORMATS[chosen["form"]](choose(table, names))
    if not chosen["output"] and chosen["form"] == "parquet" and sys.stdout.isatty():
        raise UserError("--format parquet", "is no text for a terminal", "add -o FILE")
    _write([data], chosen["output"])


def _as_otlp(chosen: Mapping[str, Any]) -> None:
    from benchbook.cli.output import tell
    from benchbook.errors import UserError
    from benchbook.reports.otlp import lines, send
    from benchbook.results import journal

    if chosen["columns"] or chosen["table"] != "trials":
        raise UserError("--format otlp", "has its own fields", "leave --columns and --table out")
    if chosen["to"] and chosen["output"]:
        raise UserError("--to", "goes without -o", "send the run, or write it to a file")
    results = Path(chosen["results"])
    run_id = journal.find_run(results, chosen["run"])
    if chosen["to"]:
        sent = send(results, run_id, chosen["to"])
        tell(f"otlp: {sent.spans} spans and {sent.points} metric points of run {run_id} sent to {chosen['to']}")
    else:
        _write(lines(results, run_id), chosen["output"])


def _write(parts: Iterable[bytes], output: str | None) -> None:
    """To a file, or to stdout."""
    from benchbook.errors import UserError

    if not output:
        sys.stdout.buffer.writelines(parts)
        return
    try:
        with Path(output).open("wb") as file:
            file.writelines(parts)
    except OSError as error:
        raise UserError(output, f"can't be written ({error.strerror})", "choose another file") from None
