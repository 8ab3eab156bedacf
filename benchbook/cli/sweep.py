"""`benchbook sweep`: one plan under one load after another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import click

from benchbook.cli.options import job_of, loadless_plan_options, series_options

_EPILOG = """\b
Examples:
  benchbook sweep --concurrency 1,2,4,8,16
  benchbook sweep --plan plans/quick.yaml --rate 1,2,5,10 -n 3
  benchbook sweep --resume latest                      measure only the points that are missing
  benchbook history sweep                              every sweep so far
The knee of a target is the load before the first step that gains too little: the part of the added load that comes
out as added throughput is below --least-gain.
\b
Exit codes: 0 done, 1 a point has failures beyond the threshold, 2 bad input, 130 interrupted."""


@click.command(epilog=_EPILOG)
@loadless_plan_options
@click.option("--concurrency", metavar="LIST", help="Closed loops with so many trials in flight, e.g. 1,2,4,8.")
@click.option("--rate", metavar="LIST", help="Open loops with so many trials a second, e.g. 1,2,5,10.")
@click.option("--trials", type=click.IntRange(1), metavar="N", help="Measured trials of a target at each load.")
@click.option("--least-gain", type=click.FloatRange(0, 1), default=0.5, show_default=True, help="Of a step, see below.")
@click.option("--resume", metavar="SWEEP", help="Go on with this sweep (an id, a prefix, or `latest`).")
@series_options
def command(**chosen: Any) -> int:
    """Run a plan under one load after another, each a run of its own, and say where more load stops paying."""
    from benchbook.cli.live import live_view
    from benchbook.cli.output import print_json, tell
    from benchbook.cli.pipeline import warn
    from benchbook.stages.execute import interrupts_handed_on
    from benchbook.stages.sweep import answer, sweep

    series = _series(chosen)
    quiet = chosen["quiet"] or chosen["as_json"]
    if not quiet:
        warn(series.spec(max(series.grid, default=1.0)))

    def told(load: float, what: str) -> None:
        if not quiet:
            tell(f"{series.axis} {load:g}: {'has a finished run' if what == 'kept' else what}")

    with interrupts_handed_on(), live_view(quiet=quiet) as on_progress:
        swept = sweep(series, told, on_progress)
    found = answer(series, swept, chosen["least_gain"])
    if chosen["as_json"]:
        print_json(found)
    else:
        _print(found)
    return _exit_code(chosen["results"], swept.status, found)


def _series(chosen: Mapping[str, Any]) -> Any:
    from benchbook.errors import UserError
    from benchbook.stages.points import Means, begin, grid_of, resumed

    means = Means(chosen["workers"], chosen["budget_usd"])

    axes = [axis for axis in ("concurrency", "rate") if chosen[axis]]
    if chosen["resume"]:
        if axes:
            raise UserError("--resume", f"goes without --{axes[0]}", "a sweep goes on with its own loads")
        return replace(resumed(chosen["results"], chosen["resume"]), means=means)
    if len(axes) != 1:
        raise UserError("benchbook sweep", "needs one of --concurrency and --rate", "e.g. --concurrency 1,2,4,8")
    job = job_of({**chosen, "concurrency": None, "rate": None}, results=chosen["results"])
    series = begin("sweep", job, axes[0], grid_of(chosen[axes[0]], axes[0]), trials=chosen["trials"])
    return replace(series, means=means)


def _print(found: Mapping[str, Any]) -> None:
    from benchbook.reports.sweeps import print_sweep

    print_sweep(found)


def _exit_code(results: str, status: str, found: Mapping[str, Any]) -> int:
    """130 interrupted; 1 where more of a point's trials failed than the plan lets pass."""
    from benchbook.cli.pipeline import exit_code
    from benchbook.errors import EXIT_DONE, EXIT_INTERRUPTED
    from benchbook.history import run_row

    if status == "interrupted":
        return EXIT_INTERRUPTED
    runs = dict.fromkeys(row["run_id"] for row in found["points"])
    return max((exit_code("finished", run_row(results, run_id)) for run_id in runs), default=EXIT_DONE)
