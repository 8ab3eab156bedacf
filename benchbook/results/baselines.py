"""Named baselines: per target the run that others are held against. A file an update, never overwritten.

    results/baselines/NAME/TARGET/0001.json    {"action": "set", "run_id": ..., "at": ...}
    results/baselines/NAME/TARGET/0002.json    {"action": "update", ...}

The newest file of a folder is what holds; one whose action is `archive` ends the baseline and keeps its history. So two
machines that update the same baseline meet on a file name and one is refused, and none is lost.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from benchbook.errors import UserError
from benchbook.results.paths import baselines_folder, writable

SET, UPDATE, ARCHIVE = "set", "update", "archive"


@dataclass(frozen=True, slots=True)
class Baseline:
    """One update of a baseline. at: UTC, ISO 8601, to the second; number: 1 for the first update."""

    name: str
    target: str
    action: str
    run_id: str
    at: str
    number: int = 0

    @property
    def archived(self) -> bool:
        """Whether this update ended it."""
        return self.action == ARCHIVE


def updates(results: str | Path) -> list[Baseline]:
    """Every update of every baseline, by name, target and number. Raises UserError for a file that is none."""
    return list(_read(baselines_folder(Path(results))))


def standing(results: str | Path) -> list[Baseline]:
    """The baselines that hold: the newest update of each name and target, where that is no archive."""
    newest = {(update.name, update.target): update for update in updates(results)}
    return [update for update in newest.values() if not update.archived]


def write(results: str | Path, update: Baseline) -> Path:
    """Add an update. Raises UserError where the action doesn't fit what holds, or the name is none."""
    if not re.fullmatch(r"[\w][\w.-]*", update.name):
        raise UserError(update.name or "''", "is no name of a baseline", "letters, digits, dots and hyphens")
    before = [one for one in updates(results) if (one.name, one.target) == (update.name, update.target)]
    holds = bool(before) and not before[-1].archived
    _fitting(update, before[-1] if holds else None)
    folder = baselines_folder(Path(results)) / update.name / update.target
    path = folder / f"{len(before) + 1:04d}.json"
    with writable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        fields = asdict(update) | {"number": len(before) + 1}
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(json.dumps(fields, indent=1) + "\n")
        except FileExistsError:
            raise UserError(str(path), "somebody else has just updated it", "look again: `benchbook profile`") from None
    return path


def _fitting(update: Baseline, holds: Baseline | None) -> None:
    where = f"{update.name} of {update.target}"
    if update.action == SET and holds:
        right = f"`benchbook profile update {update.name} --target {update.target} --run RUN` replaces it"
        raise UserError(where, f"is set already, to run {holds.run_id}", right)
    if update.action != SET and not holds:
        raise UserError(where, "is not set", f"`benchbook profile set {update.name} --target TARGET --run RUN`")


def _read(folder: Path) -> Iterator[Baseline]:
    for path in sorted(folder.glob("*/*/[0-9]*.json")):
        try:
            found = Baseline(**json.loads(path.read_text(encoding="utf-8")))
            datetime.fromisoformat(found.at)
        except (OSError, ValueError, TypeError):
            raise UserError(str(path), "is no update of a baseline", "restore it, or move it away") from None
        yield found
