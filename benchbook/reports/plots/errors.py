"""Failures over the run: of the trials of each slice of time the share that failed, with Wilson's interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchbook.reports.plots import canvas

Row = Mapping[str, Any]


def draw(rows: Sequence[Row], targets: Sequence[str]) -> Any:
    """A figure, or None where nothing failed. rows: of the question `errors_by_time`."""
    failing = {row["target"] for row in rows if row["failed"]}
    drawn = [(index, target) for index, target in enumerate(targets) if target in failing]
    if not drawn:
        return None
    with canvas.drawing():
        figure, (axes,) = canvas.blank("errors")
        lines = []
        for index, target in drawn:
            colour, line, marker = canvas.series(index)
            points = [row for row in rows if row["target"] == target]
            xs = [(row["from_s"] + row["to_s"]) / 2 for row in points]
            ys = [100 * row["failure_share"] for row in points]
            low = [100 * row["failure_share_low"] for row in points]
            high = [100 * row["failure_share_high"] for row in points]
            lines += axes.plot(xs, ys, color=colour, linestyle=line, marker=marker, linewidth=1.4)
            axes.vlines(xs, low, high, color=colour, linewidth=0.9, alpha=0.7)
        axes.set_xlim(0, max(row["to_s"] for row in rows))
        axes.set_ylim(-2, 102)
        canvas.plain_numbers(axes.xaxis)
        axes.set_xlabel("time since the first measured start (s)")
        axes.set_ylabel("% of trials that failed")
        canvas.legend(figure, lines, [target for _, target in drawn])
    return figure
