"""A trial's first steps, taken at once: its request is written before the loop goes on to anything else.

A new task runs in the loop's next round. Under load that is after hundreds of other sockets have been read, so a slot
that became free would stay empty for milliseconds, and an open loop's request would leave as much after its time.
Here a coroutine runs up to its first wait where it is made, and a task takes it from there.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from typing import Any

AT_ONCE = frozenset({"api", "session"})
"""Workloads that ask for no current task before they first wait."""


def begun(trying: Coroutine[Any, Any, None]) -> Coroutine[Any, Any, None]:
    """The rest of a coroutine, whose first steps were taken here and now. What they raise is raised by the rest."""
    try:
        waits_for = trying.send(None)
    except StopIteration:
        return _nothing()
    except BaseException as error:  # noqa: BLE001 - it belongs to whoever awaits the trial
        return _raising(error)
    return _Rest(trying, waits_for)


async def _nothing() -> None:
    """It was over at once."""


async def _raising(error: BaseException) -> None:
    raise error


class _Rest(Coroutine[Any, Any, None]):
    """A coroutine that waits already; `waits_for` is what it told nobody yet."""

    __slots__ = ("_trying", "_waits_for")

    def __init__(self, trying: Coroutine[Any, Any, None], waits_for: Any) -> None:
        self._trying, self._waits_for = trying, waits_for

    def send(self, value: Any) -> Any:
        if self._waits_for is None:
            return self._trying.send(value)
        waits_for, self._waits_for = self._waits_for, None
        return waits_for

    def throw(self, *error: Any) -> Any:
        self._waits_for = None
        return self._trying.throw(*error)

    def close(self) -> None:
        self._trying.close()

    def __await__(self) -> Generator[Any, Any, None]:
        raise TypeError("made for a task")
