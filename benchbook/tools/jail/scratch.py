"""What a job left in its scratch folder: regular files, found without following any link. And what it holds besides."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

Seen = Mapping[str, tuple[int, int]]
"""Name relative to the folder -> (bytes, time of the last change in ns)."""


def look(folder: str, most: int) -> tuple[Seen, bool]:
    """The folder's files, and whether it can't be looked through: for more than `most` entries, or for a folder in it
    that can't be opened (too deep, locked); then the rest was not looked at."""
    seen: dict[str, tuple[int, int]] = {}
    try:
        for count, entry in enumerate(_entries(folder)):
            if count >= most:
                return seen, True
            facts = _facts(entry)
            if facts is not None and stat.S_ISREG(facts.st_mode):
                seen[os.path.relpath(entry.path, folder)] = (facts.st_size, facts.st_mtime_ns)
    except OSError:
        return seen, True
    return seen, False


def unnamed_bytes(pid: int, besides: int) -> int:
    """Bytes in files that a process holds open and that have no name any more; `besides`: an inode not counted."""
    found: dict[int, int] = {}
    for place in _names(f"/proc/{pid}/fd"):
        try:
            facts = Path(place).stat()
        except OSError:
            continue
        if stat.S_ISREG(facts.st_mode) and not facts.st_nlink and facts.st_ino != besides:
            found[facts.st_ino] = facts.st_size
    return sum(found.values())


def threads(pid: int) -> int:
    """How many threads a process has, 0 for one that is gone."""
    return len(_names(f"/proc/{pid}/task"))


def written(before: Seen, after: Seen) -> list[str]:
    """Names of files that are new or changed, sorted."""
    return sorted(name for name, facts in after.items() if before.get(name) != facts)


def without(folder: str, seen: Seen, names: list[str], old: Collection[str]) -> Seen:
    """Remove these files, and whatever stands in the folder itself and is not among the old; what is left of `seen`."""
    for name in names:
        Path(folder, name).unlink(missing_ok=True)
    for entry in Path(folder).iterdir():
        if entry.name not in old:
            shutil.rmtree(entry, ignore_errors=True)
    return {name: facts for name, facts in seen.items() if name not in names}


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    """Entries at any depth. What vanishes while we look is passed over."""
    waiting = [folder]
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except (FileNotFoundError, NotADirectoryError):
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
            yield entry


def _facts(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        return entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None


def _names(folder: str) -> list[str]:
    try:
        return [entry.path for entry in os.scandir(folder)]
    except OSError:
        return []
