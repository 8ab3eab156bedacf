"""`benchbook definitions RUN`: the same run as other tools would print it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from benchbook.cli.options import json_option, results_option

_EPILOG = """\b
Examples:
  benchbook definitions latest
  benchbook definitions latest --formulas
  benchbook definitions latest --slo ttft_ms=300 --slo e2e_ms=2000 --format csv
Recomputed from the stored chunks of this run; nothing is sent and none of the tools is needed. A dash: the tool prints
no such number, or none for this run (--format csv and --json say why)."""

Row = Mapping[str, Any]


@click.command(epilog=_EPILOG)
@click.argument("run", default="latest")
@results_option
@click.option("--slo", "slos", multiple=True, metavar="METRIC=LIMIT", help="A limit that goodput asks for; repeatable.")
@click.option("--formulas", is_flag=True, help="Print each tool's formulas, rules and where they were read.")
@click.option("--format", "form", type=click.Choice(("table", "csv", "json")), default="table", show_default=True)
@json_option
def command(**chosen: Any) -> None:
    """Show what guidellm, aiperf, vLLM's client, llmeter and inference-perf would print for one run, beside ours."""
    from pathlib import Path

    from benchbook.cli.history import limits
    from benchbook.cli.output import print_csv, print_json
    from benchbook.history.definitions import definitions
    from benchbook.results import journal

    run_id = journal.find_run(Path(chosen["results"]), chosen["run"])
    rows = definitions(chosen["results"], run_id, slos=limits(chosen["slos"]))
    if chosen["as_json"] or chosen["form"] == "json":
        print_json(rows)
    elif chosen["form"] == "csv":
        print_csv(list(rows[0]), [list(row.values()) for row in rows])
    else:
        _print(run_id, rows)
        if chosen["formulas"]:
            _print_formulas(rows)


def _print(run_id: str, rows: Sequence[Row]) -> None:
    from benchbook.cli.output import print_table
    from benchbook.reports.words import number

    tools = list(dict.fromkeys(row["tool"] for row in rows))
    for target in dict.fromkeys(row["target"] for row in rows):
        lines: dict[tuple[str, str], dict[str, str]] = {}
        for row in rows:
            if row["target"] == target:
                lines.setdefault((row["quantity"], row["statistic"]), {})[row["tool"]] = number(row["value"])
        shown = [[*key, *(values.get(name, "-") for name in tools)] for key, values in lines.items()]
        print_table(f"\nrun {run_id}, target {target}", ("quantity", "statistic", *tools), shown)
    click.echo("\none run, one set of stamps; what differs are definitions (--formulas)")


def _print_formulas(rows: Sequence[Row]) -> None:
    for name in dict.fromkeys(row["tool"] for row in rows):
        of_tool = [row for row in rows if row["tool"] == name]
        click.echo(f"\n{name} {of_tool[0]['release']}: {of_tool[0]['rules']}")
        for quantity, spelt, formula in dict.fromkeys((r["quantity"], r["name"], r["formula"]) for r in of_tool):
            click.echo(f"  {quantity:20} {spelt} = {formula}")
        click.echo(f"  read in {of_tool[0]['source']}")
