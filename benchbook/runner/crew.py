"""Several measuring processes for one run: one load, dealt out; a journal segment each; one progress.

All are ready before any starts, and they start at one stamp; where targets take turns, so it is with every leg. A
worker that dies is a fault that is told (an event at the head of its successor's segment) and mended: its finished
trials are kept, a successor does the rest of its share.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from benchbook.clock import monotonic_ns
from benchbook.errors import UserError, error_of
from benchbook.runner.measuring import OnProgress
from benchbook.runner.progress import Progress, merge, progress_of
from benchbook.runner.worker import Assignment, encoded

MOST_SUCCESSORS = 3
"""So many times a worker is replaced; then its trials stay missing, and `--resume` does them."""
_HEAD_START_NS = 50_000_000
_LINE_LIMIT = 16 << 20


@dataclass(slots=True)
class _Member:
    """A worker as the crew knows it. report: its last one (a successor's speaks for its predecessors too); ready: for
    which leg it is, or was; over: nothing more comes of it."""

    assignment: Assignment
    process: asyncio.subprocess.Process | None = None
    report: Mapping[str, Any] | None = None
    status: str | None = None
    successors: int = 0
    ready: int | None = None
    over: bool = False


class Crew:
    """Runs assignments side by side. base: what earlier sessions did, added to what is reported."""

    def __init__(self, assignments: list[Assignment], base: Progress, on_progress: OnProgress) -> None:
        self._members = [_Member(assignment) for assignment in assignments]
        self._base, self._on_progress = base, on_progress
        self._next_segment = assignments[-1].segment + 1
        self._starts_ns: list[int] = []
        self._stopped_by: str | None = None
        self._budget_usd: float | None = None
        self.notes: list[str] = []

    async def run(self, budget_usd: float | None) -> tuple[str, Progress]:
        """How it ended, and the last progress. Raises the UserError that a worker met, after stopping the others."""
        self._budget_usd = budget_usd
        running = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                running.add_signal_handler(number, self.stop, "interrupted")
            except (ValueError, RuntimeError, NotImplementedError):
                break
        outcomes = await asyncio.gather(*map(self._see_through, self._members), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        self._tell()
        progress = self._progress()
        return "finished" if not progress.not_started else self._status(), progress

    def stop(self, reason: str) -> None:
        """Have all end gracefully; `interrupted` a second time: at once."""
        self._stopped_by = self._stopped_by or reason
        for member in self._members:
            _tell_worker(member, {"stop": reason})

    # ------------------------------------------------------------ one worker

    async def _see_through(self, member: _Member) -> None:
        """A worker and its successors, to the end."""
        while True:
            code = await self._follow(member)
            if member.status is not None:
                self._leaves(member)
                return
            if self._stopped_by is not None or member.successors == MOST_SUCCESSORS:
                self._fell(member, code, "its missing trials wait for --resume")
                self._leaves(member)
                return
            self._fell(member, code, "a successor does what it left")
            self._replace(member, code)

    async def _follow(self, member: _Member) -> int:
        """Start the worker, read it to its end; its exit code. Raises UserError."""
        process = member.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "benchbook.runner.worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
            limit=_LINE_LIMIT,
            env=dict(os.environ),
        )
        assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - for the type checker
        try:
            process.stdin.write(encoded(member.assignment))
            while line := await process.stdout.readline():
                self._heard(member, orjson.loads(line))
            return await process.wait()
        except UserError:
            self.stop("failed")
            raise
        finally:
            process.stdin.close()
            if process.returncode is None:
                await process.wait()

    def _heard(self, member: _Member, message: Mapping[str, Any]) -> None:
        body = message["body"]
        match message["kind"]:
            case "ready":
                self._muster(member, int(body.get("leg", 0)))
            case "progress":
                member.report = body
                self._tell()
            case "done":
                member.report, member.status = body["progress"], body["status"]
            case "error":
                raise error_of(body)

    def _muster(self, member: _Member, leg: int) -> None:
        """Start all at one stamp; a successor joins the load that is under way."""
        member.ready = leg
        if leg < len(self._starts_ns):
            _tell_worker(member, {"start_ns": self._starts_ns[leg]})
        else:
            self._start_next()
        if self._starts_ns and self._stopped_by is not None:  # told before they listened
            for each in self._members:
                _tell_worker(each, {"stop": self._stopped_by})

    def _start_next(self) -> None:
        """Start the next leg, once all that are left are ready for it."""
        leg, there = len(self._starts_ns), [member for member in self._members if not member.over]
        if there and all(member.ready == leg for member in there):
            self._starts_ns.append(monotonic_ns() + _HEAD_START_NS)
            for member in there:
                _tell_worker(member, {"start_ns": self._starts_ns[leg]})

    def _leaves(self, member: _Member) -> None:
        """Nobody waits for this one any longer."""
        member.over = True
        self._start_next()

    def _fell(self, member: _Member, code: int, what_then: str) -> None:
        number = member.assignment.number
        self.notes.append(f"worker {number} died ({_exit(code)}): {what_then}")

    def _replace(self, member: _Member, code: int) -> None:
        mine = member.assignment
        fell = {"kind": "worker", "target": "", "name": "died", "fields": {"worker": mine.number, "exit": _exit(code)}}
        member.ready = None
        member.successors += 1
        member.assignment = replace(mine, segment=self._next_segment, again=True, notes=(*mine.notes, fell))
        self._next_segment += 1

    # ------------------------------------------------------------ all of them

    def _status(self) -> str:
        """Of a run that is not whole."""
        said = {member.status for member in self._members}
        if None in said:
            return "crashed"
        return self._stopped_by or next((status for status in said if status and status != "finished"), "finished")

    def _progress(self) -> Progress:
        """Earlier sessions and all workers as one."""
        reports = [member.report for member in self._members if member.report]
        now = progress_of(merge([self._base.report(), *reports])) if reports else self._base
        planned = {name: tally.planned for name, tally in self._base.targets.items()}
        for name, tally in now.targets.items():
            tally.planned = planned.get(name, tally.planned)
        now.planned, now.earlier = self._base.planned, self._base.done
        now.workers = len(self._members)
        return now

    def _tell(self) -> None:
        progress = self._progress()
        self._on_progress(progress)
        if self._budget_usd is not None and progress.spent_usd >= self._budget_usd and self._stopped_by is None:
            self.stop("budget")


def _tell_worker(member: _Member, word: Mapping[str, Any]) -> None:
    process = member.process
    if process is not None and process.returncode is None and process.stdin is not None:
        process.stdin.write(orjson.dumps(word) + b"\n")


def _exit(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
