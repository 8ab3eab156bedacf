"""`benchbook export RUN`: a run's trials for other tools."""

from __future__ import annotations

from typing import Any

import click

from benchbook.cli.options import results_option

_EPILOG = """\b
Examples:
  benchbook export latest --format csv > trials.csv
  benchbook export latest --format json --columns target,test_id,ttft_ms,score
  benchbook export latest --format parquet --table calls -o calls.parquet"""

TABLES = ("trials", "calls", "responses", "spans", "scores", "checks", "events", "runs")


@click.command(epilog=_EPILOG)
@click.argument("run", default="latest")
@click.option("--format", "form", type=click.Choice(("json", "csv", "parquet")), default="csv", show_default=True)
@click.option("--columns", metavar="A,B,...", default="", help="These columns only, in this order.")
@click.option("--table", type=click.Choice(TABLES), default="trials", show_default=True, help="Which table.")
@click.option("-o", "--output", metavar="FILE", help="Write to a file instead of stdout.")
@results_option
def command(**chosen: Any) -> None:
    """Write a run's trials (or another table) as JSON, CSV or Parquet."""
    import sys
    from pathlib import Path

    from benchbook.errors import UserError
    from benchbook.reports.export import FORMATS
    from benchbook.reports.export import chosen as choose
    from benchbook.results import journal
    from benchbook.results.store import read_table

    results = Path(chosen["results"])
    run_id = journal.find_run(results, chosen["run"])
    table, damaged = read_table(results, chosen["table"], [run_id])
    if damaged:
        raise UserError(str(damaged[0]), "can't be read", "benchbook stage store makes it anew from the journal")
    names = [name.strip() for name in chosen["columns"].split(",") if name.strip()]
    data = FORMATS[chosen["form"]](choose(table, names))
    if chosen["output"]:
        try:
            Path(chosen["output"]).write_bytes(data)
        except OSError as error:
            raise UserError(chosen["output"], f"can't be written ({error.strerror})", "choose another file") from None
    elif chosen["form"] == "parquet" and sys.stdout.isatty():
        raise UserError("--format parquet", "is no text for a terminal", "add -o FILE")
    else:
        sys.stdout.buffer.write(data)
