"""Stage 2: the measurement, and the only stage that is not a build product.

A run gets a new folder and never replaces one. `execute` measures in this process; `execute_apart` does the
same in a process of its own, so that neither an orchestrator's threads nor its heap stand between the engine
and its clock.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from benchbook.errors import EXIT_INTERRUPTED, BenchbookError, error_of
from benchbook.stages import Executed, Job, OnProgress

if TYPE_CHECKING:
    from benchbook.runner.progress import Progress
    from benchbook.stages.profile import Profile


def execute(job: Job, on_progress: OnProgress | None = None) -> Executed:
    """Measure the job's plan, or finish the run that it resumes.

    With `job.again` false a finished run of the same plan hash stands for the measurement. Raises UserError.
    """
    from benchbook.datasets import files, read
    from benchbook.results import journal
    from benchbook.results.paths import checks_file
    from benchbook.runner.demands import require_met
    from benchbook.runner.plan import freeze
    from benchbook.runner.session import Orders
    from benchbook.runner.session import execute as run_session
    from benchbook.runner.stored import stored_plan

    results = Path(job.results)
    if job.resume:
        plan = stored_plan(journal.read_run(results, journal.find_run(results, job.resume)))
    else:
        spec = job.spec()
        plan = freeze(spec, [read(path).dataset for path in files(spec.validate_.datasets)])
        require_met(plan)
        if not job.again and (found := journal.finished_run(results, plan.plan_hash)):
            return Executed(found, "finished", measured=False, progress={})
    checks = checks_file(results)
    orders = Orders(
        results=results,
        resume=job.resume,
        budget_usd=job.budget_usd,
        preflight=job.preflight,
        origin=job.origin,
        checks=checks.read_bytes() if checks.is_file() else b"",
        facts={"profiled": True} if job.profile else {},
        workers=job.workers,
    )
    with _profiled(job) as profile:
        outcome = run_session(plan, orders, _reporting(on_progress, profile))
    if on_progress is not None:
        on_progress({**outcome.progress.report(), "ended": True})
    notes = outcome.notes
    if profile is not None:
        notes = (*notes, f"profile of the harness: {profile.keep(results, outcome.run_id)}/")
    return Executed(outcome.run_id, outcome.status, measured=True, progress=outcome.progress.fields(), notes=notes)


def _reporting(on_progress: OnProgress | None, profile: Profile | None) -> Callable[[Progress], None]:
    """What the session's ticks do: tell whoever follows, and keep a profile small."""

    def report(progress: Progress) -> None:
        if on_progress is not None:
            on_progress(progress.report())
        if profile is not None:
            profile.tick()

    return report


def _profiled(job: Job) -> AbstractContextManager[Profile | None]:
    if not job.profile:
        return nullcontext()
    from benchbook.stages.profile import profiling

    return profiling(job.profile)


@contextmanager
def measuring_process() -> Iterator[subprocess.Popen[bytes]]:
    """The measuring process, begun: it loads what any job needs and waits for one. It ends with this block.

    It is born with interrupts held back, and lets them in when it can take one: an early one waits for that.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        child = subprocess.Popen(
            [sys.executable, "-m", "benchbook.stages.engine"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    try:
        yield child
    finally:
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        if child.poll() is None:
            child.terminate()
            child.wait()


def execute_apart(
    job: Job, on_progress: OnProgress | None = None, begun: subprocess.Popen[bytes] | None = None
) -> Executed:
    """`execute` in a child process; blocks until it ends. The child goes down with this process.

    begun: a `measuring_process` that waits for its job, if there is one. Interrupts: the child is in a session of its
    own; `interrupt_children` hands a Ctrl-C on to it. Raises KeyboardInterrupt where that ended it before its load.
    """
    with measuring_process() if begun is None else nullcontext(begun) as child:
        _CHILDREN.add(child.pid)
        try:
            _hand_over(job, child)
            outcome = _follow(child, on_progress)
            child.wait()
        finally:
            _CHILDREN.discard(child.pid)
    if outcome is None and child.returncode in (EXIT_INTERRUPTED, -signal.SIGINT):
        raise KeyboardInterrupt
    if outcome is None:
        raise BenchbookError(
            f"the measuring process ended with code {child.returncode} and without a word; "
            "finished trials are in the journal: see `benchbook runs`, then --resume"
        )
    return outcome


def _hand_over(job: Job, child: subprocess.Popen[bytes]) -> None:
    """Give the child its job; one that has died by now takes none, and is told by its end."""
    assert child.stdin is not None  # noqa: S101 - for the type checker
    with suppress(BrokenPipeError):
        child.stdin.write(orjson.dumps(job.fields()) + b"\n")
        child.stdin.flush()


_CHILDREN: set[int] = set()
"""Pids of measuring processes that have a job."""


def interrupt_children() -> bool:
    """Hand an interrupt on to the measuring processes; False if there is none."""
    for pid in tuple(_CHILDREN):
        with suppress(ProcessLookupError):  # it has just ended
            os.kill(pid, signal.SIGINT)
    return bool(_CHILDREN)


def _follow(child: subprocess.Popen[bytes], on_progress: OnProgress | None) -> Executed | None:
    for kind, body in _messages(child):
        if kind == "progress" and on_progress is not None:
            on_progress(body)
        elif kind == "error":
            raise error_of(body)
        elif kind == "done":
            return Executed(**{**body, "notes": tuple(body["notes"])})
    return None


def _messages(child: subprocess.Popen[bytes]) -> Iterator[tuple[str, Any]]:
    assert child.stdout is not None  # noqa: S101 - for the type checker
    for line in child.stdout:
        message = orjson.loads(line)
        yield message["kind"], message["body"]


@contextmanager
def interrupts_handed_on() -> Iterator[list[int]]:
    """While this lasts, Ctrl-C goes to the measuring process; the list it yields fills with what came."""
    came: list[int] = []

    def hand_on(number: int, _frame: object) -> None:
        came.append(number)
        if not interrupt_children():
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, hand_on)
    try:
        yield came
    finally:
        signal.signal(signal.SIGINT, before)
