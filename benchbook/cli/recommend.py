"""`benchbook recommend`: which target to take, and what it would save."""

from __future__ import annotations

import re
from typing import Any

import click

from benchbook.cli.options import json_option, results_option

_EPILOG = """\b
Examples:
  benchbook recommend                                   the newest runs that are alike
  benchbook recommend --volume 1e6/month --reference openai-sim
  benchbook recommend latest --max-ttft-p95 500 --min-score 0.8
  benchbook recommend workload=api since=2026-11-01 --prices datasets/prices/2026-11.yaml --json
A SIDE selects runs as in `benchbook compare`. Targets are held against each other on the cases that they share, with
the case as the cluster. A saving is said only where the cost is lower for sure and the quality is shown to be no worse
by the margin; a limit is met only where its whole interval meets it.
\b
Exit codes: 0 said, 2 bad input (unlike workloads, no such run), 4 cannot tell: nothing there can be compared."""

_MONTH_DAYS = 365.25 / 12
_PERIODS = {"day": _MONTH_DAYS, "week": _MONTH_DAYS / 7, "month": 1.0, "year": 1 / 12}
_VOLUME = re.compile(
    r"([0-9][0-9_,]*\.?[0-9]*(?:e\+?[0-9]+)?)\s*(trials|tokens)?\s*(?:/\s*(day|week|month|year))?", re.I
)

LIMITS = {
    "max_ttft_p50": "ttft_ms_p50",
    "max_ttft_p95": "ttft_ms_p95",
    "max_e2e_p50": "e2e_ms_p50",
    "max_e2e_p95": "e2e_ms_p95",
    "max_cost": "cost_usd",
    "max_failures": "failure_share",
    "min_score": "score",
}
"""Option -> the axis that it bounds."""


class Volume(click.ParamType[tuple[float, str]]):
    """`1e6/month`, `20000/day`, `5e9 tokens/month`: trials or tokens, as so many a month."""

    name = "volume"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, str]:
        found = _VOLUME.fullmatch(str(value).strip())
        amount = float(re.sub(r"[_,]", "", found[1])) if found else 0.0
        if found is None or not 0 < amount < 1e18:
            self.fail(f"{value!r} is no volume; write 1e6/month, 20000/day or '5e9 tokens/month'", param, ctx)
        return amount * _PERIODS[(found[3] or "month").lower()], (found[2] or "trials").lower()


@click.command(epilog=_EPILOG)
@click.argument("sides", nargs=-1, metavar="[SIDE]...")
@click.option("--volume", type=Volume(), metavar="N[/month]", help="Monthly cost at so many trials (or `N tokens`).")
@click.option("--reference", metavar="TARGET", help="Say savings against this target alone.")
@click.option(
    "--latency", type=click.Choice(("e2e_ms", "ttft_ms")), default="e2e_ms", show_default=True, help="Weighed."
)
@click.option("--max-ttft-p50", type=click.FloatRange(0, min_open=True), metavar="MS", help="Limit.")
@click.option("--max-ttft-p95", type=click.FloatRange(0, min_open=True), metavar="MS", help="Limit.")
@click.option("--max-e2e-p50", type=click.FloatRange(0, min_open=True), metavar="MS", help="Limit.")
@click.option("--max-e2e-p95", type=click.FloatRange(0, min_open=True), metavar="MS", help="Limit.")
@click.option("--max-cost", type=click.FloatRange(0, min_open=True), metavar="USD", help="Limit, of a trial.")
@click.option("--max-failures", type=click.FloatRange(0, 1), metavar="SHARE", help="Limit, e.g. 0.01.")
@click.option("--min-score", type=click.FloatRange(0, 1), metavar="SCORE", help="Limit from below.")
@click.option(
    "--margin",
    type=click.FloatRange(0, 100, min_open=True),
    default=3.0,
    show_default=True,
    metavar="POINTS",
    help="A score that differs by less is called equivalent.",
)
@click.option("--prices", metavar="FILE", help="Recompute costs from stored token counts with this price table.")
@click.option(
    "--confidence",
    type=click.FloatRange(0.5, 1, min_open=True, max_open=True),
    default=0.95,
    show_default=True,
    help="Of the intervals.",
)
@results_option
@json_option
def command(**chosen: Any) -> int:
    """Say which target to take: quality, latency, cost and reliability with intervals, and what it would save."""
    from benchbook.cli.output import note, print_json
    from benchbook.errors import EXIT_CANNOT_TELL, EXIT_DONE
    from benchbook.history.advice import Wish
    from benchbook.history.recommending import recommendation
    from benchbook.reports.recommendation import fields, print_recommendation

    volume, unit = chosen["volume"] or (None, "trials")
    wish = Wish(
        sides=chosen["sides"],
        latency=chosen["latency"],
        volume=volume,
        unit=unit,
        reference=chosen["reference"],
        limits={axis: chosen[option] for option, axis in LIMITS.items() if chosen[option] is not None},
        score_margin=chosen["margin"] / 100,
        prices=chosen["prices"],
        confidence=chosen["confidence"],
    )
    found = recommendation(chosen["results"], wish)
    if chosen["as_json"]:
        print_json(fields(found))
    else:
        print_recommendation(found, wish.latency, volume=None if volume is None else f"{volume:,.0f} {unit}")
        for line in found.notes:
            note(line)
    compared = any(row["standing"] != "not comparable" for row in found.rows)
    return EXIT_DONE if compared else EXIT_CANNOT_TELL
