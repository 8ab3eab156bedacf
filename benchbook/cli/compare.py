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
    columns = ("target", "metric", "cases", "a_median", "b_median", "ratio", "interval", "p", "says")
    print_table(f"A {first}  B {second}  (ratio = B / A)", columns, [_line(row, columns) for row in rows])


def _line(row: dict[str, Any], columns: tuple[str, ...]) -> list[Any]:
    low, high = row.get("ratio_low"), row.get("ratio_high")
    interval = f"{low:.3f} to {high:.3f}" if low is not None and high is not None else None
    return [interval if name == "interval" else row.get(name) for name in columns]
