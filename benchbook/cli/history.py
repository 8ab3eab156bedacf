"""`benchbook history`: every run and target; the stored questions; another machine's runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from benchbook.cli.options import json_option, results_option

_EPILOG = """\b
Examples:
  benchbook history                     latency of every run and target
  benchbook history --json
  benchbook history --list              the stored questions
  benchbook history errors              one of them
  benchbook history slowest --run latest --top 5
  benchbook history curves --json --limit 0 > curves.json
  benchbook history goodput --slo ttft_ms=300 --slo e2e_ms=2000
  benchbook history merge ../other/results"""


@click.command(epilog=_EPILOG)
@click.argument("question", default="summary")
@click.argument("folder", required=False, metavar="[DIR]")
@results_option
@click.option("--run", "run", metavar="RUN", help="Of this run only (an id, a prefix, `latest`).")
@click.option("--list", "listed", is_flag=True, help="List the questions, each with what one row is.")
@click.option(
    "--limit", type=click.IntRange(0), metavar="N", help="Newest rows; 0: all. [default: 1,000, or 5,000 with --json]"
)
@click.option("--top", type=click.IntRange(1), metavar="N", help="Rows of a listing such as `slowest`. [default: 20]")
@click.option(
    "--slo", "slos", multiple=True, metavar="METRIC=LIMIT", help="For `goodput`: a limit to meet; repeatable."
)
@click.option("--confidence", type=click.FloatRange(0.5, 1, min_open=True, max_open=True), help="Of the intervals.")
@json_option
def command(**chosen: Any) -> None:
    """Latency of every run and target; or the answer to another stored QUESTION; or `merge DIR`."""
    from benchbook.cli.output import print_json

    if chosen["listed"]:
        _list(as_json=chosen["as_json"])
    elif chosen["question"] == "merge":
        _merge(chosen)
    else:
        rows = _newest(_ask(chosen), chosen)
        if chosen["as_json"]:
            print_json(rows)
        elif chosen["question"] == "summary":
            _print_summary(rows, _of_agents(chosen, rows))
        else:
            _print_answer(chosen["question"], rows)


def _of_agents(chosen: dict[str, Any], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What `summary` has no columns for: the runs with agents among these."""
    from benchbook.records import TEAM_WORKLOADS

    runs = {row["run_id"] for row in rows if row["workload"] in TEAM_WORKLOADS}
    found = _ask({**chosen, "question": "agent_summary"}) if runs else []
    return [row for row in found if row["run_id"] in runs]


def _ask(chosen: dict[str, Any]) -> list[dict[str, Any]]:
    from pathlib import Path

    from benchbook.history import ask
    from benchbook.results import journal

    runs = (journal.find_run(Path(chosen["results"]), chosen["run"]),) if chosen["run"] else None
    settings = {"top": chosen["top"], "confidence": chosen["confidence"], "slos": limits(chosen["slos"])}
    most = _most(chosen)
    return ask(chosen["question"], chosen["results"], runs=runs, last=most + 1 if most else None, **settings)


def _most(chosen: dict[str, Any]) -> int:
    """The rows to show at most, 0 for all: nobody is given millions unasked."""
    limit: int | None = chosen["limit"]
    return (5_000 if chosen["as_json"] else 1_000) if limit is None else limit


def _newest(rows: list[dict[str, Any]], chosen: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows to show, and a word where there are more."""
    from benchbook.cli.output import note

    most = _most(chosen)
    if not most or len(rows) <= most:
        return rows
    whole = f"{chosen['results']}/aggregate/{chosen['question']}.parquet"
    note(f"the last {most:,} rows, those of the newest runs; all with --limit 0, one run's with --run, or in {whole}")
    return rows[-most:]


def limits(texts: tuple[str, ...]) -> Mapping[str, float] | None:
    """`ttft_ms=500`, or `ttft_ms < 500`, as a limit by metric."""
    from benchbook.config.slos import trial_limits
    from benchbook.errors import UserError

    limits: dict[str, float] = {}
    for text in texts:
        metric, sign, limit = text.partition("=")
        try:
            plain = sign and metric.strip().isidentifier()
            limits |= trial_limits({metric.strip(): float(limit)} if plain else [text])
        except ValueError as error:
            what = str(error) if "<" in text or ">" in text or "no metric" in str(error) else "is no limit"
            raise UserError(f"--slo {text}", what, "write METRIC=NUMBER or METRIC < NUMBER, e.g. ttft_ms=500") from None
    return limits or None


def _print_answer(question: str, rows: list[dict[str, Any]]) -> None:
    from benchbook.cli.output import note, print_table

    if rows:
        columns = list(rows[0])
        ranks = {name: _rank(name) for name in columns}
        print_table("", columns, [list(row.values()) for row in rows], ranks)
    else:
        note(f"no row answers {question}")


def _rank(column: str) -> int:
    """How soon a narrow terminal may lose a column of an answer: names that only tell rows apart first."""
    if column in ("trial_id", "started_at"):
        return 3
    if column in ("sessions", "calls", "calls_without_tokens", "dataset", "category", "repetition"):
        return 2
    return int(column.endswith(("_low", "_high", "_refused")))


def _print_summary(rows: list[dict[str, Any]], of_agents: list[dict[str, Any]]) -> None:
    from benchbook.cli.output import note
    from benchbook.reports.console import print_summary

    if rows:
        print_summary(rows, of_agents)
    else:
        note("no run is stored yet; start with: benchbook run")


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
    from benchbook.results.paths import as_option

    if not chosen["folder"]:
        raise UserError("benchbook history merge", "needs a folder", "name another machine's results folder")
    merged = merge(Path(chosen["results"]), Path(chosen["folder"]))
    click.echo(f"{len(merged.added)} runs added, {len(merged.same)} were here already")
    for line in (*merged.conflicts, *merged.damaged):
        note(f"not merged: {line}")
    if merged.added:
        where = as_option(chosen["results"])
        note(f"next: benchbook stage store{where} && benchbook stage aggregate{where} (or dvc repro)")
