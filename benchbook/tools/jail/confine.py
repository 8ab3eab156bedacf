"""Locking in the process that calls it, for good: nothing here can be taken back, and nothing of it needs a privilege.

The order matters: what needs a right comes before the layer that takes it. A layer that the system does not have
is an error, unless it is named as one that may be missing; never is it passed over in silence.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import signal
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from benchbook.tools.jail import landlock, seccomp

LAYERS = ("landlock", "seccomp")
"""Layers of the kernel that a system may lack; the others are always there."""

_SET_DEATH_SIGNAL, _SET_SECCOMP, _NO_NEW_PRIVILEGES = 1, 22, 38
_FILTER_MODE = 2
_CAPABILITY_VERSION = 0x20080522
_WHAT_IT_KEEPS = {"landlock": "files outside the scratch folder", "seccomp": "sockets and new processes"}


class UnconfinedError(Exception):
    """A layer is missing, and nobody said that it may be."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """readable, writable: files and folders; memory_mb: address space beyond what is taken already; cpu_s: whole
    seconds of processor time; file_mb: of one file, and of what is printed; may_lack: layers that may be missing."""

    memory_mb: int
    cpu_s: int
    file_mb: int
    readable: Collection[str] = ()
    writable: Collection[str] = ()
    may_lack: Collection[str] = ()


def confine(bounds: Bounds, keeper: int) -> tuple[list[str], list[str]]:
    """Lock this process in; `keeper` is its parent. Returns the layers in force and those that are missing.

    Raises UnconfinedError where a layer is missing that may not be.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    layers = ["process", "limits", "capabilities"]
    missing = _missing(libc)
    if (refusal := _refusal(missing, bounds.may_lack)) is not None:
        raise UnconfinedError(refusal)
    _limit(bounds)
    _done(libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    if "landlock" not in missing:
        layers.append(f"landlock {landlock.restrict(libc, bounds.readable, bounds.writable)}")
    _drop_capabilities(libc)
    _done(libc.prctl(_SET_DEATH_SIGNAL, int(signal.SIGKILL), 0, 0, 0))
    if os.getppid() != keeper:
        os._exit(1)  # it died before it could have been noticed
    if "seccomp" not in missing:
        _filter_calls(libc)
        layers.append("seccomp")
    return layers, missing


def lacking(may_lack: Collection[str]) -> str | None:
    """What would be refused here for want of a layer, and why; None: nothing. Changes nothing."""
    return _refusal(_missing(ctypes.CDLL(None, use_errno=True)), may_lack)


def _refusal(missing: Collection[str], may_lack: Collection[str]) -> str | None:
    refused = [layer for layer in missing if layer not in may_lack]
    if not refused:
        return None
    lost = " and ".join(_WHAT_IT_KEEPS[layer] for layer in refused)
    return f"this system has no {' and no '.join(refused)}, which would keep it from {lost}"


def _missing(libc: ctypes.CDLL) -> list[str]:
    """Seccomp answers a filter that is no filter with EFAULT where there is any."""
    found = {"landlock": landlock.abi(libc) > 0}
    known = platform.machine() in seccomp.MACHINES
    there = libc.prctl(_SET_SECCOMP, _FILTER_MODE, None, 0, 0) < 0 and ctypes.get_errno() == 14
    found["seccomp"] = known and there
    return [layer for layer in LAYERS if not found[layer]]


def _limit(bounds: Bounds) -> None:
    """Hard limits: without capabilities nobody can raise them, root neither. The number of processes is not among
    them, for it does not hold for root; no new process at all (seccomp) does."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    space = pages * resource.getpagesize() + (bounds.memory_mb << 20)
    for what, most in (
        (resource.RLIMIT_AS, space),
        (resource.RLIMIT_CPU, bounds.cpu_s),
        (resource.RLIMIT_FSIZE, bounds.file_mb << 20),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (limit, limit))


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    _done(libc.capset(header, (ctypes.c_uint32 * 6)()))


def _filter_calls(libc: ctypes.CDLL) -> None:
    code = seccomp.program(platform.machine(), os.getpid())

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))

    handed = Program(len(code) // 8, code)
    _done(libc.prctl(_SET_SECCOMP, _FILTER_MODE, ctypes.byref(handed), 0, 0))


def _done(answer: int) -> None:
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
