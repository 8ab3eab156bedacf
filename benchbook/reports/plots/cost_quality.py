"""Cost against quality: a point a target, its mean score with its interval above what its trials cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchbook.reports.plots import canvas
from benchbook.reports.plots.distribution import Names

Row = Mapping[str, Any]
_SPREAD = 20.0


def draw(rows: Sequence[Row], names: Names) -> Any:
    """A figure, or None where no target has both a score and a known cost. rows: of the question `cost_quality`."""
    known = {
        (row["target"], row["workload"]): row
        for row in rows
        if row["score"] is not None and row["cost_usd_per_trial"] is not None
    }
    looks = canvas.looks(names)
    drawn = [key for key in names if key in known]
    if not drawn:
        return None
    with canvas.drawing():
        figure, (axes,) = canvas.blank("cost and quality")
        points = [_point(axes, known[key], looks[key]) for key in drawn]
        costs = [1000 * known[key]["cost_usd_per_trial"] for key in drawn]
        if min(costs) > 0 and max(costs) / min(costs) > _SPREAD:
            axes.set_xscale("log")
        else:
            axes.set_xlim(0, 1.15 * max(costs) or 1)
        axes.set_ylim(-2, 104)
        canvas.plain_numbers(axes.xaxis)
        axes.set_xlabel("cost of 1,000 trials (USD)")
        axes.set_ylabel("mean score (%)")
        canvas.legend(figure, points, [names[key] for key in drawn])
    return figure


def _point(axes: Any, row: Row, look: canvas.Series) -> Any:
    colour, _, marker = look
    at, score = 1000 * row["cost_usd_per_trial"], 100 * row["score"]
    if row["score_low"] is not None:
        axes.vlines(at, 100 * row["score_low"], 100 * row["score_high"], color=colour, linewidth=1.1)
    (drawn,) = axes.plot([at], [score], color=colour, marker=marker, markersize=7, linestyle="none")
    return drawn
