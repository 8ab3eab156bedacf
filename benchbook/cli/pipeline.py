"""How `run` and `stage` drive the stages and tell of it: progress and notes on stderr, results on stdout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchbook.cli.live import View, live_view
from benchbook.cli.output import note, print_json, tell
from benchbook.clock import today
from benchbook.errors import EXIT_DONE, EXIT_FAILURES, EXIT_INTERRUPTED, EXIT_NOT_VALID, UserError
from benchbook.stages import Executed, Job

if TYPE_CHECKING:
    from subprocess import Popen

    from benchbook.config import PlanSpec

RUN_FIELDS = ("run_id", "verdict", "reasons", "planned", "succeeded", "failed", "timed_out", "skipped", "not_started")
"""What `run --json` prints, and `results`."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How `run` goes about it: through the flow or bare, what it prints, where metrics are served during the run and
    where it is sent to after it; require_valid: whether a verdict other than VALID is an exit code of its own."""

    flow: bool = True
    as_json: bool = False
    quiet: bool = False
    metrics: str = ""
    otel: str = ""
    require_valid: bool = False

    @property
    def silent(self) -> bool:
        """Nothing is said beside results and errors."""
        return self.quiet or self.as_json


def run_job(job: Job, manner: Manner) -> int:
    """Run the whole pipeline for `job`, present the run, and return the exit code."""
    from benchbook.stages.execute import interrupts_handed_on, measuring_process

    quiet = manner.silent
    if manner.otel:
        from benchbook.reports.otlp import base_of

        base_of(manner.otel)  # a bad address is refused before anything is measured
    if manner.metrics:
        from benchbook.reports.prometheus import address_of

        address_of(manner.metrics)
    with nullcontext() if manner.flow else measuring_process() as begun:  # it loads while the plan is read
        spec = job.spec()  # a bad plan, or no such run, is refused before anything is sent
        if not (job.resume or quiet):
            _show_plan(job, spec)
        with interrupts_handed_on() as came, _watched(manner, came) as view:
            way = _through_flow if begun is None else partial(_bare, begun)
            executed = way(job, view, quiet=quiet)
    code = present(job, executed, manner)
    if manner.otel:
        sent_after(job, executed.run_id, manner)
    return code


def sent_after(job: Job, run_id: str, manner: Manner) -> None:
    """Send the run to a collector. It is stored by now: what goes wrong here is said, and no more."""
    from benchbook.reports.otlp import send

    try:
        sent = send(Path(job.results), run_id, manner.otel)
    except UserError as error:
        note(f"otel: {error}; to try again: benchbook export {run_id} --format otlp --to ENDPOINT")
        return
    if not manner.silent:
        _say(f"otel: {sent.spans} spans and {sent.points} metric points sent")


@contextmanager
def _watched(manner: Manner, came: list[int]) -> Iterator[View]:
    """Where progress goes: to the live view, and to whoever scrapes if that is asked for."""
    say = (lambda _line: None) if manner.silent else _say
    if not manner.metrics:
        with live_view(quiet=manner.silent, asked_to_stop=came) as shown:
            yield shown
        return
    from benchbook.reports.prometheus import served

    with served(manner.metrics, say) as scraped, live_view(quiet=manner.silent, asked_to_stop=came) as shown:

        def both(fields: Mapping[str, Any]) -> None:
            scraped(fields)
            shown(fields)

        yield View(both, shown.on_stored)


def _show_plan(job: Job, spec: PlanSpec) -> None:
    """What is about to be measured: a plan made from the command line whole, a file by its name."""
    if job.document is not None:
        from benchbook.config import to_yaml

        click.secho(to_yaml(spec).rstrip(), dim=True, err=True)
    targets = ", ".join(target.name for target in spec.execute.targets)
    from benchbook.stages.forecast import load_words

    execute = spec.execute
    measured = f"{execute.repetitions} repetitions" if execute.trials is None else f"{execute.trials} trials"
    if execute.counts_itself:
        measured = "as many trials as the load holds"
    _say(f"plan {spec.source}: {targets}; {measured}, {execute.warmup} warm-up; {load_words(spec)}")
    warn(spec)


def warn(spec: PlanSpec) -> None:
    """What can be known to go wrong before it does: prices that are missing or old, too few descriptors."""
    from benchbook.config.prices import price_notes
    from benchbook.runner.descriptors import most_allowed, shortage

    for line in price_notes(spec, today()):
        note(line)

    short = shortage(spec, most_allowed())
    if short is not None:
        note(short)


def _through_flow(job: Job, view: View, *, quiet: bool) -> Executed:
    from flows.run import run_flow

    return run_flow(job, view, (lambda _line: None) if quiet else _say, view.on_stored)


def _bare(begun: Popen[bytes], job: Job, view: View, *, quiet: bool) -> Executed:
    """The five stages one after the other, without Prefect; each is loaded when its turn has come."""
    from benchbook.stages.execute import execute_apart

    if not job.resume:
        from benchbook.stages.validate import validate

        _notes(validate(job).notes, quiet=quiet)
    executed = execute_apart(job, view, begun)

    from benchbook.stages.aggregate import aggregate
    from benchbook.stages.report import report
    from benchbook.stages.store import store

    _notes(store(job, executed.run_id, view.on_stored).damaged, quiet=quiet)
    aggregate(job)
    report(job, executed.run_id)
    return executed


def run_stage(name: str, job: Job, *, as_json: bool, quiet: bool) -> int:
    """Run one stage bare; say what it did in a line, or as JSON."""
    from importlib import import_module

    function = getattr(import_module(f"benchbook.stages.{name}"), name)
    if name == "execute":
        if not (quiet or as_json or job.resume):
            warn(job.spec())
        with live_view(quiet=quiet or as_json) as view:
            outcome = function(job, view)
    elif name == "store":
        with live_view(quiet=quiet or as_json) as view:
            outcome = function(job, on_stored=view.on_stored)
    elif name == "validate":
        outcome = function(job, anew=True)
    else:
        outcome = function(job)
    if as_json:
        print_json(asdict(outcome))
    elif not quiet:
        _say(f"{name}: {_told(name, outcome)}")
    return EXIT_INTERRUPTED if isinstance(outcome, Executed) and outcome.status == "interrupted" else EXIT_DONE


def _told(name: str, outcome: Any) -> str:
    """One line about what a stage did."""
    if name == "validate":
        return f"{outcome.cases} cases in {outcome.datasets} datasets are fit" + "".join(
            f"\n  note: {n}" for n in outcome.notes
        )
    if name == "execute" and not outcome.measured:
        return f"run {outcome.run_id} has measured this plan already; --again or BENCHBOOK_AGAIN=1 asks for another"
    if name == "execute":
        return (
            f"run {outcome.run_id} {outcome.status}: {outcome.progress['done']} of {outcome.progress['planned']} trials"
        )
    if name == "store":
        passed_over = "".join(f"\n  passed over: {line}" for line in outcome.damaged)
        return f"{len(outcome.stored)} runs stored, {len(outcome.current)} current already{passed_over}"
    if name == "aggregate":
        return f"{len(outcome.tables)} tables, {outcome.metrics}, {outcome.views}"
    return f"run {outcome.run_id}: {', '.join(outcome.files.values()) or 'no file asked for'}"


def present(job: Job, executed: Executed, manner: Manner) -> int:
    """Print the run (comparison of targets, verdict, where things lie) and return the exit code."""
    from benchbook.history import run_row

    run = run_row(job.results, executed.run_id)
    if manner.as_json:
        print_json({**{name: run[name] for name in RUN_FIELDS}, "results": job.results})
    else:
        from benchbook.reports.console import print_run

        _notes(executed.notes, quiet=manner.silent)
        print_run(job.results, executed.run_id, brief=manner.silent)
    return exit_code(executed.status, run, require_valid=manner.require_valid)


def exit_code(status: str, run: Mapping[str, Any], *, require_valid: bool = False) -> int:
    """130 interrupted; 1 where more of the attempted trials failed than the plan lets pass, or none was tried, or none
    of a target succeeded; 3 where a verdict of VALID was asked for and is not given."""
    if status == "interrupted":
        return EXIT_INTERRUPTED
    failed = run["failed"] + run["timed_out"]
    attempted = run["succeeded"] + failed
    dead = any(reason["code"] == "nothing_measured" for reason in run["reason_codes"] or ())
    if attempted == 0 or dead or failed / attempted > run["max_failure_share"]:
        return EXIT_FAILURES
    return EXIT_NOT_VALID if require_valid and run["verdict"] != "VALID" else EXIT_DONE


def _notes(notes: tuple[str, ...], *, quiet: bool) -> None:
    for line in () if quiet else notes:
        note(line)


def _say(line: str) -> None:
    tell(line)
