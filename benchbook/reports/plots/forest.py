"""A forest of changes: a line a metric, its ratio B / A with the interval, above the margin within which it is none.

A margin m runs from 1 / (1 + m) to 1 + m. Shares (scores, failures) are differences in points, on an axis of their own.
A verdict is told by the marker as well as by the colour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchbook.reports.plots import canvas

Row = Mapping[str, Any]
LOOKS = {
    "CHANGED worse": (canvas.BAD, "D"),
    "CHANGED better": (canvas.GOOD, "^"),
    "EQUIVALENT": (canvas.SOFT, "s"),
    "CANNOT TELL": (canvas.INK, "o"),
}
_HEIGHT = 0.3
_LEFT = 1.55
_ABOVE = 0.5
"""Inches of the names of metrics, and of the key of verdicts."""
_NAMES = {"p95": " p95"}


def name_of(row: Row) -> str:
    """`e2e_ms p95`."""
    return f"{row['metric']}{_NAMES.get(row['statistic'], '')}"


def draw(rows: Sequence[Row], title: str) -> Any:
    """A figure of one target's rows of a comparison, or None where none of them has a number."""
    ratios = [row for row in rows if row["scale"] == "log" and row["ratio"] is not None]
    shares = [row for row in rows if row["scale"] == "share" and row["difference"] is not None]
    parts = [part for part in (ratios, shares) if part]
    if not parts:
        return None
    from matplotlib.figure import Figure

    with canvas.drawing():
        height = sum(_HEIGHT * len(part) + 0.62 for part in parts) + _ABOVE
        figure = Figure(figsize=(4.5, height))
        figure.set_label(f"changes {title}")
        heights = [_HEIGHT * len(part) for part in parts]
        axes = figure.subplots(len(parts), 1, squeeze=False, height_ratios=heights)[:, 0]
        for part, each in zip(parts, axes, strict=True):
            _lines(each, part)
        width = figure.get_size_inches()[0]
        space = 0.62 / (sum(heights) / len(heights)) if len(parts) > 1 else 0.0
        figure.subplots_adjust(
            left=_LEFT / width, right=1 - 0.15 / width, top=1 - _ABOVE / height, bottom=0.5 / height, hspace=space
        )
        marks, names = _legend(axes[0], {row["verdict"] for part in parts for row in part})
        figure.legend(marks, names, loc="upper left", bbox_to_anchor=(0.0, 1.0), ncols=2, frameon=False)
    return figure


def _lines(axes: Any, rows: Sequence[Row]) -> None:
    log = rows[0]["scale"] == "log"
    none = 1.0 if log else 0.0
    for place, row in enumerate(reversed(rows)):
        colour, marker = LOOKS[row["verdict"]]
        low, high = _margin(row)
        axes.fill_between([low, high], place - 0.42, place + 0.42, color=canvas.GRID, linewidth=0)
        middle, bounds = _numbers(row)
        if bounds is not None:
            axes.plot(bounds, [place, place], color=colour, linewidth=1.6, solid_capstyle="butt")
        hollow = row["verdict"] == "CANNOT TELL"
        axes.plot([middle], [place], color=colour, marker=marker, markersize=5.5, linestyle="none",
                  markerfacecolor="none" if hollow else colour, markeredgecolor=colour)  # fmt: skip
    axes.axvline(none, color=canvas.SOFT, linewidth=0.8)
    axes.set_yticks(range(len(rows)), [canvas.short(name_of(row)) for row in reversed(rows)])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(length=3)
    axes.tick_params(axis="y", length=0)
    if log:
        _log_axis(axes)
    axes.set_xlabel("B as a ratio of A" if log else "B minus A (points)")


def _log_axis(axes: Any) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))


def _margin(row: Row) -> tuple[float, float]:
    margin = row["margin"]
    return (1 / (1 + margin), 1 + margin) if row["scale"] == "log" else (-100 * margin, 100 * margin)


def _numbers(row: Row) -> tuple[float, list[float] | None]:
    if row["scale"] == "log":
        return row["ratio"], None if row["low"] is None else [row["low"], row["high"]]
    low, high = row["difference_low"], row["difference_high"]
    return 100 * row["difference"], None if low is None else [100 * low, 100 * high]


def _legend(axes: Any, verdicts: set[str]) -> tuple[list[Any], list[str]]:
    marks, names = [], []
    for verdict, (colour, marker) in LOOKS.items():
        if verdict in verdicts:
            face = "none" if verdict == "CANNOT TELL" else colour
            (mark,) = axes.plot([], [], color=colour, marker=marker, linestyle="none", markerfacecolor=face)
            marks.append(mark)
            names.append(verdict)
    return marks, names
