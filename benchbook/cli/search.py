"""`benchbook search`: the largest load that still meets objectives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import click

from benchbook.cli.options import job_of, loadless_plan_options, series_options

_EPILOG = """\b
Examples:
  benchbook search --slo 'ttft_ms p95 < 500' --concurrency 1..64
  benchbook search --slo 'ttft_ms p95 < 500' --slo 'error_rate < 5%' --rate 1..50 --trials 100
  benchbook search --plan plans/quick.yaml --slo 'response_ms p50 < 2 s' --rate 0.5..8 --max-runs 8 --json
  benchbook search --resume latest                     go on where it was interrupted, killed or out of money
An objective is METRIC pQ < NUMBER, or error_rate < SHARE. A failed trial counts as infinitely slow. A load is met when
the whole interval of each objective lies on the good side, violated when that of one lies on the bad side; what can't
be told is run again, up to --repeats times. A search that goes on judges the runs that it has, does the missing trials
of a half-done one, and asks what it asked before; --budget-usd and --max-runs, for the whole of it, may be said anew.
\b
Exit codes: 0 every target has a load that meets all, 1 none that does, 2 bad input, 130 interrupted."""


@click.command(epilog=_EPILOG)
@loadless_plan_options
@click.option("--slo", "slos", metavar="TEXT", multiple=True, help="An objective; repeatable: all must be met.")
@click.option("--concurrency", metavar="MIN..MAX", help="Search closed loops. [default: 1..64]")
@click.option("--rate", metavar="MIN..MAX", help="Search open loops instead, in trials a second.")
@click.option("--trials", type=click.IntRange(1), metavar="N", help="Measured trials of each run, cases in turn.")
@click.option("--max-runs", type=click.IntRange(1), help="Runs a target, at most.  [default: 20]")
@click.option("--repeats", type=click.IntRange(1), help="Runs at one load, at most.  [default: 3]")
@click.option("--resume", metavar="SEARCH", help="Go on with this search (an id, the start of one, or `latest`).")
@series_options
def command(**chosen: Any) -> int:
    """Find the largest load that still meets objectives, target by target: doubling, then halving."""
    from benchbook.cli.live import live_view
    from benchbook.cli.output import tell
    from benchbook.cli.pipeline import warn
    from benchbook.stages.execute import interrupts_handed_on
    from benchbook.stages.search import search

    slos, limits, series = _asked(chosen)
    quiet = chosen["quiet"] or chosen["as_json"]
    if not quiet:
        warn(series.spec(limits.within.low))

    def told(target: str, load: float, what: str) -> None:
        if not quiet:
            tell(f"{target} at {series.axis} {load:g}: {what}")

    with interrupts_handed_on(), live_view(quiet=quiet) as on_progress:
        found = search(series, slos, limits, told, on_progress)
    return _present(chosen, series, slos, found)


def _present(chosen: Mapping[str, Any], series: Any, slos: Any, found: Any) -> int:
    """Print what was found and return the exit code."""
    from benchbook.cli.output import print_json
    from benchbook.errors import EXIT_DONE, EXIT_FAILURES, EXIT_INTERRUPTED
    from benchbook.reports.sweeps import print_search
    from benchbook.stages.search import met

    answer = {
        "search_id": series.sweep_id,
        "axis": series.axis,
        "slos": [slo.text for slo in slos],
        "targets": [part.fields() for part in found],
        "results": series.results,
        "next": _next(series, found),
    }
    if chosen["as_json"]:
        print_json(answer)
    else:
        print_search(answer)
    if any(part.status == "interrupted" for part in found):
        return EXIT_INTERRUPTED
    return EXIT_DONE if met(found) else EXIT_FAILURES


def _next(series: Any, found: Any) -> dict[str, str]:
    """Label -> the command that goes on, where there is something to go on with."""
    from benchbook.results.paths import as_option
    from benchbook.stages.points import points

    ended = next((part.status for part in found if part.status != "finished"), None)
    if ended is None or not points(series):
        return {}
    more = {"budget": " --budget-usd MORE", "max runs": " --max-runs MORE"}.get(ended, "")
    return {"finish": f"benchbook search --resume {series.sweep_id}{more}{as_option(series.results)}"}


def _asked(chosen: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """Objectives, limits and the series to search in. Raises UserError."""
    from benchbook.errors import UserError
    from benchbook.stages.points import Means, begin
    from benchbook.stages.search import MAX_RUNS, REPEATS, Limits, check, objectives, range_of, resumed

    means = Means(chosen["workers"], chosen["budget_usd"])
    if chosen["resume"]:
        said = [name for name in ("slos", "concurrency", "rate", "trials", "repeats") if chosen[name]]
        if said:
            option = "slo" if said[0] == "slos" else said[0]
            raise UserError("--resume", f"goes without --{option}", "a search goes on with what it asked for")
        return resumed(chosen["results"], chosen["resume"], means, chosen["max_runs"])
    if chosen["concurrency"] and chosen["rate"]:
        raise UserError("--rate", "goes without --concurrency", "search one of them")
    slos = objectives(chosen["slos"])
    axis = "rate" if chosen["rate"] else "concurrency"
    within = range_of(chosen[axis] or "1..64", axis)
    limits = Limits(within, chosen["max_runs"] or MAX_RUNS, chosen["repeats"] or REPEATS)
    job = job_of({**chosen, "concurrency": None, "rate": None}, results=chosen["results"])
    series = begin("search", job, axis, trials=chosen["trials"])
    check(slos, series, limits)
    return slos, limits, replace(series, means=means)
