"""How long answers pause: the share of gaps between chunks that last at least so long, a line a target.

Both axes are logarithmic, so that the one gap in ten thousand that a reader feels as a stall is seen beside the usual
pace. Gaps of 0, two chunks that one read brought, have no place on such an axis: the curve begins with the first above.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchbook.reports.plots import canvas

Row = Mapping[str, Any]
STALL_MS = 50.0
"""The length from which a gap may be a stall, as in the question `stalls`."""


def draw(rows: Sequence[Row], targets: Sequence[str]) -> Any:
    """A figure, or None without a gap. rows: of the question `gap_tail`."""
    drawn = [(index, target) for index, target in enumerate(targets) if any(_visible(rows, target))]
    if not drawn:
        return None
    with canvas.drawing():
        figure, (axes,) = canvas.blank("gaps")
        axes.set_xscale("log")
        axes.set_yscale("log")
        lines = []
        for index, target in drawn:
            colour, line, marker = canvas.series(index)
            points = _visible(rows, target)
            xs, ys = [row["gap_ms"] for row in points], [100 * row["share"] for row in points]
            every = max(1, len(xs) // 6)
            lines += axes.plot(
                xs, ys, color=colour, linestyle=line, marker=marker, markevery=(index % every, every), linewidth=1.5
            )
        longest = max(row["gap_ms"] for row in rows)
        if longest > STALL_MS:
            axes.axvline(STALL_MS, color=canvas.SOFT, linewidth=0.9, linestyle=(0, (2, 2)))
            axes.annotate(
                f"{STALL_MS:g} ms", (STALL_MS, 1), xycoords=("data", "axes fraction"), xytext=(3, -3),
                textcoords="offset points", va="top", color=canvas.SOFT, fontsize=7.5,
            )  # fmt: skip
        canvas.plain_numbers(axes.xaxis)
        canvas.plain_numbers(axes.yaxis)
        axes.set_ylim(top=140)
        axes.set_xlabel("gap between chunks (ms)")
        axes.set_ylabel("% of gaps at least this long")
        canvas.legend(figure, lines, [target for _, target in drawn])
    return figure


def _visible(rows: Sequence[Row], target: str) -> list[Row]:
    return [row for row in rows if row["target"] == target and row["gap_ms"] > 0]
