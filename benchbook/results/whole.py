"""Files that are there whole or not at all: written under a temporary name, synced, renamed, folder synced.

A temporary name starts with a dot and ends in `.tmp`; readers pass over it, whatever a crash left behind.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def temporary(path: Path) -> Path:
    """The name beside `path` under which it is written."""
    return path.with_name(f".{path.name}.tmp")


def write_whole(path: Path, data: bytes) -> None:
    """Write one file, replacing it whole. Raises OSError; what was there before is then untouched."""
    hidden = temporary(path)
    try:
        write_synced(hidden, data)
        hidden.replace(path)
    except OSError:
        hidden.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """Make a new folder with these files in it, all or nothing. Raises OSError, also if it is there already."""
    hidden = temporary(path)
    clear(hidden)
    hidden.mkdir(parents=True)
    try:
        for name, data in files.items():
            write_synced(hidden / name, data)
        publish_folder(hidden, path)
    except OSError:
        clear(hidden)
        raise


def publish_folder(hidden: Path, path: Path) -> None:
    """Give a finished folder its name. Raises OSError if the name is taken."""
    sync_folder(hidden)
    if path.exists():
        raise FileExistsError(17, "is there already", str(path))
    hidden.rename(path)
    sync_folder(path.parent)


def write_synced(path: Path, data: bytes) -> None:
    """Write a file and sync it."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_file(path: Path) -> None:
    """Bring a finished file to the disk."""
    _sync(path, os.O_RDONLY)


def sync_folder(folder: Path) -> None:
    """Bring a folder's names to the disk."""
    _sync(folder, os.O_RDONLY | os.O_DIRECTORY)


def clear(folder: Path) -> None:
    """Remove a flat folder of temporary files, if it is there."""
    if folder.is_dir():
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
