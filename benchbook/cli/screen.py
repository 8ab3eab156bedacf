"""What a terminal shows of a run that is going on: a bar, the run so far, and a line for each target.

It says "so far" because the figures are of the moment; what holds is the table at the end, whose names it uses.
Sparklines are a second a bar, and as long as the terminal has room. Where it is narrow, columns go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from benchbook.cli.lately import (
    ASCII_BARS,
    BARS,
    SECONDS,
    Trends,
    error_shares,
    lateness,
    rates,
    recent_ttft_ms,
    sparkline,
    totals_of,
    ttfts,
)
from benchbook.reports.words import money, number, share

_NAME = 24
_GAP = 2
_SPARKS = 3
_ROWS_BESIDE = 7
_ECHO = 8
"""Cells left free behind the last line: the terminal writes ^C there, and must not begin another line for it."""


@dataclass(frozen=True, slots=True)
class _Cell:
    """A figure, the sparkline behind it if it has one, and a style."""

    text: str
    values: Sequence[float | None] | None = None
    top: float | None = None
    style: str = ""


class Screen:
    """Renders the newest report; `asked_to_stop` is not empty once the user has interrupted."""

    def __init__(self, asked_to_stop: Sequence[int] = ()) -> None:
        self._asked_to_stop = asked_to_stop
        self._report: Mapping[str, Any] | None = None
        self._stored: tuple[int, int] | None = None
        self._trends = Trends()

    def take(self, report: Mapping[str, Any]) -> None:
        """Show this report from now on."""
        self._trends.take(report)
        self._report = report

    def stored(self, _run_id: str, done: int, planned: int) -> None:
        """Show how far the storing has come."""
        self._stored = done, planned

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        report, width = self._report, options.max_width
        if report is None and self._stored is not None:
            yield _bar("storing", self._stored, "", width, ascii_only=options.ascii_only)
            return
        if report is None:
            yield Text("preparing", style="bold")
            return
        word, left = self._word(report), report["eta_s"]
        counts = (report["done"], report["planned"]) if self._stored is None else self._stored
        left = f"{clock(left)} left" if left is not None and word == "measuring" else ""
        yield _bar(word, counts, left, width, ascii_only=options.ascii_only)
        yield Text(_with_id(summary(report, self._trends), report["run_id"], width), no_wrap=True, overflow="ellipsis")
        rows = max(1, (options.height or console.height) - _ROWS_BESIDE)
        bars = ASCII_BARS if options.ascii_only else BARS
        table, seconds = self._targets(report, list(report["targets"])[:rows], width, bars)
        yield table
        if (late := lateness(report)) is not None:
            yield Text(late, style="yellow", no_wrap=True, overflow="ellipsis")
        foot = Text(_footing(report, rows, seconds), style="dim", no_wrap=True)
        foot.truncate(max(width - _ECHO, 1), overflow="ellipsis")
        yield foot

    def _word(self, report: Mapping[str, Any]) -> str:
        if report["ended"] or report["done"] == report["planned"]:
            return "storing"
        if not self._asked_to_stop:
            return "measuring"
        return "stopping (Ctrl-C again drops what is in flight)"

    def _targets(self, report: Mapping[str, Any], names: Sequence[str], width: int, bars: str) -> tuple[Table, int]:
        """The table, and how many seconds its sparklines show."""
        heads = ["target", "done", "trials/s", "tokens/s", "in flight", "TTFT ms p50", "failed", ""]
        lines = [self._cells(name, report["targets"][name]) for name in names]
        keep = _kept(heads, lines, width)
        taken = sum(_wide(heads[n], [line[n] for line in lines]) + _GAP for n in keep)
        seconds = max(0, min(SECONDS, (width - taken) // _SPARKS - 1))
        table = Table.grid(padding=(0, _GAP, 0, 0))
        for n in keep:
            table.add_column(justify="left" if n in (0, len(heads) - 1) else "right", no_wrap=True)
        table.add_row(*(Text(heads[n] + (" " * (seconds + 1) if _sparks(lines, n) else ""), style="dim") for n in keep))
        for line in lines:
            table.add_row(*(_drawn(line[n], seconds, bars) for n in keep))
        return table, seconds

    def _cells(self, name: str, tally: Mapping[str, Any]) -> list[_Cell]:
        trend, totals = self._trends.targets[name], totals_of(tally)
        seconds = list(trend.seconds)[:-1]  # the present second is not over: its bar would always be low
        done = sum(sum(counts.values()) for counts in tally["trials"].values())
        failed, finished = int(totals["errors"]), int(totals["finished"])
        errors = f"{failed} ({share(failed / finished)})" if failed else "0"
        return [
            _Cell(name if len(name) <= _NAME else name[: _NAME - 3] + "...", style="bold"),
            _Cell(f"{done:,}/{tally['planned']:,}"),
            _Cell(number(self._trends.per_s(name, "finished")), rates(seconds)),
            _Cell(number(self._trends.per_s(name, "tokens_out"))),
            _Cell(str(tally["in_flight"])),
            _Cell(number(recent_ttft_ms(tally)), ttfts(seconds)),
            _Cell(errors, error_shares(seconds), top=1.0, style="red" if failed else "green"),
            _Cell(tally["state"], style="yellow"),
        ]


def _bar(word: str, counts: tuple[int, int], left: str, width: int, *, ascii_only: bool) -> Table:
    """What is done, as a bar and in numbers. counts: done and planned trials."""
    done, planned = counts
    numbers = f"{done:,}/{planned:,} trials"
    room, whole = max(width - len(word) - len(numbers) - len(left) - 4, 8), max(planned, 1)
    filled = room * done // whole
    plain = Text("#" * filled + "." * (room - filled))
    bar = plain if ascii_only else ProgressBar(total=whole, completed=done, width=room)
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_row(Text(word, style="bold"), bar, numbers, left)
    return grid


_GO_FIRST = (4, 3, 7)
"""Columns that a narrow terminal does without: what is in flight, tokens/s, the state's words."""


def _kept(heads: Sequence[str], lines: Sequence[Sequence[_Cell]], width: int) -> list[int]:
    """Columns that are shown: the state's only where one has something to say, the others while there is room."""
    keep = [n for n in range(len(heads)) if n != len(heads) - 1 or any(line[n].text for line in lines)]
    for going in _GO_FIRST:
        wide = sum(_wide(heads[n], [line[n] for line in lines]) + _GAP for n in keep)
        if wide + (_SPARKS * 6 if going != len(heads) - 1 else 0) <= width:  # a state is worth more than sparklines
            break
        keep = [n for n in keep if n != going]
    return keep


def _wide(head: str, cells: Sequence[_Cell]) -> int:
    return max([len(head), *(len(cell.text) for cell in cells)])


def _sparks(lines: Sequence[Sequence[_Cell]], n: int) -> bool:
    return any(line[n].values is not None for line in lines)


def _drawn(cell: _Cell, seconds: int, bars: str) -> Text:
    text = Text(cell.text, style=cell.style)
    if cell.values is not None:
        text.append(" " + sparkline(cell.values, seconds, cell.top, bars), style="cyan" if not cell.style else "")
    return text


def summary(report: Mapping[str, Any], trends: Trends) -> str:
    """The run so far in one line, warm-up included."""
    tokens = [trends.per_s(name, "tokens_out") for name in trends.targets]
    attempted = report["succeeded"] + report["failed"] + report["timed_out"]
    errors = report["failed"] + report["timed_out"]
    parts = [f"{number(report['rate_per_s'])} trials/s", f"{number(sum(t or 0.0 for t in tokens))} tokens/s"]
    parts.append(f"{report['in_flight']:,} in flight")
    parts.append(f"{_several(errors, 'error')} ({share(errors / attempted)})" if errors else "0 errors")
    if report["spent_usd"]:
        parts.append(money(report["spent_usd"]))
    retries = sum(tally["retries"] for tally in report["targets"].values())
    if retries:
        parts.append(_several(retries, "retry"))
    if report["workers"] > 1:
        parts.append(f"{report['workers']} workers")
    return f"so far {', '.join(parts)}"


def _several(count: int, noun: str) -> str:
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{count:,} {noun if count == 1 else plural}"


def _with_id(line: str, run_id: str, width: int) -> str:
    """The run's id at the right end, where there is room for it."""
    return f"{line}{run_id:>{width - len(line)}}" if len(line) + len(run_id) + _GAP <= width else line


def _footing(report: Mapping[str, Any], rows: int, seconds: int) -> str:
    said = [f"TTFT of each target's newest {_newest(report)}, bars: last {seconds} s"] if seconds else []
    if len(report["targets"]) > rows:
        said.append(f"{len(report['targets']) - rows} more targets")
    if report["current"] and report["in_flight"]:
        said.append(f"now {report['current']}")
    return "; ".join(said)


def _newest(report: Mapping[str, Any]) -> int:
    return max([len(tally["recent_ttft_ms"]) for tally in report["targets"].values()], default=0)


def clock(seconds: float) -> str:
    """`0:42`, `1:02:03`."""
    minutes, second = divmod(round(seconds), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02}:{second:02}" if hour else f"{minute}:{second:02}"
