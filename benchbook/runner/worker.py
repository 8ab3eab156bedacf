"""One measuring process among several of a run: `python -m benchbook.runner.worker`, started by the crew.

Reads an `Assignment` from stdin and says `ready`; is told when the load starts, for all of them alike; measures its
share into a journal segment of its own. Where targets take turns, it says so again before each later leg, and waits
until all are. Lines on stdout: `{"kind": "ready" | "progress" | "error" | "done", "body"}`.
When its stdin ends, the crew is gone, and it goes too: finished trials are in the journal.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from benchbook.clock import monotonic_ns
from benchbook.errors import UserError, error_fields
from benchbook.providers import open_provider
from benchbook.providers.transport import Transport
from benchbook.records import Event, Trial
from benchbook.results import journal
from benchbook.results.paths import files_folder
from benchbook.runner.desk import Desk
from benchbook.runner.lanes import Share
from benchbook.runner.loops import loop_factory
from benchbook.runner.measuring import Left, Measuring
from benchbook.runner.plan import Plan
from benchbook.runner.progress import Progress
from benchbook.runner.simulated import addressed
from benchbook.runner.stored import stored_plan

EXIT_ORPHANED = 137


@dataclass(frozen=True, slots=True)
class Assignment:
    """A worker's part, as plain data.

    segment: the number of its journal segment; session: that of the first segment of this session; again: the
    journal already holds trials of this run, which are not done twice; origins_ns: see `Left`; skips: rows of target,
    dataset, test id, workload, team, reason; notes: events to begin the segment with, without their time.
    """

    results: str
    run_id: str
    number: int
    of: int
    segment: int
    session: int
    addresses: Mapping[str, str]
    facts: Mapping[str, Any]
    origins_ns: tuple[Mapping[str, int], ...]
    skips: tuple[tuple[str, str, str, str, str, str], ...] = ()
    again: bool = False
    notes: tuple[Mapping[str, Any], ...] = ()


def main() -> None:
    """Do the one assignment that stdin gives."""
    assignment = Assignment(**orjson.loads(sys.stdin.buffer.readline()))
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            body = runner.run(_Worker(assignment).run())
    except UserError as error:
        _say("error", error_fields(error))
        sys.exit(2)
    _say("done", body)


class _Worker:
    def __init__(self, assignment: Assignment) -> None:
        self._assignment = assignment
        self._measuring: Measuring | None = None
        self._start: asyncio.Future[int] | None = None
        self._stop: str | None = None

    async def run(self) -> dict[str, Any]:
        mine = self._assignment
        stored = journal.read_run(Path(mine.results), mine.run_id)
        plan = replace(stored_plan(stored), salt=mine.run_id)
        left, earlier = self._left(plan, stored)
        providers = {name: open_provider(addressed(target, mine.addresses)) for name, target in plan.targets.items()}
        for provider in providers.values():
            provider.check()
        transport = Transport()
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._listen, args=(loop,), daemon=True).start()
        desk = Desk(plan, providers, transport, files_folder(Path(mine.results), mine.run_id))
        await desk.warm(Share(0, mine.number, mine.of))
        share = Share(await self._begins(0), mine.number, mine.of)
        progress = self._progress(left, share, earlier)
        facts = {**mine.facts, "worker": mine.number, "workers": mine.of}
        try:
            with journal.JournalWriter(Path(mine.results), mine.run_id, facts, segment=mine.segment) as writer:
                for note in mine.notes:
                    writer.note(Event(at_ns=share.start_ns, **note))
                self._measuring = Measuring(left, desk, writer, progress)
                if self._stop is not None:
                    self._measuring.stop(self._stop)
                status = await self._measuring.run(
                    share, None, lambda so_far: _say("progress", so_far.report()), self._begins
                )
                await desk.close()
                writer.finish(status, progress.fields())
        finally:
            await transport.close()
        return {"status": status, "progress": replace(progress, ended=True).report()}

    async def _begins(self, leg: int) -> int:
        """Say that the leg may start, and wait for the word that it does: its stamp."""
        self._start = asyncio.get_running_loop().create_future()
        if leg and self._stop is not None:
            return monotonic_ns()
        _say("ready", {"leg": leg})
        return await self._start

    def _left(self, plan: Plan, stored: journal.JournalRun) -> tuple[Left, list[Trial]]:
        """What is left of the plan, and the trials of its own share that predecessors did in this session."""
        mine, done, earlier = self._assignment, set(), []
        share = Share(0, mine.number, mine.of)
        everything = Left(plan, frozenset(), {})
        for segment, trial in stored.records() if mine.again else ():
            done.add(trial.planned.trial_id)
            if segment.number >= mine.session and everything.holds(trial.planned, share):
                earlier.append(replace(trial, answers=()))
        skips = {
            (target, dataset, test, workload, team): why for target, dataset, test, workload, team, why in mine.skips
        }
        return Left(plan, frozenset(done), skips, mine.origins_ns), earlier

    def _progress(self, left: Left, share: Share, earlier: list[Trial]) -> Progress:
        planned = left.planned(share)
        progress = Progress(self._assignment.run_id, planned=sum(planned.values()) + len(earlier))
        progress.expect(planned)
        for trial in earlier:
            progress.expect({trial.planned.target: 1})
            left.count(progress, trial)
        return progress

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Words of the crew: `start_ns`, then `stop` with its reason. Unbuffered: see the engine's own listener."""
        rest = b""
        while data := os.read(0, 4096):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                loop.call_soon_threadsafe(self._told, orjson.loads(line))
        os._exit(EXIT_ORPHANED)

    def _told(self, word: Mapping[str, Any]) -> None:
        if "start_ns" in word and self._start is not None and not self._start.done():
            self._start.set_result(word["start_ns"])
        elif "stop" in word:
            self._stop = word["stop"]
            if self._measuring is None:
                return
            if self._start is not None and not self._start.done():
                self._start.set_result(monotonic_ns())
            if word["stop"] == "interrupted":
                self._measuring.interrupt()
            else:
                self._measuring.stop(word["stop"])


def _say(kind: str, body: Mapping[str, Any]) -> None:
    sys.stdout.buffer.write(orjson.dumps({"kind": kind, "body": body}) + b"\n")
    sys.stdout.buffer.flush()


def encoded(assignment: Assignment) -> bytes:
    """The assignment as the line that `main` reads."""
    return orjson.dumps(asdict(assignment)) + b"\n"


if __name__ == "__main__":
    main()
