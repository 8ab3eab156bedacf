"""Who watches a run from this process: a terminal's live view, or nobody but Prefect.

A context variable and not a parameter, so that a flow's parameters stay plain data that any server can show,
store and run again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import httpx
from prefect.exceptions import PrefectException
from prefect.logging import get_run_logger

from benchbook.stages import OnProgress, OnStored


def _tell_prefect(line: str) -> None:
    get_run_logger().info(line)


def _ignore(_fields: Mapping[str, Any]) -> None:
    """Nobody watches."""


@contextmanager
def unless_unreachable(what: str) -> Iterator[None]:
    """What a Prefect server only shows is left out where it does not answer: no run is lost for its picture."""
    try:
        yield
    except (httpx.HTTPError, PrefectException, TimeoutError) as error:
        get_run_logger().warning("no %s: %r", what, error)


@dataclass(frozen=True, slots=True)
class Watcher:
    """`on_progress` takes the engine's progress as it comes, `on_stored` that of `store`; `say` a line that a person
    should see.

    `on_answer` takes the flow's answer as soon as it is there: it holds even if Prefect can no longer be told.
    """

    on_progress: OnProgress = _ignore
    say: Callable[[str], None] = _tell_prefect
    on_answer: Callable[[Mapping[str, Any]], None] = _ignore
    on_stored: OnStored = lambda _run_id, _done, _planned: None


_WATCHER: ContextVar[Watcher] = ContextVar("watcher")


def watcher() -> Watcher:
    """The watcher of this context; the default one talks to Prefect's log."""
    return _WATCHER.get(Watcher())


@contextmanager
def watched_by(chosen: Watcher) -> Iterator[None]:
    """Tasks that are awaited inside report to `chosen`."""
    token = _WATCHER.set(chosen)
    try:
        yield
    finally:
        _WATCHER.reset(token)
