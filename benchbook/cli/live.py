"""What a person sees while a run goes on: one live line in a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from benchbook.clock import monotonic_ns

_PLAIN_EVERY_NS = 5_000_000_000

OnProgress = Callable[[Mapping[str, Any]], None]


@contextmanager
def live_view(*, quiet: bool) -> Iterator[OnProgress]:
    """A sink for progress: silent, a live line on a terminal's stderr, or plain lines five seconds apart."""
    if quiet:
        yield lambda _fields: None
    elif sys.stderr.isatty():
        with _terminal() as sink:
            yield sink
    else:
        yield _Plain()


class _Plain:
    """For logs and pipes."""

    def __init__(self) -> None:
        self._last_ns = monotonic_ns()

    def __call__(self, fields: Mapping[str, Any]) -> None:
        if monotonic_ns() - self._last_ns >= _PLAIN_EVERY_NS or fields["done"] == fields["planned"]:
            self._last_ns = monotonic_ns()
            print(describe(fields), file=sys.stderr, flush=True)  # noqa: T201


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
    return "  ".join(parts)


@contextmanager
def _terminal() -> Iterator[OnProgress]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
    from rich.table import Column

    columns = (
        SpinnerColumn(),
        TextColumn("[bold]{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[told]}"),
        TextColumn("[dim]{task.fields[current]}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, refresh_per_second=8, expand=True) as bar:
        task = bar.add_task("preparing", total=None, told="", current="")
        yield lambda fields: bar.update(task, **shown(fields))


def shown(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What the live line says: done / total, rate, errors, time left and money, then the current case."""
    from rich.markup import escape

    finished = fields["done"] == fields["planned"]
    errors = fields["failed"] + fields["timed_out"]
    parts = [f"{fields['done']}/{fields['planned']}"]
    if fields["rate_per_s"]:
        parts.append(f"{fields['rate_per_s']:.1f}/s")
    parts.append(f"[{'red' if errors else 'green'}]{errors} errors[/]")
    if fields["eta_s"] is not None and not finished:
        parts.append(f"{_clock(fields['eta_s'])} left")
    if fields["spent_usd"]:
        parts.append(f"${fields['spent_usd']:.4f}")
    return {
        "description": "storing" if finished else "measuring",
        "total": fields["planned"],
        "completed": fields["done"],
        "told": "  ".join(parts),
        "current": escape(fields["current"] or "") if fields["in_flight"] else "",
    }


def _clock(seconds: float) -> str:
    """`0:42`, `1:02:03`."""
    minutes, second = divmod(round(seconds), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02}:{second:02}" if hour else f"{minute}:{second:02}"
