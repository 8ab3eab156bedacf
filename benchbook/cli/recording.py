"""The three ways to a cassette: what is passed on, what a plan asks, what a run has stored. For `cli/record.py`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchbook.cli.output import note, tell
from benchbook.errors import EXIT_DONE

if TYPE_CHECKING:
    from benchbook.proxy.cassette import Recorded
    from benchbook.proxy.recorder import Recording, Tally


def named_by_time() -> Path:
    """A file name in the working folder that sorts by time."""
    from benchbook.clock import SystemClock, utc

    return Path(f"cassette-{utc(SystemClock().wall_ns()):%Y%m%dT%H%M%SZ}.ndjson")


def of_address(chosen: Mapping[str, Any], path: Path) -> int:
    """Pass on and record until Ctrl-C."""
    from benchbook.proxy.recorder import Order, record, upstream
    from benchbook.proxy.replayer import ignored

    name, to = upstream(chosen["to"])
    order = Order(path, {name: to}, port=chosen["port"], append=chosen["append"], ignore=ignored(chosen["ignore"]))
    seen: list[Tally] = []

    def announce(recording: Recording) -> None:
        seen.append(recording.deck.tally)
        tell(f"{recording.addresses[name]} passes on to {name} and records in {path}; Ctrl-C ends it")

    record(order, announce, None if chosen["quiet"] else _told)
    return _ended(path, seen[0])


def _told(recorded: Recorded) -> None:
    asked, answered = recorded.asked, recorded.answered
    took = f"{answered.end_ns / 1e6:,.0f} ms" + ("" if answered.ending == "complete" else f", {answered.ending}")
    status = "no answer" if answered.status is None else answered.status
    tell(f"{recorded.number}  {asked.method} {asked.path}  {status}  {len(answered.pieces)} pieces  {took}")


def _ended(path: Path, tally: Tally) -> int:
    """Say what was recorded and what the next command is; raise what went wrong with the file."""
    if sys.stderr.isatty():
        tell("")
    if tally.unreached:
        note(
            f"{tally.unreached} requests could not be passed on (the last: {tally.last_trouble}); they are not recorded"
        )
    if tally.coded:
        note(f"{tally.coded} answers were compressed though identity was asked for; they are not recorded")
    if tally.failed is not None:
        raise tally.failed
    _next(path, tally.recorded)
    return EXIT_DONE


def _next(path: Path, exchanges: int) -> None:
    click.echo(f"{exchanges} exchanges recorded in {path}")
    if exchanges:
        click.echo(f"next     benchbook replay {path}")
        click.echo(f"         or, in a plan, base_url: cassette:{path}")


def of_plan(chosen: Mapping[str, Any], path: Path) -> int:
    """Run a plan with a recorder between it and its targets."""
    from benchbook.cli.pipeline import Manner, run_job
    from benchbook.datasets import files, read
    from benchbook.proxy.cassette import read_cassette
    from benchbook.proxy.process import start_recording
    from benchbook.proxy.recorder import Order
    from benchbook.proxy.replayer import ignored
    from benchbook.runner.plan import freeze
    from benchbook.runner.simulated import stand_ins
    from benchbook.runner.taping import places
    from benchbook.stages import Job

    job = Job(plan=str(chosen["plan"]), overrides=chosen["overrides"], results=chosen["results"])
    spec = job.spec()
    with ExitStack() as stack:
        plan = freeze(spec, [read(file).dataset for file in files(spec.validate_.datasets)])
        found = places(plan, stack.enter_context(stand_ins(spec)))
        to = {place.name: place.origin for place in found.values()}
        order = Order(path, to, append=chosen["append"], ignore=ignored(chosen["ignore"]))
        addresses = stack.enter_context(start_recording(order))
        through = []
        for index, name in enumerate(plan.targets):
            place = found[name]
            through.append(f"execute.targets.{index}.base_url={addresses[place.name]}{place.prefix}")
            if place.region is not None:
                through.append(f"execute.targets.{index}.region={place.region}")
        recorded = replace(job, overrides=(*job.overrides, *through), origin={"recorded_in": str(path)})
        code = run_job(recorded, Manner(flow=False, quiet=chosen["quiet"]))
    note("these latencies have the recorder in between; run the plan without it to measure")
    _next(path, len(read_cassette(path).exchanges) if path.exists() else 0)
    return code


def of_run(run: str, results: str, path: Path) -> int:
    """Make a cassette of what a run has stored."""
    from benchbook.results import journal
    from benchbook.runner.taping import from_run

    taped = from_run(journal.read_run(Path(results), journal.find_run(Path(results), run)), path)
    for why, count in taped.left_out.items():
        note(f"{count} calls left out: {why}")
    note("a journal has no header fields, framing or listings: those are as the wire usually has them")
    _next(path, taped.exchanges)
    return EXIT_DONE
