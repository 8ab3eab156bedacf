"""What a job left in its scratch folder: regular files, found without following any link."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

Seen = Mapping[str, tuple[int, int]]
"""Name relative to the folder -> (bytes, time of the last change in ns)."""


def look(folder: str, most: int) -> tuple[Seen, bool]:
    """The folder's files, and whether it holds more than `most` entries; then the rest was not looked at."""
    seen: dict[str, tuple[int, int]] = {}
    for count, entry in enumerate(_entries(folder)):
        if count >= most:
            return seen, True
        facts = entry.stat(follow_symlinks=False)
        if stat.S_ISREG(facts.st_mode):
            seen[os.path.relpath(entry.path, folder)] = (facts.st_size, facts.st_mtime_ns)
    return seen, False


def written(before: Seen, after: Seen) -> list[str]:
    """Names of files that are new or changed, sorted."""
    return sorted(name for name, facts in after.items() if before.get(name) != facts)


def without(folder: str, seen: Seen, names: list[str]) -> Seen:
    """Remove these files; what is left of `seen`."""
    for name in names:
        Path(folder, name).unlink(missing_ok=True)
    return {name: facts for name, facts in seen.items() if name not in names}


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    """Entries at any depth. What vanishes or can't be read while we look is passed over."""
    waiting = [folder]
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError:
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
            yield entry
