"""`benchbook power`: what can be seen, with how many runs, for how much, before any of it is spent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from benchbook.cli.options import json_option, plan_option, results_option, set_option

_EPILOG = """\b
Examples:
  benchbook power                                       the default plan: what 1 to 10 runs a side show
  benchbook power --plan plans/quick.yaml --change 10%
  benchbook power --target openai-sim --runs 3 --metric ttft_ms --json
It rests on how far the stored runs of the same workload and target lie apart. Where there are none, `benchbook aa`
measures it. A change is `clear` where the run-level interval leaves out 0, and CHANGED where it is beyond
the margin as well. Then: `benchbook ab` measures, `benchbook compare` concludes."""

Row = Mapping[str, Any]


class Portion(click.ParamType[float]):
    """`5%` or `0.05`, as a share above 0 and below 10."""

    name = "portion"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text = str(value).strip()
        try:
            found = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            found = 0.0
        if not 0 < found < 10 or (found >= 1 and not text.endswith("%")):
            self.fail(f"{value!r} is no change; write 5% or 0.05", param, ctx)
        return found


@click.command(epilog=_EPILOG)
@plan_option
@set_option
@click.option("--target", "targets", metavar="NAME", multiple=True, help="Only this target of the plan; repeatable.")
@click.option("--runs", type=click.IntRange(1, 1000), metavar="N", help="Runs a side; else 1, 2, 3, 5 and 10.")
@click.option("--change", type=Portion(), default="5%", show_default=True, help="The change that should be seen.")
@click.option("--metric", "metrics", metavar="NAME", multiple=True, help="Only this metric; repeatable.")
@click.option(
    "--power", type=click.FloatRange(0.5, 0.999), default=0.8, show_default=True, help="The chance to see it."
)
@results_option
@json_option
def command(**chosen: Any) -> None:
    """Say before spending which change can be seen with how many runs, and what they cost."""
    from benchbook.cli.output import print_json
    from benchbook.stages import Job
    from benchbook.stages.outlook import power_outlook

    job = Job(plan=chosen["plan"], overrides=chosen["overrides"], results=chosen["results"])
    found = power_outlook(job, chosen)
    if chosen["as_json"]:
        print_json(found)
    else:
        _print(found)


def _print(found: Mapping[str, Any]) -> None:
    from benchbook.cli.output import note, print_table
    from benchbook.reports.words import share

    sides = [one["runs"] for one in next(row["seen"] for row in found["rows"] if row["seen"])]
    wish = share(found["change"])
    columns = ["target", "metric", "stored runs", "spread", *(f"n={side} shows" for side in sides)]
    columns += [f"runs for {wish}", "CHANGED", "EQUIVALENT"]
    lines = [_line(row, len(sides)) for row in found["rows"]]
    print_table(f"plan {found['plan']}", columns, lines, ranks=dict.fromkeys(("n=2 shows", "n=10 shows"), 1))
    click.echo(
        f"spread: standard deviation between runs, with its 95 % interval; n=...: the smallest true change that n"
        f" runs a side show, {found['power']:.0%} of the time, as an interval clear of 0\n"
        f"runs a side: for {wish} to be clear of 0; for it to be called CHANGED (beyond the margin as well); for no"
        f" change to be called EQUIVALENT; '-': never, or more than 1,000"
    )
    known = {row["target"] for row in found["rows"]}
    for target in found["targets"]:
        if target["target"] in known:
            click.echo(_cost(target, sides))
        else:
            note(f"{target['target']}: no stored run of this workload; `benchbook aa {target['target']}` measures it")
    for line in dict.fromkeys(line for row in found["rows"] for line in _reservations(row)):
        note(line)


def _line(row: Row, sides: int) -> list[Any]:
    from benchbook.reports.words import share

    if row["refused"]:
        return [row["target"], row["metric"], row["runs"], None, *[None] * (sides + 3)]
    unit = "%" if row["scale"] == "log" else "points"
    low, high = (share(row[name]).removesuffix(" %") for name in ("sd_low", "sd_high"))
    spread = f"{share(row['sd']).removesuffix(' %')} ({low} to {high}) {unit}"
    seen = [None if one["change"] is None else share(one["change"]).replace("%", unit) for one in row["seen"]]
    needed = [row["runs_clear"], row["runs_changed"], row["runs_equivalent"]]
    return [row["target"], row["metric"], row["runs"], spread, *seen, *needed]


def _cost(target: Row, sides: Sequence[int]) -> str:
    """What both sides' runs of one target cost at most, and how long they take one after the other."""
    from benchbook.cli.plan import duration
    from benchbook.reports.words import money

    once = target["cost_usd_run"]
    parts = [
        f"n={side}: {'' if once is None else f'at most {money(2 * side * once)}, '}"
        f"about {duration(2 * side * target['duration_s_run'])}"
        for side in sides
    ]
    unknown = "; cost unknown (no price, or no max_tokens)" if once is None else ""
    return f"{target['target']}, both sides of {target['trials']:,} trials a run: {'; '.join(parts)}{unknown}"


def _reservations(row: Row) -> list[str]:
    """What a reader must know beside the numbers."""
    of = f"{row['target']}, {row['metric']}"
    lines = [f"{of}: {row['refused']}, so nothing tells how far runs lie apart in it"] if row["refused"] else []
    if row["left_out"] and row["runs"]:
        lines.append(f"{of}: {row['left_out']} stored runs are left out (INVALID, unfinished, or without a level)")
    if row["kind"] == "rounds":
        lines.append(
            "the spread is that of one experiment's rounds, minutes apart: it plans an experiment, and is too small for"
            " a comparison of days"
        )
    if not row["refused"] and row["runs_changed"] is None and row["change"] <= row["margin"]:
        lines.append(f"a change within the margin of {row['margin']:.0%} is never called CHANGED, however many runs")
    return lines
