"""What the hour of the day does: each run's distance from the level of its stretch, at the hour (UTC) of its start."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from benchbook.reports.plots import canvas

Row = Mapping[str, Any]


def draw(row: Row) -> Any:
    """A figure of one row of `history.trends.trend`, or None where the hour is not known to explain anything."""
    if not row["by_hour"]:
        return None
    levels = {number: part["level"] for number, part in enumerate(row["segments"])}
    cells: dict[int, list[float]] = defaultdict(list)
    for run in row["runs"]:
        if not run["spike"] and run["segment"] in levels:
            off = run["level"] - levels[run["segment"]]
            cells[run["started_at"].hour].append(100 * (math.expm1(off) if row["scale"] == "log" else off))
    with canvas.drawing():
        figure, (axes,) = canvas.blank(f"hours {row['target']} {row['workload']} {row['metric']}")
        xs = [hour for hour, offs in cells.items() for _ in offs]
        ys = [off for offs in cells.values() for off in offs]
        (runs,) = axes.plot(xs, ys, "o", color=canvas.COLOURS[0], markersize=3.6, markerfacecolor="none")
        hours = sorted(cells)
        means = [sum(cells[hour]) / len(cells[hour]) for hour in hours]
        (mean,) = axes.plot(hours, means, "_", color=canvas.COLOURS[1], markersize=11, markeredgewidth=2)
        axes.axhline(0, color=canvas.SOFT, linewidth=0.8)
        axes.set_xlim(-0.7, 23.7)
        axes.set_xticks(range(0, 24, 3))
        canvas.plain_numbers(axes.yaxis)
        axes.set_xlabel("hour of the start (UTC)")
        axes.set_ylabel("off its level (%)" if row["scale"] == "log" else "off its level (points)")
        canvas.legend(figure, [runs, mean], ["run", "mean of the hour"])
    return figure
