"""Union of two machines' journals.

Names of runs are unique, so runs are added and none is touched: a run that both sides hold with the same
content is the same, with different content it is a conflict that is said and left alone. What is copied is
compared with its source by hash before it gets its name.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from benchbook.errors import StorageError, UnknownRunError, UserError
from benchbook.results.journal import journal_hash, read_run
from benchbook.results.lock import lock
from benchbook.results.paths import journal_folder, writable
from benchbook.results.runs import runs
from benchbook.results.whole import clear, publish_folder, sync_file, temporary


@dataclass(frozen=True, slots=True)
class Merged:
    """Run ids added, run ids both sides hold alike, and as lines: conflicts left alone, damage passed over."""

    added: tuple[str, ...]
    same: tuple[str, ...]
    conflicts: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()


def merge(results: Path, other: Path) -> Merged:
    """Add the runs of `other` (a results folder or its journal folder) to `results`.

    Raises UnknownRunError where `other` holds no runs, BusyError, or StorageError.
    """
    source = _results_of(other)
    found: dict[str, list[str]] = {"added": [], "same": [], "conflicts": [], "damaged": []}
    with lock(results):
        for run_id in runs(source):
            theirs, ours = journal_folder(source) / run_id, journal_folder(results) / run_id
            if ours.exists():
                kind, text = _held_by_both(run_id, ours, theirs)
                found[kind].append(text)
                continue
            readable, problems = _verified(source, run_id)
            found["damaged"] += problems
            if readable:
                with writable(results):
                    _copy(theirs, ours)
                found["added"].append(run_id)
    return Merged(**{name: tuple(texts) for name, texts in found.items()})


def _results_of(other: Path) -> Path:
    """The results folder that a person means by `other`."""
    if runs(other):
        return other
    if other.name == "journal" and runs(other.parent):
        return other.parent
    raise UnknownRunError(str(other), "holds no runs", "name a results folder, or the journal folder in it")


def _held_by_both(run_id: str, ours: Path, theirs: Path) -> tuple[str, str]:
    if journal_hash(ours) == journal_hash(theirs):
        return "same", run_id
    return "conflicts", f"{run_id}: {ours} and {theirs} differ; ours is kept as it is"


def _verified(source: Path, run_id: str) -> tuple[bool, list[str]]:
    """Whether a run's documents can be read, and every damaged line of its records. Lines are copied as they are."""
    try:
        run = read_run(source, run_id)
    except UserError as error:
        return False, [f"{error}; not copied"]
    for _ in run.records():
        pass
    return True, [f"{damage.file}:{damage.line}: {damage.why}; copied as it is" for damage in run.damaged]


def _copy(theirs: Path, ours: Path) -> None:
    hidden = temporary(ours)
    clear(hidden)
    hidden.mkdir(parents=True)
    try:
        for path in theirs.iterdir():
            if path.is_file() and not path.name.startswith("."):
                shutil.copyfile(path, hidden / path.name)
                sync_file(hidden / path.name)
        if journal_hash(hidden) != journal_hash(theirs):
            raise StorageError(str(theirs), "changed or can't be read while it was copied", "merge again")
        publish_folder(hidden, ours)
    finally:
        clear(hidden)
