"""`benchbook compare A B`: did it change, and how sure can one be?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from benchbook.cli.options import json_option, results_option

_EPILOG = """\b
Examples:
  benchbook compare latest~1 latest
  benchbook compare 20261121T08 20261122T08 --all
  benchbook compare latest~1 latest --json
The ratio is B over A: 1.10 says that B's median is 10 % higher. One run a side is no evidence of a lasting
change, however narrow the interval: runs differ from day to day. Runs that asked different things are not
compared: exit code 2."""

_MAIN = ("ttft_ms", "e2e_ms", "response_ms", "decode_ms_per_token")
Row = Mapping[str, Any]


@click.command(epilog=_EPILOG)
@click.argument("a")
@click.argument("b")
@click.option("--all", "every", is_flag=True, help="Every latency metric, not only the main ones.")
@results_option
@json_option
def command(**chosen: Any) -> int:
    """Compare two runs, paired by test case: the ratio of medians with its interval."""
    from pathlib import Path

    from benchbook.cli.output import note, print_json
    from benchbook.errors import EXIT_BAD_INPUT, EXIT_DONE, UserError
    from benchbook.history import compare_runs
    from benchbook.results import journal

    first, second = (journal.find_run(Path(chosen["results"]), chosen[side]) for side in ("a", "b"))
    rows = compare_runs(chosen["results"], first, second)
    unlike = next((row["refused"] for row in rows if str(row["refused"]).startswith("unlike")), None)
    if chosen["as_json"]:
        print_json({"a": first, "b": second, "rows": rows})
        return EXIT_BAD_INPUT if unlike else EXIT_DONE
    if unlike:
        raise UserError(f"{first} and {second}", unlike, "compare runs of one plan, see `benchbook runs`")
    _print(first, second, rows, every=chosen["every"])
    for line in _retried(chosen["results"], first, second):
        note(line)
    return EXIT_DONE


def _telling(row: Row, *, every: bool) -> bool:
    """Whether there is something to say: a metric that neither run has (say, of answers not streamed) is left out."""
    return (every or row["metric"] in _MAIN) and bool(row["n_a"] or row["n_b"])


def _print(first: str, second: str, rows: Sequence[Row], *, every: bool) -> None:
    from benchbook.cli.output import note, print_table

    columns = ("target", "metric", "cases", "B / A", "interval", "points to", "verdict")
    print_table(f"A {first}\nB {second}", columns, [_line(row) for row in rows if _telling(row, every=every)])
    click.echo("paired by test case, medians of measured trials that succeeded, 95 % intervals; of these prompts only")
    for line in dict.fromkeys(line for row in rows for line in _reservations(row)):
        note(line)


def _retried(results: str, first: str, second: str) -> Iterator[str]:
    """Per target that retried in either run: how much, because only response_ms holds retries and waits."""
    from benchbook.history import ask
    from benchbook.reports.words import share

    shares: dict[str, dict[str, float]] = {}
    for row in ask("attempts", results, runs=(first, second)):
        key = row["target"] if row["workload"] == "api" else f"{row['target']} ({row['workload']})"
        shares.setdefault(key, {})[row["run_id"]] = row["retried_share"]
    for target, of_run in shares.items():
        if any(of_run.values()):
            said = f"{share(of_run.get(first))} and {share(of_run.get(second))} of the trials of A and B were retried"
            yield f"{target}: {said}; response_ms holds all of that, the others are of the last attempt"


def _line(row: Row) -> list[Any]:
    known = row["ratio"] is not None
    return [
        row["target"],
        row["metric"],
        row["cases"],
        f"{row['ratio']:.3f}" if known else None,
        f"{row['low']:.3f} to {row['high']:.3f}" if known else None,
        row["sense"] if row["word"].startswith("CANNOT TELL") else None,
        row["word"],
    ]


def _reservations(row: Row) -> Iterator[str]:
    """What a reader must know beside the ratios."""
    for side in ("a", "b"):
        if row[f"verdict_{side}"] != "VALID":
            yield f"run {row[f'run_{side}']} is {row[f'verdict_{side}']}: see `benchbook show {row[f'run_{side}']}`"
    shares = (row["failure_share_a"], row["failure_share_b"])
    if any(shares):
        said = " and ".join("unknown" if share is None else f"{share:.1%}" for share in shares)
        yield f"{row['target']}: {said} of the trials of A and B failed, and no latency here speaks of them"
    if row["only_a"] or row["only_b"]:
        yield f"{row['target']}: {row['only_a']} cases only in A and {row['only_b']} only in B are left out"
