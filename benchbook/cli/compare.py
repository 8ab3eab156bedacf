"""`benchbook compare A B`: did it change, and how sure can one be?"""

from __future__ import annotations

from typing import Any

import click

from benchbook.cli.options import json_option, results_option

_EPILOG = """\b
Examples:
  benchbook compare latest~1 latest
  benchbook compare 20261121T08 20261122T08 --json
The ratio is B over A: 1.10 says that B's median is 10 % higher. One run a side is no evidence of a lasting
change, however narrow the interval: runs differ from day to day."""


@click.command(epilog=_EPILOG)
@click.argument("a")
@click.argument("b")
@results_option
@json_option
def command(a: str, b: str, results: str, *, as_json: bool) -> None:
    """Compare two runs, paired by test case: the ratio of medians with its interval."""
    from pathlib import Path

    from benchbook.cli.output import print_json, print_table
    from benchbook.history import compare_runs
    from benchbook.results import journal

    first, second = (journal.find_run(Path(results), run) for run in (a, b))
    rows = compare_runs(results, first, second)
    if as_json:
        print_json({"a": first, "b": second, "rows": rows})
        return
    columns = ("target", "metric", "cases", "ratio", "interval", "sense", "p", "verdict")
    print_table(
        f"A {first}  B {second}  (ratio = B / A)",
        columns,
        [_line(row) for row in rows if row["cases"] or row["refused"]],
    )


def _line(row: dict[str, Any]) -> list[Any]:
    interval = None if row["low"] is None else f"{row['low']:.3f} to {row['high']:.3f}"
    ratio = None if row["ratio"] is None else f"{row['ratio']:.3f}"
    return [
        row["target"],
        row["metric"],
        row["cases"],
        ratio,
        interval,
        row["sense"],
        row["p"],
        row["refused"] or row["word"],
    ]
