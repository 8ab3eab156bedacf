"""What clients saw beside what the simulator did, as figures, tables and plots. No process is started here."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

from benchbook.reports.plots import COLOURS
from benchbook.stats.quantiles import quantile

Figure = float | str | None
"""A number; a text where there is none and this is why; None where it does not apply."""

Figures = dict[str, Figure]


class Truth(NamedTuple):
    """The simulator's record of one call, in ns; `first` and `last` are the writes of content."""

    received: int
    first: int
    last: int
    ended: int
    tokens: int
    lateness: int


class Seen(NamedTuple):
    """One answered call as a client stamped it, in ns."""

    intended: int
    taken_up: int
    sent: int
    first: int
    last: int


Pair = tuple[Seen, Truth]


# ---------------------------------------------------------------- of one run


def errors(found: Sequence[Pair], part: str) -> Figures:
    """Errors of the client's times, in ms; see the head of this file."""
    ttft = [((seen.first - seen.sent) - (true.first - true.received)) / 1e6 for seen, true in found]
    stamp = [(seen.first - true.first) / 1e6 for seen, true in found]
    return {
        f"{part}TTFT error p50": at(ttft, 0.5),
        f"{part}p99": at(ttft, 0.99),
        f"{part}stamp p50": at(stamp, 0.5),
        f"{part}stamp p99": at(stamp, 0.99),
    }


def token_errors(found: Sequence[Pair]) -> Figures:
    """Error of decode time per token, in ms."""
    off = [((seen.last - seen.first) - (true.last - true.first)) / 1e6 / (true.tokens - 1) for seen, true in found]
    return {"ms/token error p50": at(off, 0.5), "|p99|": at([abs(one) for one in off], 0.99)}


def in_flight(found: Sequence[Pair], concurrency: int) -> float:
    """Mean number of requests that the simulator held, from the end of the first wave to its last request, in % of what
    was asked for."""
    begin, end = found[min(concurrency, len(found)) - 1][1].ended, found[-1][1].received
    held = sum(max(0, min(true.ended, end) - max(true.received, begin)) for _, true in found)
    return 100 * held / max(1, end - begin) / concurrency


def mean_in_flight(records: Iterable[Truth]) -> float:
    """Mean number of requests that the simulator held, over the whole run, ramp and end included."""
    kept = tuple(records)
    return sum(one.ended - one.received for one in kept) / (
        max(one.ended for one in kept) - min(one.received for one in kept)
    )


def most_in_flight(found: Sequence[Pair]) -> int:
    """The largest number of requests that the simulator held at once."""
    steps = sorted([(true.received, 1) for _, true in found] + [(true.ended, -1) for _, true in found])
    return max(accumulate(step for _, step in steps))


# ---------------------------------------------------------------- over repeats, on paper


def at(values: Sequence[float], q: float) -> Figure:
    """A quantile, or why it is refused."""
    answer = quantile(list(values), q)
    return answer.refused if answer.value is None else answer.value


def median(values: Sequence[Figure]) -> Figure:
    """Over repeats; a refusal stays one."""
    numbers = [value for value in values if isinstance(value, int | float)]
    return statistics.median(numbers) if numbers and len(numbers) == len(values) else values[0]


def medians(runs: Sequence[Mapping[str, Figure]]) -> dict[str, Figure]:
    """Each figure's median over the repeats."""
    return {name: median([run[name] for run in runs]) for name in runs[0]}


def shown(value: Figure, digits: int = 2) -> str:
    """A figure as a cell."""
    if value is None:
        return ""
    return value if isinstance(value, str) else f"{value:,.{digits}f}"


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Right-aligned columns, the first left-aligned."""
    widths = [max(len(line[i]) for line in [header, *rows]) for i in range(len(header))]
    for line in [header, *rows]:
        first, *rest = (
            text.ljust(w) if i == 0 else text.rjust(w) for i, (text, w) in enumerate(zip(line, widths, strict=True))
        )
        print("  ".join((first, *rest)).rstrip())


def save_lines(path: Path, panels: Sequence[tuple[str, Mapping[str, Sequence[tuple[float, float]]]]]) -> None:
    """Panels of lines over the concurrency, both axes by powers of ten."""
    canvas, axes = _canvas(len(panels))
    for place, (title, lines) in zip(axes, panels, strict=True):
        for colour, (name, points) in zip(COLOURS, lines.items(), strict=False):
            xs, ys = zip(*points, strict=True)
            place.plot(xs, ys, label=name, color=colour, marker="o", markersize=3, linewidth=1.5)
        place.set_xscale("log")
        place.set_yscale("symlog", linthresh=0.1)
        place.set_title(title)
        place.set_xlabel("concurrency")
        place.grid(visible=True, color="#e3e3e3", linewidth=0.6)
        place.legend(frameon=False)
    _save(canvas, path)


def save_curves(
    path: Path, panels: Sequence[tuple[str, Mapping[str, Sequence[tuple[float, float, float]]]]], along: str
) -> None:
    """Panels of lines, in % of tries; each point with its standard error. along: what the horizontal axis is."""
    canvas, axes = _canvas(len(panels))
    for place, (title, lines) in zip(axes, panels, strict=True):
        for colour, (name, points) in zip(COLOURS, lines.items(), strict=False):
            xs, ys, errors = zip(*points, strict=True)
            place.errorbar(xs, ys, yerr=errors, label=name, color=colour, marker="o", markersize=3, linewidth=1.5)
        place.set_ylim(bottom=0)
        place.set_title(title)
        place.set_xlabel(along)
        place.set_ylabel("% of tries")
        place.grid(visible=True, color="#e3e3e3", linewidth=0.6)
        place.legend(frameon=False)
    _save(canvas, path)


def save_bars(path: Path, panels: Sequence[tuple[str, Mapping[str, float]]]) -> None:
    """Panels of horizontal bars with their numbers, on scales of powers of ten."""
    canvas, axes = _canvas(len(panels))
    for place, (title, bars) in zip(axes, panels, strict=True):
        names = list(bars)[::-1]
        drawn = place.barh(names, [bars[name] for name in names], color="#0b6e99")
        place.bar_label(drawn, labels=[shown(bars[name], 1) for name in names], padding=3, fontsize=8)
        place.set_xscale("log")
        place.set_xlim(right=6 * max(bars.values()))
        place.set_title(title)
    _save(canvas, path)


def _canvas(panels: int) -> tuple[Any, list[Any]]:
    import matplotlib as mpl

    mpl.use("agg")
    mpl.rcParams.update({"svg.hashsalt": "benchmarks", "svg.fonttype": "none", "font.size": 9})
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=(5.4 * panels, 3.4), layout="constrained")
    return canvas, [canvas.add_subplot(1, panels, place + 1) for place in range(panels)]


def _save(canvas: Any, path: Path) -> None:
    canvas.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
