"""`benchbook alerts`: what changed and still stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from benchbook.cli.options import json_option, results_option
from benchbook.cli.trend import metric_option, percent

_EPILOG = """\b
Examples:
  benchbook alerts                             exit code 3 while something worse stands
  benchbook alerts --webhook https://hooks.example.com/benchbook
  benchbook alerts openai-sim --metric e2e_ms --json
An alert is `new` when it is found, `confirmed` once a later run still lies at the new level, and `resolved` when the
level came back, did not last, or was accepted: `benchbook profile update NAME --target TARGET --run latest`.
A webhook is told what it was not told before. Better is told too, and is no exit code."""

_WEBHOOK = "BENCHBOOK_WEBHOOK"
_LATELY = 20
Row = Mapping[str, Any]


@click.command(epilog=_EPILOG)
@click.argument("target", required=False)
@metric_option
@click.option("--webhook", metavar="URL", envvar=_WEBHOOK, show_envvar=True, help="POST what is untold there, as JSON.")
@click.option("--all", "every", is_flag=True, help="Also what was resolved long ago.")
@results_option
@json_option
def command(**chosen: Any) -> int:
    """Tell what changed: new, confirmed by a fresh repeat, or resolved; whose change it is, and how sure one can be."""
    from benchbook.cli.output import note, print_json
    from benchbook.history.alerts import exit_code, look
    from benchbook.stages.alerting import checked_webhook, tell

    if chosen["webhook"]:
        checked_webhook(chosen["webhook"])
    looked = look(chosen["results"], target=chosen["target"], metrics=chosen["metrics"])
    if chosen["as_json"]:
        print_json({"series": looked.series, "alerts": looked.rows})
    else:
        _print(looked.rows, looked.series, every=chosen["every"])
    if chosen["webhook"] and (line := tell(chosen["results"], chosen["webhook"], looked.rows)):
        note(line)
    return exit_code(looked.rows)


def _print(rows: Sequence[Row], series: int, *, every: bool) -> None:
    from benchbook.cli.output import note

    shown = [row for row in rows if every or row["state"] != "resolved" or row["runs_since"] <= _LATELY]
    for row in shown:
        _one(row)
    standing = sum(row["state"] != "resolved" for row in rows)
    hidden = len(rows) - len(shown)
    more = f", {hidden} resolved long ago (--all)" if hidden else ""
    click.echo(f"{series} histories looked at: {standing} alerts stand{more}")
    if series > 1:
        note("each history is watched by itself, so among many a false alarm is to be expected now and then")
    click.echo("next     benchbook trend              the histories behind this")


def _one(row: Row) -> None:
    """One alert, a block of lines."""
    colour = {"worse": "red", "better": "green"}[row["sense"]] if row["state"] != "resolved" else None
    head = f"{row['state'].upper()} {row['sense']}  {row['target']}  {row['workload']}  {row['metric']}"
    click.secho(f"{head}  {percent(row, row['change'])}", fg=colour, bold=True)
    for name, text in _facts(row):
        click.echo(f"  {name:<10} {text}")


def _facts(row: Row) -> list[tuple[str, str]]:
    from benchbook.cli.trend import _value

    since = f"{_value(row, row['before'])} -> {_value(row, row['after'])} from run {row['run_id']}"
    off = f" off profile {row['profile']}, too slowly for a step" if row["profile"] else ""
    facts = [("level", f"{since} ({row['started_at']:%Y-%m-%d}){off}")]
    facts.append(("seen", f"with run {row['seen_run_id']}, p {row['p']:.1g}; {_state(row)}"))
    if row["attribution"]:
        facts.append(("changed", row["attribution"]["words"]))
    facts.append(("sure", _sure(row)))
    if row["repeat"]:
        facts.append(("repeat", row["repeat"]))
    return facts


def _state(row: Row) -> str:
    if row["state"] == "resolved":
        return f"resolved by run {row['resolved_by']}: {row['why']}"
    if row["confirmed_by"]:
        return f"confirmed by run {row['confirmed_by']}"
    return f"{row['runs_since']} runs since, none at the new level" if row["runs_since"] else "no run since"


def _sure(row: Row) -> str:
    """The spread between runs, and how often `aa` runs of this target were called changed."""
    from benchbook.reports.words import share

    spread, real = row["spread"], row["realised"]
    known = f"runs lie {share(spread['sd'])} apart within a stretch (sd); " if spread else ""
    if real is None:
        return f"{known}false alarms: no aa run of this target is stored, `benchbook aa` makes them"
    if not real["comparisons"]:
        return f"{known}false alarms: {real['rounds']} aa rounds are stored, too few to compare any"
    told = f"{real['alarms']} of {real['comparisons']} comparisons of it with itself (`benchbook aa`) said CHANGED"
    between = (real["spread"] or {}).get(row["metric"])
    apart = f"; aa rounds lie {share(between['sd'])} apart" if between else ""
    return f"{known}false alarms: {told}{apart}"
