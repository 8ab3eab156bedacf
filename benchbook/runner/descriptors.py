"""Open files: as many as the host lets this process have, and a word where that is too few for a load.

A connection is an open file. Where they run out, a trial fails as `local`, by no fault of its target.
"""

from __future__ import annotations

import os
import resource
from contextlib import suppress

from benchbook.config import PlanSpec
from benchbook.schedules import load_of

BESIDE = 32
"""What a measuring process has open beside its connections, with some to spare."""


def most_allowed() -> int | None:
    """As many open files as this process may ask for; None: without limit."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return None if hard == resource.RLIM_INFINITY else hard


def allow_most() -> None:
    """Raise this process's limit to the hard one, as any process may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        # macOS calls its hard limit infinite and allows less
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def room() -> int | None:
    """How many more files this process may open and still have what it needs beside; None: without limit."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if soft == resource.RLIM_INFINITY:
        return None
    try:
        in_use = len(os.listdir("/proc/self/fd"))
    except OSError:
        in_use = BESIDE  # no such listing here
    return max(0, soft - in_use - BESIDE)


def shortage(spec: PlanSpec, limit: int | None) -> str | None:
    """A line on what the plan's load needs beyond `limit` open files; None where that is enough, or unknown."""
    most = load_of(spec.load_fields()).slots or spec.execute.max_in_flight
    if most is None or limit is None:
        return None
    targets = len(spec.execute.targets)
    needed = most * targets + BESIDE
    if needed <= limit:
        return None
    each = f"{most} in flight at each of {targets} targets" if targets > 1 else f"{most} in flight"
    return (
        f"{each}: that takes some {needed} open files, and this process may have {limit}; what goes beyond fails as "
        "`local`: raise `ulimit -Hn`, or lower the load"
    )
