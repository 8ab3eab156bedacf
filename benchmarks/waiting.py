"""A tool of known length, for the benchmarks and the tests of the breakdown: it waits, and is never early.

`together` makes calls meet: each waits until so many of its trial are at work, and then its own time.
`teaching()` puts it among the tools that teams may name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, Field

from benchbook import tools
from benchbook.clock import monotonic_ns, sleep_until
from benchbook.tools import Outcome, Place

NAME = "wait"
DESCRIPTION = "Waits for so many milliseconds."
_MEETINGS: dict[tuple[Path, int], asyncio.Barrier] = {}


class Input(BaseModel):
    """How long, and how many calls of the trial are at work at once before it begins."""

    ms: float = Field(ge=0)
    together: int = Field(1, ge=1)


class Settings(BaseModel):
    """None."""


def lacking(settings: Settings, environ: Mapping[str, str]) -> str | None:  # noqa: ARG001 - a tool has these
    """What it needs and this machine lacks: nothing."""
    return None


def warming(settings: Settings) -> None:
    """Nothing is to be made beforehand."""


async def run(asked: Input, settings: Settings, place: Place) -> Outcome:  # noqa: ARG001 - a tool has these
    """Wait; says how long."""
    if asked.together > 1:
        await _MEETINGS.setdefault((place.folder, asked.together), asyncio.Barrier(asked.together)).wait()
    await sleep_until(monotonic_ns() + round(asked.ms * 1e6))
    return Outcome(f"waited {asked.ms:g} ms")


@contextmanager
def teaching() -> Iterator[None]:
    """While this lasts there is a tool of that name."""
    tools.TOOLS[NAME] = __name__
    try:
        yield
    finally:
        del tools.TOOLS[NAME]
        _MEETINGS.clear()
