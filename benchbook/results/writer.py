"""The writing end of the journal: one session's segment.

`append` returns once the record's line is written, which a `kill -9` can't undo; a thread brings what is
written to the disk within a second, which a power cut can't undo. What fails raises StorageError and says how
many trials are safe and where; a writer that has failed takes no more.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchbook.clock import Clock, SystemClock
from benchbook.errors import StorageError
from benchbook.records import Event, Trial
from benchbook.results.encoding import encode_event, encode_trial
from benchbook.results.frame import framed, named
from benchbook.results.paths import DEFAULT_RESULTS, journal_folder, reason
from benchbook.results.whole import sync_folder, write_whole

DOCUMENT = "content"
RECORD = "trial"
EVENT = "event"
JOURNAL_VERSION = 3
"""1  first release
2  lines of events among those of trials; a reader of version 1 names them as damaged and passes over them
3  trials: spans, output, reported, end_state, planned.team; calls: agent, target, span_id, stamped_by; a reader of
   version 2 passes over them"""
_SYNC_EVERY_S = 1.0
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND


class JournalWriter:
    """Writes one segment of a run; use it as a context manager, under the results folder's lock.

    facts: of this session, `wall_offset_ns` among them; segment: its number, where several processes write at once
    (None: the next one). Leaving without `finish` leaves the segment open-ended,
    as a kill does. Raises StorageError.
    """

    def __init__(
        self,
        results: Path,
        run_id: str,
        facts: Mapping[str, Any],
        clock: Clock | None = None,
        *,
        segment: int | None = None,
    ) -> None:
        self._folder, self._run_id = journal_folder(results) / run_id, run_id
        self._clock = clock or SystemClock()
        self._earlier = self._written = self._synced = 0
        self._dirty = False
        self._failed: StorageError | None = None
        self._descriptor: int | None = None
        self._stop = threading.Event()
        try:
            self._earlier = sum(_count_trials(path) for path in self._folder.glob("segment-*.ndjson"))
            self._path = self._open(facts, segment)
        except OSError as error:
            raise self._broken(error) from None
        self._thread = threading.Thread(target=self._sync_often, name="journal-sync", daemon=True)
        self._thread.start()

    def append(self, *trials: Trial) -> None:
        """Write finished trials, a line each. Raises StorageError; then nothing more is taken."""
        descriptor = self._open_end()
        self._lines(descriptor, [framed(RECORD, encode_trial(trial)) for trial in trials])

    def note(self, event: Event) -> None:
        """Write one event. `records` of the end counts trials only. Raises StorageError; then nothing more is taken."""
        descriptor = self._open_end()
        try:
            _write(descriptor, framed(EVENT, encode_event(event)))
        except OSError as error:
            raise self._broken(error) from None
        self._dirty = True

    def sync(self) -> None:
        """Bring what is written to the disk. Raises StorageError."""
        if self._descriptor is None:
            return
        written, self._dirty = self._written, False
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise self._broken(error) from None
        self._synced = written

    def finish(self, status: str, counts: Mapping[str, Any]) -> None:
        """Close the segment and say how the session ended: `finished`, `interrupted` or `budget`."""
        if self._failed is not None:
            raise self._failed
        self.close()
        end = {
            "ended_wall_ns": self._clock.wall_ns(),
            "status": status,
            "records": self._written,
            "counts": dict(counts),
        }
        try:
            write_whole(self._path.with_suffix(".end.json"), framed(DOCUMENT, end))
        except OSError as error:
            raise self._broken(error) from None

    def close(self) -> None:
        """Sync and close, without a word on how the session ended."""
        if self._descriptor is None:
            return
        self._stop.set()
        self._thread.join()
        try:
            if self._failed is None:
                self.sync()
        finally:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except StorageError:
            if error is None:
                raise

    def _open_end(self) -> int:
        """The descriptor to write to."""
        if self._failed is not None:
            raise self._failed
        if self._descriptor is None:
            raise ValueError("the journal writer is closed")
        return self._descriptor

    def _lines(self, descriptor: int, lines: Sequence[bytes]) -> None:
        """Write lines of trials at once. Where the disk takes a part of them, those that are whole count as written."""
        block = b"".join(lines)
        try:
            taken = 0
            while taken < len(block):
                taken += os.write(descriptor, memoryview(block)[taken:])
        except OSError as error:
            self._written += sum(end <= taken for end in accumulate(map(len, lines)))
            raise self._broken(error) from None
        self._written += len(lines)
        self._dirty = True

    def _open(self, facts: Mapping[str, Any], number: int | None) -> Path:
        if number is None:
            number = next_segment(self._folder)
        path = self._folder / f"segment-{number:03d}.ndjson"
        start = {
            "journal_version": JOURNAL_VERSION,
            "started_wall_ns": self._clock.wall_ns(),
            "host": os.uname().nodename,
            "pid": os.getpid(),
            **facts,
        }
        write_whole(path.with_suffix(".start.json"), framed(DOCUMENT, start))
        self._descriptor = os.open(path, _FLAGS, 0o644)
        sync_folder(path.parent)
        return path

    def _sync_often(self) -> None:
        while not self._stop.wait(_SYNC_EVERY_S):
            if self._dirty and self._failed is None:
                try:
                    self.sync()
                except StorageError:
                    return

    def _broken(self, error: OSError) -> StorageError:
        """The error that says what is safe; kept, so that nothing is taken after it."""
        safe = self._earlier + self._written if self._reaches_disk() else self._earlier + self._synced
        self._failed = StorageError(
            str(self._folder),
            reason(error),
            f"{safe} finished trials are safe there; mend it, then: benchbook run {self._again()}",
        )
        return self._failed

    def _again(self) -> str:
        results = self._folder.parent.parent
        return f"--resume {self._run_id}" + ("" if str(results) == DEFAULT_RESULTS else f" --results {results}")

    def _reaches_disk(self) -> bool:
        """Whether what was written before the failure can still be synced."""
        if self._descriptor is None:
            return True
        try:
            os.fsync(self._descriptor)
        except OSError:
            return False
        return True


def _write(descriptor: int, line: bytes) -> None:
    """Write all of the line: one write, and more only where the system took a part of it."""
    rest = memoryview(line)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def next_segment(folder: Path) -> int:
    """The number that a run's next segment takes."""
    return max((int(path.stem.removeprefix("segment-")) for path in folder.glob("segment-*.ndjson")), default=-1) + 1


def _count_trials(path: Path) -> int:
    with path.open("rb") as file:
        return sum(named(RECORD, line) for line in file)
