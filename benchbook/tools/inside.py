"""Paths that a model names, held inside one folder.

A path is walked part by part from the folder's own descriptor and no link is ever followed, so what was looked at is
what is opened, whatever another process does in that folder meanwhile. Only plain files are read and written.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from benchbook.errors import ToolError

LONGEST_PATH = 400
MOST_FILES = 5_000
DEEPEST = 12


@dataclass(frozen=True, slots=True)
class Found:
    """A plain file of a folder: its path with forward slashes, its size in bytes, and its stamp of last change, ns."""

    path: str
    size: int
    changed_ns: int


def no_folder(path: str) -> str | None:
    """What is missing where a path is no folder, in words; None where it is one."""
    return None if Path(path).is_dir() else f"the folder {path} is not there"


def parts(path: str) -> tuple[str, ...]:
    """The names of a relative path. Raises ToolError for one that is absolute, climbs, or can't be a path."""
    if not path.strip() or len(path) > LONGEST_PATH or "\0" in path or not path.isprintable():
        raise ToolError(f"{path[:60]!r} is no path of a file")
    if path.startswith(("/", "\\", "~")) or path[1:2] == ":":
        raise ToolError(f"{path!r} is outside: paths are relative to the folder, such as notes/a.md")
    names = tuple(name for name in path.split("/") if name not in ("", "."))
    if not names or ".." in names:
        raise ToolError(f"{path!r} is outside: a path may not climb with ..")
    return names


def read(folder: Path, path: str, most_bytes: int) -> bytes:
    """A plain file's bytes. Raises ToolError where there is none, where it is a link, or where it is too large."""
    with _parent(folder, path, create=False) as (parent, name):
        try:
            handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
        except OSError as error:
            raise _refusal(path, error) from None
    with os.fdopen(handle, "rb") as file:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            raise ToolError(f"{path} is no file")
        if facts.st_size > most_bytes:
            raise ToolError(f"{path} has {facts.st_size:,} bytes, more than the {most_bytes:,} that are read")
        return file.read(most_bytes)


def write(folder: Path, path: str, data: bytes) -> str:
    """Write a plain file, with the folders it needs; the path as it was understood. Raises ToolError."""
    with _parent(folder, path, create=True) as (parent, name):
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            handle = os.open(name, flags, 0o644, dir_fd=parent)
        except OSError as error:
            raise _refusal(path, error) from None
    with os.fdopen(handle, "wb") as file:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode) or facts.st_nlink > 1:
            raise ToolError(f"{path} is no plain file of its own")
        os.ftruncate(handle, 0)
        file.write(data)
    return "/".join(parts(path))


def walk(folder: Path) -> list[Found]:
    """The plain files below a folder, sorted by path, without hidden ones and without following a link.

    Raises ToolError where the folder is not there or holds too many files.
    """
    if missing := no_folder(str(folder)):
        raise ToolError(missing)
    found = sorted(islice(_below(folder.resolve()), MOST_FILES + 1), key=lambda file: file.path)
    if len(found) > MOST_FILES:
        raise ToolError(f"the folder {folder} holds more than {MOST_FILES:,} files")
    return found


def _below(folder: Path) -> Iterator[Found]:
    for root, folders, names, here in os.fwalk(folder, follow_symlinks=False):
        above = Path(root).relative_to(folder)
        deep = len(above.parts) >= DEEPEST
        folders[:] = [] if deep else [name for name in folders if not name.startswith(".")]
        for name in names:
            facts = None if name.startswith(".") else _facts(name, here)
            if facts is not None and stat.S_ISREG(facts.st_mode):
                yield Found((above / name).as_posix(), facts.st_size, facts.st_mtime_ns)


def _facts(name: str, here: int) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=here, follow_symlinks=False)
    except FileNotFoundError:  # it was there a moment ago
        return None


@contextmanager
def _parent(folder: Path, path: str, *, create: bool) -> Iterator[tuple[int, str]]:
    """A descriptor of the folder that holds `path`, and the file's own name."""
    *above, name = parts(path)
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    try:
        here = os.open(folder, flags)
    except OSError as error:
        raise _refusal(str(folder), error) from None
    try:
        for step in above:
            here = _down(here, step, path, create=create)
        yield here, name
    finally:
        os.close(here)


def _down(here: int, step: str, path: str, *, create: bool) -> int:
    """The descriptor of a folder one level down. On failure `here` stays open, for the caller to close."""
    if create:
        try:
            os.mkdir(step, dir_fd=here)
        except FileExistsError:
            pass
        except OSError as error:
            raise _refusal(path, error) from None
    try:
        below = os.open(step, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
    except OSError as error:
        raise _refusal(path, error) from None
    os.close(here)
    return below


def _refusal(path: str, error: OSError) -> ToolError:
    if isinstance(error, FileNotFoundError):
        return ToolError(f"there is no file {path}")
    if isinstance(error, IsADirectoryError):
        return ToolError(f"{path} is a folder")
    words = "goes through a link or is no file" if error.errno in (20, 40) else error.strerror or "can't be opened"
    return ToolError(f"{path}: {words}")
