"""The journal: raw measurements, written at once and never rewritten.

    results/journal/RUN/run.json                the manifest, written once
                        datasets.json           the datasets as they were
                        checks.json             what `validate` found in them, as it was
                        segment-000.start.json  facts of a session; a resume adds segment-001
                        segment-000.ndjson      one line per finished trial, in order of finishing, and per event
                        segment-000.end.json    how the session ended; missing if it was killed

Every line and every one of these documents carries a checksum (`frame`), `checks.json` excepted. A line, or a few
of trials that ended together, is one write on a descriptor opened for appending, and synced within a second. After a
write that failed, the torn line stays where it is and the writer takes no more: a resume goes on in a new segment.
Readers forgive a torn last line of a session that never ended; any other bad line is named and skipped, never fatal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from benchbook.errors import RecordError, StorageError, UnknownRunError
from benchbook.records import Event, Trial
from benchbook.results.damage import Damaged
from benchbook.results.encoding import decode_event, decode_trial
from benchbook.results.frame import FrameError, framed, frames_in, named, unframed
from benchbook.results.lock import lock
from benchbook.results.paths import journal_folder, writable
from benchbook.results.runs import MANIFEST, find_run, mint_run_id, runs
from benchbook.results.whole import write_folder
from benchbook.results.writer import DOCUMENT, EVENT, RECORD, JournalWriter

DATASETS = "datasets.json"
CHECKS = "checks.json"
FINISHED = "finished"
CRASHED = "crashed"
"""The status of a run whose last session never said how it ended."""
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Segment:
    """One session's part of a run: its facts, its records' file, and how it ended (None: it was killed)."""

    number: int
    path: Path
    start: Mapping[str, Any]
    end: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class JournalRun:
    """One run as the journal holds it. `damaged` grows while its records or events are read."""

    run_id: str
    folder: Path
    manifest: Mapping[str, Any]
    datasets: Any
    segments: tuple[Segment, ...]
    damaged: list[Damaged] = field(default_factory=list)
    blamed: set[Damaged] = field(default_factory=set, repr=False, compare=False)
    """The lines among `damaged`, to name each once."""

    @property
    def sessions(self) -> tuple[tuple[Segment, ...], ...]:
        """Segments by session: one each, unless several workers measured side by side."""
        found: dict[int, list[Segment]] = {}
        for segment in self.segments:
            found.setdefault(segment.start.get("session", segment.number), []).append(segment)
        return tuple(map(tuple, found.values()))

    @property
    def status(self) -> str:
        """How the last session ended: `finished`, `interrupted`, `budget`, or `crashed`. Of a worker that was
        replaced its successor's word counts."""
        last = {segment.start.get("worker"): segment.end for segment in (self.sessions or ((),))[-1]}
        said = [CRASHED if end is None else str(end.get("status", CRASHED)) for end in last.values()] or [CRASHED]
        return next((status for status in said if status != FINISHED), FINISHED)

    def entries(self) -> Iterator[tuple[Segment, Trial | Event]]:
        """Every trial and event with its session, in the order in which they were written. Of a trial that is there
        twice the first holds."""
        seen: set[str] = set()
        self.damaged[:] = [damage for damage in self.damaged if damage.line is None]
        self.blamed.clear()
        for segment in self.segments:
            found: Iterator[tuple[int, Trial | Event]] = _lines(self, segment, _entry_in)
            for line, entry in found:
                if isinstance(entry, Trial):
                    trial_id = entry.planned.trial_id
                    if trial_id in seen:
                        why = f"trial {trial_id} is there already: the first record holds"
                        _blame(self, segment, line, why)
                        continue
                    seen.add(trial_id)
                yield segment, entry

    def records(self) -> Iterator[tuple[Segment, Trial]]:
        """Every trial with its session, in order of finishing, as `entries`."""
        return ((segment, entry) for segment, entry in self.entries() if isinstance(entry, Trial))

    def events(self) -> Iterator[tuple[Segment, Event]]:
        """Every event with its session, in the order in which they were written. Older journals have none."""
        for segment in self.segments:
            for _, event in _lines(self, segment, _event_in):
                yield segment, event

    def trials(self) -> Iterator[Trial]:
        """Every trial, in order of finishing."""
        return (trial for _, trial in self.records())


def create_run(results: Path, run_id: str, manifest: Mapping[str, Any], datasets: Any, *, checks: bytes = b"") -> Path:
    """Make the run's folder, whole or not at all. Raises StorageError."""
    folder = journal_folder(results) / run_id
    files = {MANIFEST: framed(DOCUMENT, dict(manifest)), DATASETS: framed(DOCUMENT, datasets)}
    if checks:
        files[CHECKS] = checks
    with writable(results):
        write_folder(folder, files)
    return folder


def read_run(results: Path, run_id: str) -> JournalRun:
    """The run of exactly this id. Trials are read when asked for, a line at a time.

    Raises UnknownRunError, or StorageError where the manifest or the datasets can't be read.
    """
    folder = journal_folder(results) / run_id
    if not (folder / MANIFEST).is_file():
        raise UnknownRunError(run_id, f"the journal in {results} has no such run", "`benchbook runs` lists all")
    damaged: list[Damaged] = []
    paths = sorted(folder.glob("segment-*.ndjson"))
    segments = tuple(_segment(path, number, damaged) for number, path in enumerate(paths))
    return JournalRun(run_id, folder, _needed(folder / MANIFEST), _needed(folder / DATASETS), segments, damaged)


def finished_run(results: Path, plan_hash: str) -> str | None:
    """The newest run of this plan that is finished, if there is one."""
    for run_id in reversed(runs(results)):
        try:
            run = read_run(results, run_id)
        except StorageError:
            continue
        if run.manifest.get("plan_hash") == plan_hash and run.status == FINISHED:
            return run_id
    return None


def journal_hash(folder: Path) -> str:
    """SHA-256 over the names and contents of a run folder's files; their times don't matter."""
    total = hashlib.sha256()
    for path in sorted(_files(folder), key=lambda path: path.name):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{path.name}\0{content}\n".encode())
    return total.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    """The run's files; hidden ones are being written, or were when a process died."""
    return (path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))


def _segment(path: Path, number: int, damaged: list[Damaged]) -> Segment:
    start = _optional(path.with_suffix(".start.json"), damaged)
    if start is None:
        damaged.append(Damaged(str(path), None, "facts of this session are missing, its trials can't be dated"))
    return Segment(number, path, start or {}, _optional(path.with_suffix(".end.json"), damaged))


def _needed(path: Path) -> Any:
    try:
        return unframed(DOCUMENT, path.read_bytes())
    except (OSError, FrameError) as error:
        raise StorageError(
            str(path), f"can't be read ({error})", "restore it from a copy, or remove its folder"
        ) from None


def _optional(path: Path, damaged: list[Damaged]) -> Any:
    try:
        return unframed(DOCUMENT, path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, FrameError) as error:
        damaged.append(Damaged(str(path), None, str(error)))
        return None


def _lines(run: JournalRun, segment: Segment, read: Callable[[bytes], _T | None]) -> Iterator[tuple[int, _T]]:
    """What `read` finds in the segment's readable lines, with their numbers; a line of another kind it says None to."""
    with segment.path.open("rb") as file:
        for number, line in enumerate(file, 1):
            for frame in frames_in(line):
                try:
                    found = read(frame)
                except FrameError as error:
                    if line.endswith(b"\n") or segment.end is not None:
                        _blame(run, segment, number, str(error))
                else:
                    if found is not None:
                        yield number, found


def _entry_in(frame: bytes) -> Trial | Event | None:
    """The frame's trial or event. Raises FrameError."""
    event = _event_in(frame)
    if event is not None:
        return event
    value = unframed(RECORD, frame)
    try:
        return decode_trial(value)
    except (RecordError, KeyError, TypeError, ValueError) as error:
        raise FrameError(f"not a trial ({error})") from None


def _event_in(frame: bytes) -> Event | None:
    """The frame's event, None for anything else. Raises FrameError."""
    if not named(EVENT, frame):
        return None
    value = unframed(EVENT, frame)
    try:
        return decode_event(value)
    except (RecordError, TypeError, ValueError) as error:
        raise FrameError(f"not an event ({error})") from None


def _blame(run: JournalRun, segment: Segment, line: int, why: str) -> None:
    """Name a line, once, however often it is read."""
    damage = Damaged(str(segment.path), line, why)
    if damage not in run.blamed:
        run.blamed.add(damage)
        run.damaged.append(damage)


__all__ = [
    "CHECKS",
    "CRASHED",
    "DATASETS",
    "FINISHED",
    "Damaged",
    "JournalRun",
    "JournalWriter",
    "Segment",
    "create_run",
    "find_run",
    "finished_run",
    "journal_hash",
    "lock",
    "mint_run_id",
    "read_run",
    "runs",
]
