"""`benchbook sql QUERY`: the history, in SQL."""

from __future__ import annotations

import click

from benchbook.cli.options import results_option

_EPILOG = """\b
Examples:
  benchbook sql 'SELECT target, count(*), median(ttft_ms) FROM trials WHERE phase = $$measured$$ GROUP BY target'
  benchbook sql --format csv 'SELECT * FROM runs' > runs.csv
  benchbook sql 'SHOW TABLES'
Views: runs, trials, calls, responses, spans, scores, checks; answers.QUESTION for each stored question."""


@click.command(epilog=_EPILOG)
@click.argument("query")
@click.option("--format", "form", type=click.Choice(("table", "csv", "json")), default="table", show_default=True)
@results_option
def command(query: str, form: str, results: str) -> None:
    """Ask the history in SQL (DuckDB, in memory, over the Parquet files)."""
    from benchbook.cli.output import print_csv, print_json, print_table
    from benchbook.history import query as ask

    columns, rows = ask(results, query)
    if form == "json":
        print_json([dict(zip(_distinct(columns), row, strict=True)) for row in rows])
    elif form == "csv":
        print_csv(columns, rows)
    else:
        print_table("", columns, rows)


def _distinct(columns: list[str]) -> list[str]:
    """Names that an object can hold side by side: a second `a` is `a_1`."""
    return [name if name not in columns[:i] else f"{name}_{columns[:i].count(name)}" for i, name in enumerate(columns)]
