"""A latency over the run: the median of each stretch of trials, and how far its slowest trial lay above it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchbook.reports.plots import canvas
from benchbook.reports.plots.distribution import LABELS

Row = Mapping[str, Any]
_SPREAD = 12.0


def draw(rows: Sequence[Row], metric: str, targets: Sequence[str]) -> Any:
    """A figure, or None of less than two stretches. rows: of the question `over_time`."""
    of = [row for row in rows if row["metric"] == metric]
    drawn = [(i, target) for i, target in enumerate(targets) if sum(row["target"] == target for row in of) > 1]
    if not drawn:
        return None
    with canvas.drawing():
        figure, (axes,) = canvas.blank(f"over time {metric}")
        lines = []
        for index, target in drawn:
            colour, line, marker = canvas.series(index)
            points = [row for row in of if row["target"] == target]
            xs = [(row["from_s"] + row["to_s"]) / 2 for row in points]
            medians, most = [row["median"] for row in points], [row["max"] for row in points]
            axes.vlines(xs, medians, most, color=colour, linewidth=0.8, alpha=0.45)
            axes.plot(xs, most, color=colour, linestyle="none", marker="_", markersize=5, alpha=0.7)
            lines += axes.plot(xs, medians, color=colour, linestyle=line, marker=marker, linewidth=1.4)
        if max(row["max"] for row in of) > _SPREAD * min(row["median"] for row in of) > 0:
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0)
        canvas.plain_numbers(axes.yaxis)
        canvas.plain_numbers(axes.xaxis)
        axes.set_xlabel("time since the first measured start (s)")
        axes.set_ylabel(LABELS.get(metric, metric))
        canvas.legend(figure, lines, [target for _, target in drawn])
    return figure
