"""What a person sees while a run goes on: a screen in a terminal, a plain line now and then elsewhere.

The screen is taken away when it ends, however it ends; what is said meanwhile stands above it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchbook.cli.lately import lateness
from benchbook.clock import monotonic_ns

if TYPE_CHECKING:
    from rich.console import Console

_PLAIN_EVERY_NS = 5_000_000_000

OnProgress = Callable[[Mapping[str, Any]], None]
OnStored = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class View:
    """Sinks for the progress of a measurement, and of what is stored afterwards; called, it takes the former."""

    on_progress: OnProgress = lambda _fields: None
    on_stored: OnStored = lambda _run_id, _done, _planned: None

    def __call__(self, fields: Mapping[str, Any]) -> None:
        self.on_progress(fields)


@contextmanager
def live_view(*, quiet: bool, asked_to_stop: Sequence[int] = ()) -> Iterator[View]:
    """Sinks for progress: silent, a screen on a terminal's stderr, or plain lines five seconds apart.

    asked_to_stop: interrupts that came so far; the screen says so.
    """
    if quiet:
        yield View()
    elif sys.stderr.isatty():
        from rich.console import Console

        console = Console(stderr=True)
        if console.is_dumb_terminal:
            yield _plain()
            return
        with _terminal(console, asked_to_stop) as sink:
            yield sink
    else:
        yield _plain()


@contextmanager
def _cursor_given_back(console: Console) -> Iterator[None]:
    """A termination that would end this process at once does so with the cursor shown again."""

    def leave(number: int, _frame: object) -> None:
        console.show_cursor()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _plain() -> View:
    """For logs and pipes."""
    lines = _Lines()
    return View(lines.take, lines.stored)


class _Lines:
    """A line now and then."""

    def __init__(self, every_ns: int = _PLAIN_EVERY_NS) -> None:
        self._every_ns = every_ns
        self._last_ns = monotonic_ns()
        self._whole = False

    def take(self, fields: Mapping[str, Any]) -> None:
        """A line now and then; the whole run's end is told once, however often it is reported."""
        whole = fields["done"] == fields["planned"]
        if self._due() or (whole and not self._whole):
            self._print(describe(fields))
        self._whole = whole

    def stored(self, run_id: str, done: int, planned: int) -> None:
        if self._due():
            self._print(f"storing {run_id}: {done}/{planned} trials")

    def _due(self) -> bool:
        return monotonic_ns() - self._last_ns >= self._every_ns

    def _print(self, line: str) -> None:
        self._last_ns = monotonic_ns()
        print(line, file=sys.stderr, flush=True)  # noqa: T201


def describe(fields: Mapping[str, Any]) -> str:
    """One line: done / total, rate, errors, time left, money, current case."""
    parts = [f"{fields['done']}/{fields['planned']} trials"]
    if fields["rate_per_s"]:
        parts.append(f"{fields['rate_per_s']:.1f}/s")
    parts.append(f"{fields['failed'] + fields['timed_out']} errors")
    if fields["eta_s"] is not None and fields["done"] < fields["planned"]:
        parts.append(f"{fields['eta_s']:.0f} s left")
    if fields["spent_usd"]:
        parts.append(f"${fields['spent_usd']:.4f}")
    if fields["current"] and fields["in_flight"]:
        parts.append(fields["current"])
    if (late := lateness(fields)) is not None:
        parts.append(late)
    return "  ".join(parts)


@contextmanager
def _terminal(console: Console, asked_to_stop: Sequence[int]) -> Iterator[View]:
    from rich.live import Live

    from benchbook.cli.screen import Screen

    screen = Screen(asked_to_stop)
    with (
        _cursor_given_back(console),
        Live(screen, console=console, transient=True, refresh_per_second=4, vertical_overflow="ellipsis"),
    ):
        yield View(screen.take, screen.stored)
