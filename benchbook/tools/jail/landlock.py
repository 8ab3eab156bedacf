"""Landlock: which files a process may touch from now on, by the kernel's own rules and without any privilege.

The constants and structures are those of linux/landlock.h. Every right that the running kernel knows is taken away, and
given back under the folders that are named. No right to make links, sockets, pipes or devices is ever given, nor to
run a program. From ABI 4 on TCP goes with it, from ABI 6 on signals and abstract sockets to processes outside.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path

_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446
_VERSION_ASKED, _PATH_BENEATH = 1, 1

_WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_DIR, _REMOVE_FILE = 1 << 1, 1 << 2, 1 << 3, 1 << 4, 1 << 5
_MAKE_DIR, _MAKE_REG, _REFER, _TRUNCATE = 1 << 7, 1 << 8, 1 << 13, 1 << 14
_READ = _READ_FILE | _READ_DIR
_WRITE = _READ | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _REFER | _TRUNCATE
_OF_A_FILE = _WRITE_FILE | _READ_FILE | _TRUNCATE
_RIGHTS = {1: 0x1FFF, 2: 0x3FFF, 3: 0x7FFF, 4: 0x7FFF, 5: 0xFFFF}
"""ABI -> all the rights to files that it knows; later ones know those of 5 at least."""
_TCP, _SCOPES = 0b11, 0b11


def abi(libc: ctypes.CDLL) -> int:
    """The kernel's version of Landlock, 0 where there is none (or where it is switched off)."""
    return max(0, libc.syscall(_CREATE, None, 0, _VERSION_ASKED))


def restrict(libc: ctypes.CDLL, readable: Iterable[str], writable: Iterable[str]) -> int:
    """Hold this thread and all that it starts to these files and folders. Returns the ABI in force.

    A path that is not there is passed over. Raises OSError where the kernel refuses.
    """
    version = abi(libc)
    handled = _RIGHTS[min(version, 5)]
    parts = (handled, _TCP, _SCOPES)[: 1 if version < 4 else 2 if version < 6 else 3]
    attributes = struct.pack(f"<{len(parts)}Q", *parts)
    rules = _checked(libc, libc.syscall(_CREATE, attributes, len(attributes), 0))
    for paths, rights in ((readable, _READ), (writable, _WRITE)):
        for path in paths:
            _allow(libc, rules, path, rights & handled)
    _checked(libc, libc.syscall(_RESTRICT, rules, 0))
    os.close(rules)
    return version


def _allow(libc: ctypes.CDLL, rules: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    allowed = rights if Path(path).is_dir() else rights & _OF_A_FILE
    _checked(libc, libc.syscall(_ADD_RULE, rules, _PATH_BENEATH, struct.pack("<Qi", allowed, place), 0))
    os.close(place)


def _checked(_libc: ctypes.CDLL, answer: int) -> int:
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"Landlock: {os.strerror(number)}")
    return answer
