"""Latency and throughput against load, for the points of a sweep, with the knee where a step gained too little.

Two axes above one another share the load: latency at the top (median and 95th percentile with their intervals), what
came out at the bottom, beside the line on which throughput would have grown with the load.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchbook.reports.plots import canvas
from benchbook.stats.knee import Knee, knee

Row = Mapping[str, Any]
_TICKS = 8
UNITS = {"concurrency": "concurrency (requests in flight)", "rate": "offered load (requests/s)"}


def draw(rows: Sequence[Row], metric: str, targets: Sequence[str]) -> Any:
    """A figure, or None of less than two loads. rows: of the question `sweep`, one sweep and workload; metric:
    `ttft_ms`, `e2e_ms` or `response_ms`."""
    if len({row["load"] for row in rows}) < 2:
        return None
    with canvas.drawing():
        figure, (above, below) = canvas.blank(f"load {metric}", rows=2, size=(4.5, 3.9))
        lines = []
        for index, target in enumerate(targets):
            points = [row for row in rows if row["target"] == target]
            lines.append(_throughput(below, points, index))
            for name, filled in (("p50", True), ("p95", False)):
                _latency(above, points, f"{metric}_{name}", (index, filled))
            found = knee_of(points)
            if found is not None:
                _mark(above, below, found, index)
        above.set_ylabel(f"{metric.removesuffix('_ms').replace('e2e', 'end to end').replace('ttft', 'TTFT')} (ms)")
        above.set_ylim(bottom=0)
        below.set_ylim(bottom=0)
        below.set_ylabel("answers/s")
        _ticks(below, rows)
        canvas.legend(figure, lines, targets)
    return figure


def knee_of(points: Iterable[Row]) -> Knee | None:
    """The knee of one target's points, by the rule of `stats.knee`."""
    return knee(sorted({(row["load"], row["trials_per_s"] or 0.0) for row in points}))


def _throughput(axes: Any, points: Sequence[Row], index: int) -> Any:
    colour, line, marker = canvas.series(index)
    known = [(row["load"], row["trials_per_s"]) for row in points if row["trials_per_s"] is not None]
    if known and known[0][1]:
        first_load, first_out = known[0]
        linear = [first_out * load / first_load for load, _ in known]
        axes.plot([load for load, _ in known], linear, color=canvas.SOFT, linewidth=0.7, alpha=0.6)
    xs, ys = [load for load, _ in known], [out for _, out in known]
    (drawn,) = axes.plot(xs, ys, color=colour, linestyle=line, marker=marker, linewidth=1.5)
    return drawn


def _latency(axes: Any, points: Sequence[Row], name: str, look: tuple[int, bool]) -> None:
    index, filled = look
    colour, line, marker = canvas.series(index)
    known = [row for row in points if row[name] is not None]
    if not known:
        return
    xs, ys = [row["load"] for row in known], [row[name] for row in known]
    low = [row[name] - row[f"{name}_low"] for row in known]
    high = [row[f"{name}_high"] - row[name] for row in known]
    axes.errorbar(
        xs, ys, yerr=[low, high], color=colour, linestyle=line, marker=marker, linewidth=1.4 if filled else 0.9,
        elinewidth=0.9, capsize=2.5, markerfacecolor=colour if filled else "none",
    )  # fmt: skip
    axes.annotate(
        name[-3:],
        (xs[-1], ys[-1]),
        xytext=(5, 0),
        textcoords="offset points",
        va="center",
        color=canvas.SOFT,
        fontsize=7.5,
    )


def _mark(above: Any, below: Any, found: Knee, index: int) -> None:
    colour = canvas.series(index).colour
    for axes in (above, below):
        axes.axvline(found.load, color=colour, linewidth=1, linestyle=(0, (2, 2)))
    above.annotate(
        "knee", (found.load, 1), xycoords=("data", "axes fraction"), xytext=(4, -3), textcoords="offset points",
        va="top", color=canvas.INK,
    )  # fmt: skip


def _ticks(axes: Any, rows: Sequence[Row]) -> None:
    loads = sorted({row["load"] for row in rows})
    if loads[-1] / loads[0] > 6:
        axes.set_xscale("log")
    canvas.plain_numbers(axes.xaxis)
    axes.set_xticks(loads if len(loads) <= _TICKS else loads[:: -(-len(loads) // _TICKS)])
    axes.set_xlabel(UNITS.get(str(rows[0]["axis"]), str(rows[0]["axis"])))
