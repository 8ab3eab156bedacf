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
@click.option(
    "--slo",
    "slos",
    multiple=True,
    metavar="METRIC=LIMIT",
    help="A limit that goodput asks for, instead of the plan's own; repeatable.",
)
@click.option("--formulas", is_flag=True, help="Print each tool's formulas, rules and where they were read.")
@click.option("--format", "form", type=click.Choice(("table", "csv", "json")), default="table", show_default=True)
@json_option
def command(**chosen: Any) -> None:
    """Show what guidellm, aiperf, vLLM's client, llmeter and inference-perf would print for one run, beside ours."""
    from pathlib import Path

    from benchbook.cli.history import limits
    from benchbook.cli.output import print_csv, print_json
    from benchbook.history.definitions import definitions
    from benchbook.reports.gather import own_limits
    from benchbook.results.runs import find_stored

    run_id = find_stored(Path(chosen["results"]), chosen["run"])
    slos = limits(chosen["slos"]) or own_limits(chosen["results"], run_id)
    rows = definitions(chosen["results"], run_id, slos=slos)
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

    tools = list(dict.fromkeys(row["tool"] for row in rows))
    for target in dict.fromkeys(row["target"] for row in rows):
        lines: dict[tuple[str, str], dict[str, str]] = {}
        for row in rows:
            if row["target"] == target:
                lines.setdefault((row["quantity"], row["statistic"]), {})[row["tool"]] = _cell(row)
        shown = [[*key, *(values.get(name, "-") for name in tools)] for key, values in lines.items()]
        print_table(f"\nrun {run_id}, target {target}", ("quantity", "statistic", *tools), shown)
    _print_footing(rows)


def _cell(row: Row) -> str:
    from benchbook.history.definitions import LEAST
    from benchbook.reports.words import number

    return ("\N{GREATER-THAN OR EQUAL TO} " if row["note"].startswith(LEAST) else "") + number(row["value"])


def _print_footing(rows: Sequence[Row]) -> None:
    from benchbook.reports.terminal import show_words

    releases = dict.fromkeys(f"{row['tool']} {row['release']}" for row in rows[1:] if row["tool"] != rows[0]["tool"])
    good = next((row["limits"] for row in rows if row["limits"]), "no limit")
    click.echo()
    show_words((f"times in ms; good: {good}", "dim"))
    show_words((f"one run, one set of stamps; what differs are definitions (--formulas): {', '.join(releases)}", "dim"))


def _print_formulas(rows: Sequence[Row]) -> None:
    from benchbook.cli.output import print_table
    from benchbook.reports.terminal import show_words

    for name in dict.fromkeys(row["tool"] for row in rows):
        of_tool = [row for row in rows if row["tool"] == name]
        click.echo()
        show_words((f"{name} {of_tool[0]['release']}", "bold"), (f": {of_tool[0]['rules']}", ""))
        lines = dict.fromkeys((row["quantity"], row["name"], row["formula"]) for row in of_tool)
        print_table("", ("quantity", "its name", "formula"), list(lines))
        show_words((f"read in {of_tool[0]['source']}", "dim"))
