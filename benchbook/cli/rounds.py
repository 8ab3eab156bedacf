"""What `ab` and `aa` share: the options of an experiment, its rounds as they pass, and what they come to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from benchbook.cli.options import plan_options, series_options

_OPTIONS = (
    plan_options,
    click.option("--rounds", type=click.IntRange(1, 1000), metavar="N", help="Rounds, each a run.  [default: 8]"),
    click.option(
        "--stop-early", is_flag=True, help="Stop as soon as the answer is known; valid however often one looks."
    ),
    click.option(
        "--margin",
        type=click.FloatRange(0, 1, min_open=True, max_open=True),
        help="A median that moves by less than this share is called alike.  [default: the plan's margin_median, 0.05]",
    ),
    click.option("--resume", metavar="EXPERIMENT", help="Go on with this one (an id, the start of one, or `latest`)."),
    series_options,
)


def experiment_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that both verbs take."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def experiment_of(kind: str, chosen: Mapping[str, Any], sides: Mapping[str, Any]) -> Any:
    """The experiment that the command line describes. sides: fields of `Wish` about A and B. Raises UserError."""
    from benchbook.cli.options import job_of
    from benchbook.errors import UserError
    from benchbook.stages.experiment import Wish, begin, resumed, with_means

    if chosen["resume"]:
        if sides.get("a"):
            raise UserError("--resume", f"goes without {sides['a']}", "an experiment goes on with its own targets")
        found = resumed(kind, chosen["results"], chosen["resume"])
    else:
        if not sides.get("a"):
            raise UserError(f"benchbook {kind}", "needs a target", f"e.g. benchbook {kind} {_EXAMPLE[kind]}")
        found = begin(kind, job_of(chosen, results=chosen["results"]), Wish(**sides))
    said = {name: chosen[name] for name in ("budget_usd", "rounds", "stop_early", "margin")}
    return with_means(found, chosen["workers"], **said)


_EXAMPLE = {"ab": "openai-sim anthropic-sim", "aa": "openai-sim"}


def conducted(experiment: Any, *, quiet: bool) -> Any:
    """The experiment, measured under the eyes of whoever looks."""
    from benchbook.cli.live import live_view
    from benchbook.cli.output import tell
    from benchbook.cli.pipeline import warn
    from benchbook.stages.execute import interrupts_handed_on
    from benchbook.stages.experiment import conduct

    def told(number: int, what: str) -> None:
        if not quiet:
            tell(f"round {number} of {experiment.wish.rounds}: {what}")

    if not quiet:
        tell(f"{experiment.kind} {experiment.experiment_id}: {experiment.pair.a} against {experiment.pair.b}")
        warn(experiment.spec())
    with interrupts_handed_on(), live_view(quiet=quiet) as on_progress:
        return conduct(experiment, told, on_progress)


def present(experiment: Any, ended: Any, *, as_json: bool) -> int:
    """Print what the rounds came to and return the exit code: 130 interrupted, 1 a side without a success, else that of
    compare's gate."""
    from benchbook.cli.output import print_json
    from benchbook.errors import EXIT_FAILURES, EXIT_INTERRUPTED
    from benchbook.reports.experiments import print_experiment
    from benchbook.stages.experiment import answer

    found = answer(experiment, ended)
    found["next"] = _next(experiment, ended)
    if as_json:
        print_json(found)
    else:
        print_experiment(found)
    if ended.status == "interrupted":
        return EXIT_INTERRUPTED
    return EXIT_FAILURES if ended.status == "failed" else int(found["exit_code"])


def _next(experiment: Any, ended: Any) -> dict[str, str]:
    """Label -> the command that comes next."""
    from benchbook.results.paths import as_option
    from benchbook.stages.experiment import sides

    where = as_option(experiment.results)
    found = {}
    if ended.status == "failed":
        found["look"] = f"benchbook show {max(ended.runs.values())}{where}"
    elif ended.runs and ended.status in ("interrupted", "budget"):
        more = " --budget-usd MORE" if ended.status == "budget" else ""
        found["finish"] = f"benchbook {experiment.kind} --resume {experiment.experiment_id}{more}{where}"
    elif ended.status == "finished":
        rounds = experiment.wish.rounds * 2
        found["more"] = f"benchbook {experiment.kind} --resume {experiment.experiment_id} --rounds {rounds}{where}"
    if ended.runs:
        a, b = sides(experiment)
        found["next"] = f"benchbook compare '{a}' '{b}'{where}"
    return found
