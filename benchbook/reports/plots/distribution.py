"""The empirical distribution of a metric, a curve a target, with the band that holds the whole true curve.

The height at x is the share of *attempted* trials that succeeded within x, so that a curve ends below 100 % where
trials failed: a failure counts as one that never ended. The band is Dvoretzky, Kiefer and Wolfowitz's with Massart's
constant, +- sqrt(ln(2 / alpha) / (2 n)) over the n attempted trials: simultaneous over all x, distribution-free, for
independent trials of this fixed set of prompts. Shares have no room below 0 and above 1, so the band is drawn to there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchbook.reports.plots import canvas

Row = Mapping[str, Any]
Names = Mapping[tuple[str, str], str]
"""(target, workload) -> what the series is called, in the order of the run."""
LABELS = {
    "ttft_ms": "time to first token (ms)",
    "e2e_ms": "end to end, from dispatch (ms)",
    "response_ms": "response, from the intended start (ms)",
    "decode_ms_per_token": "decode (ms per token)",
    "wall_ms": "wall time of a trial (ms)",
}
_BANDS = 4
"""Bands of more targets than this hide one another: they are left to the table."""
_WIDEST = 0.4
"""Half width of the widest band that is drawn."""
_LOG_FROM = 30.0
"""The largest value over the smallest from which the axis is logarithmic."""


def half_width(n: int, confidence: float) -> float:
    """The band's half width for n values: DKW's inequality with Massart's constant 2 (Ann. Probab. 18, 1990)."""
    return math.sqrt(math.log(2 / (1 - confidence)) / (2 * n))


def least(confidence: float) -> int:
    """The fewest attempted trials whose band is drawn: of fewer it is wider than it is worth."""
    return math.ceil(math.log(2 / (1 - confidence)) / (2 * _WIDEST**2))


def draw(points: Iterable[Row], metric: str, names: Names, confidence: float = 0.95) -> Any:
    """A figure, or None without any point. points: rows of the question `curves`; names: in order of their look."""
    curves: dict[tuple[str, str], list[Row]] = {}
    for point in points:
        if point["metric"] == metric:
            curves.setdefault((point["target"], point["workload"]), []).append(point)
    looks = canvas.looks(names)
    drawn = [key for key in names if key in curves]
    if not drawn:
        return None
    with canvas.drawing():
        figure, (axes,) = canvas.blank(f"distribution {metric}")
        lines = [_curve(axes, curves[key], looks[key], place) for place, key in enumerate(drawn)]
        if len(drawn) <= _BANDS:
            enough = least(confidence)
            for key in (key for key in drawn if attempted(curves[key][-1]) >= enough):
                _band(axes, curves[key], looks[key].colour, confidence)
        values = [point["value"] for key in drawn for point in curves[key]]
        if min(values) > 0 and max(values) / min(values) > _LOG_FROM:
            axes.set_xscale("log")
        canvas.plain_numbers(axes.xaxis)
        axes.set_xlabel(LABELS.get(metric, metric))
        axes.set_ylabel("% of attempted trials")
        axes.set_ylim(0, 102)
        canvas.legend(figure, lines, [names[key] for key in drawn])
    return figure


def attempted(point: Row) -> int:
    """How many trials a curve's shares are of."""
    return round(point["rank"] / point["share_attempted"])


def _steps(points: Sequence[Row]) -> tuple[list[float], list[float]]:
    """A curve rises from 0 at its smallest value."""
    return (
        [point["value"] for point in (points[0], *points)],
        [0.0, *(100 * point["share_attempted"] for point in points)],
    )


def _curve(axes: Any, points: Sequence[Row], look: canvas.Series, place: int) -> Any:
    colour, line, marker = look
    xs, ys = _steps(points)
    every = max(1, len(xs) // 6)
    (drawn,) = axes.step(
        xs,
        ys,
        where="post",
        color=colour,
        linestyle=line,
        linewidth=1.5,
        marker=marker,
        markevery=(place % every, every),
    )
    return drawn


def _band(axes: Any, points: Sequence[Row], colour: str, confidence: float) -> None:
    xs, ys = _steps(points)
    half = 100 * half_width(attempted(points[-1]), confidence)
    low, high = [max(0.0, y - half) for y in ys], [min(100.0, y + half) for y in ys]
    axes.fill_between(xs, low, high, step="post", color=colour, alpha=0.13, linewidth=0)
