"""A trial's checkpoints: what a workflow has come to so far, so that a killed process goes on where it was.

    results/journal/RUN/checkpoints/TRIAL-000.ndjson     the first process that worked on it
                                    TRIAL-001.ndjson     a resume's, and so on

Lines are frames with a checksum, as the journal's: `opened` when a process takes the trial up, `begun` when a part (a
step, say) is begun, `done` when it is done, with what it came to and its calls, answers and spans. Stamps are raw, of
the clock of their own process. A line is one write, so a kill costs nothing that was done; it is synced by a thread at
once, so a power cut costs the last part at most. Nothing is ever written over. A line that can't be read is passed
over: then its part is done again.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchbook.errors import RecordError
from benchbook.records import Answer, Call, PlannedTrial, Span, Trial
from benchbook.results.encoding import decode_trial, encode_trial
from benchbook.results.frame import FrameError, framed, named, unframed
from benchbook.results.paths import journal_folder, writable
from benchbook.results.whole import sync_folder

OPENED, BEGUN, DONE = "opened", "begun", "done"
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND


@dataclass(frozen=True, slots=True)
class Part:
    """A part that is done. key: which; value: what it came to, JSON-able; then the facts that it left."""

    key: str
    value: Any
    calls: tuple[Call, ...] = ()
    answers: tuple[Answer, ...] = ()
    spans: tuple[Span, ...] = ()
    reported: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Session:
    """What one process left of a trial, in its own stamps.

    intended_ns, opened_ns: when the trial was due, and taken up; parts: in order of their ends, `done_ns` each; begun:
    keys of parts that were begun, the done ones among them.
    """

    intended_ns: int
    opened_ns: int
    parts: tuple[Part, ...] = ()
    done_ns: tuple[int, ...] = ()
    begun: tuple[str, ...] = ()

    @property
    def keys(self) -> frozenset[str]:
        """Of the parts that are done."""
        return frozenset(part.key for part in self.parts)

    @property
    def ends_ns(self) -> int:
        """When the last of its parts was done; when it began, if none was."""
        return max(self.done_ns, default=self.opened_ns)


def checkpoints_folder(results: Path, run_id: str) -> Path:
    """Where a run's checkpoints lie."""
    return journal_folder(results) / run_id / "checkpoints"


def sessions(folder: Path, planned: PlannedTrial) -> tuple[Session, ...]:
    """What earlier processes left of the trial, the first one first; () for one that was never begun."""
    found = (_session(path, planned) for path in sorted(folder.glob(f"{planned.trial_id}-*.ndjson")))
    return tuple(session for session in found if session is not None)


class Checkpoint:
    """Writes this process's lines of one trial. Raises StorageError."""

    def __init__(self, folder: Path, planned: PlannedTrial, stamps: tuple[int, int]) -> None:
        """stamps: when the trial was due, and taken up, in this process."""
        self._folder, self._planned, self._opened_ns = folder, planned, stamps[1]
        self._syncing: list[asyncio.Future[None]] = []
        with writable(folder):
            folder.mkdir(parents=True, exist_ok=True)
            number = len(list(folder.glob(f"{planned.trial_id}-*.ndjson")))
            path = folder / f"{planned.trial_id}-{number:03d}.ndjson"
            self._descriptor = os.open(path, _FLAGS, 0o644)
        self._sync(sync_folder, folder)
        self._line(OPENED, {"intended_ns": stamps[0], "opened_ns": stamps[1], "pid": os.getpid()})

    def begun(self, key: str, at_ns: int) -> None:
        """A part is begun."""
        self._line(BEGUN, {"key": key, "at_ns": at_ns})

    def done(self, part: Part, at_ns: int) -> None:
        """A part is done: from here on it is not done again."""
        facts = Trial(
            self._planned,
            "success",
            self._opened_ns,
            self._opened_ns,
            max(at_ns, self._opened_ns),
            calls=part.calls,
            answers=part.answers,
            spans=part.spans,
            reported=part.reported,
        )
        self._line(DONE, {"key": part.key, "at_ns": at_ns, "value": part.value, "facts": encode_trial(facts)})
        self._sync(os.fsync, self._descriptor)

    async def close(self) -> None:
        """Wait until all is on the disk, and close."""
        with writable(self._folder):
            try:
                await asyncio.gather(*self._syncing)
            finally:
                os.close(self._descriptor)

    def _sync(self, sync: Callable[[Any], None], what: Any) -> None:
        self._syncing.append(asyncio.get_running_loop().run_in_executor(None, sync, what))

    def _line(self, kind: str, value: Mapping[str, Any]) -> None:
        with writable(self._folder):
            rest = memoryview(framed(kind, dict(value)))
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]


def _session(path: Path, planned: PlannedTrial) -> Session | None:
    found: dict[str, list[dict[str, Any]]] = {OPENED: [], BEGUN: [], DONE: []}
    for line in path.read_bytes().splitlines(keepends=True):
        for kind, values in found.items():
            if named(kind, line):
                try:
                    values.append(unframed(kind, line))
                except FrameError:
                    continue
    if not found[OPENED]:
        return None
    parts = [(part, value["at_ns"]) for value in found[DONE] if (part := _part(value, planned)) is not None]
    opened = found[OPENED][0]
    return Session(
        opened["intended_ns"],
        opened["opened_ns"],
        tuple(part for part, _ in parts),
        tuple(at_ns for _, at_ns in parts),
        tuple(value["key"] for value in found[BEGUN]),
    )


def _part(value: Mapping[str, Any], planned: PlannedTrial) -> Part | None:
    try:
        facts = decode_trial(value["facts"])
    except (RecordError, KeyError, TypeError, ValueError):
        return None
    if facts.planned.trial_id != planned.trial_id:
        return None
    return Part(value["key"], value["value"], facts.calls, facts.answers, facts.spans, facts.reported)
