"""`benchbook trend`: the history of each target, as stretches between changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from benchbook.cli.options import json_option, results_option

_EPILOG = """\b
Examples:
  benchbook trend                              every target, its main metrics
  benchbook trend openai-sim --metric e2e_ms
  benchbook trend --since 2026-10-01 --json
A stretch is what lies between two changes; a spike (^) is a run that lies alone and makes no stretch. Runs that
are INVALID or did not finish don't count. `benchbook alerts` tells what still stands."""

_WIDTH = 60
_CALM_WIDTH = 24
Row = Mapping[str, Any]

metric_option = click.option("--metric", "metrics", metavar="NAME", multiple=True, help="Only this metric; repeatable.")


@click.command(epilog=_EPILOG)
@click.argument("target", required=False)
@metric_option
@click.option("--since", metavar="DATE", help="Show only runs from this date or time (UTC) on.")
@results_option
@json_option
def command(**chosen: Any) -> None:
    """Show how each target's metrics went, where they changed, and what changed with them."""
    from benchbook.cli.output import print_json
    from benchbook.history.trends import trend

    since = moment(chosen["since"]) if chosen["since"] else None
    rows = trend(chosen["results"], target=chosen["target"], metrics=chosen["metrics"], since=since)
    if chosen["as_json"]:
        print_json(rows)
        return
    held = [row for row in rows if row["runs"]]
    told = [row for row in held if len(held) == 1 or _moved(row)]
    for row in told:
        _print(row)
    _print_calm([row for row in held if row not in told], several=bool(told))
    _ending(rows)


def moment(text: str) -> Any:
    """A date or time, in UTC unless it says otherwise. Raises UserError."""
    from datetime import UTC, datetime

    from benchbook.errors import UserError

    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UserError("--since", f"{text!r} is no date or time", "write 2026-10-01 or 2026-10-01T14:30") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def _print(row: Row) -> None:
    from benchbook.cli.output import note, print_table
    from benchbook.reports.terminal import show_words

    several = f"{row['target']}  {row['workload']}  {row['metric']}  workload {row['workload_hash'][:8]}"
    drawn, marks = spark(row["runs"])
    show_words((several, "bold"))
    click.echo(f"  {drawn}  newest {_value(row, row['runs'][-1]['value'])}")
    if marks.strip():
        click.echo(f"  {marks.rstrip()}")
    columns = ("from run", "date", "runs", "level", "change", "points to", "what changed")
    print_table("", columns, [_line(row, segment) for segment in row["segments"]], {"what changed": -1})
    for line in _reservations(row):
        note(line)


def _moved(row: Row) -> bool:
    """Whether there is more to say than a level: a change, one that did not last, an hour, a baseline left."""
    return bool(len(row["segments"]) > 1 or row["withdrawn"] or row["by_hour"] or row["baselines"])


def _print_calm(rows: Sequence[Row], *, several: bool) -> None:
    """The histories that stayed at their level, a line each."""
    from benchbook.cli.output import note, print_table

    if not rows:
        return
    columns = ("target", "workload", "metric", "of workload", "runs", "level", "newest", f"newest {_CALM_WIDTH} runs")
    lines = [
        [
            *(row[name] for name in ("target", "workload", "metric")),
            row["workload_hash"][:8],
            len(row["runs"]),
            _value(row, row["segments"][-1]["value"]),
            _value(row, row["runs"][-1]["value"]),
            spark(row["runs"], _CALM_WIDTH)[0],
        ]
        for row in rows
    ]
    print_table("the others stayed at their level" if several else "no change found", columns, lines)
    for line in dict.fromkeys(line for row in rows for line in _reservations(row)):
        note(line)


def spark(runs: Sequence[Row], width: int = _WIDTH) -> tuple[str, str]:
    """The newest runs as bars from their lowest to their highest value, `|` before each new stretch; and below, marks:
    ^ under a spike."""
    from benchbook.cli.lately import BARS

    shown = runs[-width:]
    calm = [run["level"] for run in shown if not run["spike"]] or [run["level"] for run in shown]
    low, high = min(calm), max(calm)
    drawn, marks = "", ""
    for before, run in zip([None, *shown], shown, strict=False):
        if before is not None and before["segment"] != run["segment"]:
            drawn, marks = drawn + "|", marks + " "
        part = 0.5 if high == low else min(1.0, max(0.0, (run["level"] - low) / (high - low)))
        drawn += BARS[round(part * (len(BARS) - 1))]
        marks += "^" if run["spike"] else " "
    return drawn, marks


def _line(row: Row, segment: Row) -> list[Any]:
    told = segment["attribution"]["words"] if segment["attribution"] else None
    change = None if segment["change"] is None else percent(row, segment["change"])
    at = f"{segment['started_at']:%Y-%m-%d}"
    return [segment["run_id"], at, segment["runs"], _value(row, segment["value"]), change, segment["sense"], told]


def _value(row: Row, value: float) -> str:
    """A level with its unit."""
    from benchbook.reports.words import money, number, share

    if row["metric"] == "cost_usd":
        return money(value)
    if row["scale"] == "share":
        return share(value)
    return f"{number(value)} ms" if row["metric"].endswith("_ms") else number(value)


def percent(row: Row, change: float) -> str:
    """A change with its sign: percent, or points of a share."""
    return f"{100 * change:+.1f} {'points' if row['scale'] == 'share' else '%'}"


def _reservations(row: Row) -> list[str]:
    """What a reader must know beside the stretches."""
    lines = [
        f"run {one['run_id']}: a change of {percent(row, one['change'])} seen with {one['seen_run_id']} did not last"
        for one in row["withdrawn"]
    ]
    if hour := row["by_hour"]:
        ends = " and ".join(
            f"{name} at {hour[f'{name}_hour']:02d} h ({percent(row, hour[f'{name}_change'])})"
            for name in ("lowest", "highest")
        )
        lines.append(
            f"the hour of day (UTC) explains {hour['share']:.0%} of the spread within stretches: {ends}; compare runs"
            " of the same hour, see `benchbook history by_hour`"
        )
    for one in row["baselines"]:
        if one["change"] is not None:
            value, away = _value(row, one["value"]), percent(row, one["change"])
            lines.append(f"against profile {one['profile']} (run {one['run_id']}, {value}): now {away}")
    if row["left_out"]:
        listed = ", ".join(f"{one['run_id']} ({one['why']})" for one in row["left_out"][:4])
        more = f" and {len(row['left_out']) - 4} more" if len(row["left_out"]) > 4 else ""
        lines.append(f"left out: {listed}{more}")
    return lines


def _ending(rows: Sequence[Row]) -> None:
    from benchbook.cli.output import note

    if not any(row["runs"] for row in rows):
        note("no run counts here: none finished and was not INVALID in that time, see `benchbook runs`")
        return
    longest = max(len(row["runs"]) for row in rows)
    if longest < 6:
        note(f"a change takes at least six runs, three before and three after; the longest history has {longest}")
    click.echo("next     benchbook alerts             what still stands, with an exit code")
