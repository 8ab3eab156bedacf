"""Latency curves as SVG texts, drawn by matplotlib; nothing in them is fetched from anywhere."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

COLOURS = ("#0b6e99", "#d1495b", "#2e933c", "#8e5ea2", "#e08e0b", "#5c6b73", "#00a6a6", "#7a4419")
"""One per target, in the order of the comparison."""


def distribution(points: Iterable[Mapping[str, Any]], metric: str, targets: Sequence[str]) -> str | None:
    """The empirical distribution of one metric, a curve a target, as an SVG text; None without any point.

    points: rows of the question `curves`. The vertical axis is the share of attempted trials, so a target with
    failures ends below 100 %.
    """
    by_target: dict[str, list[Mapping[str, Any]]] = {}
    for point in points:
        if point["metric"] == metric:
            by_target.setdefault(str(point["target"]), []).append(point)
    if not by_target:
        return None
    return _svg(by_target, targets, metric)


def _svg(by_target: Mapping[str, Sequence[Mapping[str, Any]]], targets: Sequence[str], metric: str) -> str:
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib.figure import Figure

    settings = {"svg.hashsalt": metric, "svg.fonttype": "none", "font.size": 9, "text.parse_math": False}
    with mpl.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the reader's browser has fonts of its own
        figure = Figure(figsize=(6.2, 3.3), layout="constrained")
        axes = figure.add_subplot()
        lines: list[Any] = []
        for index, target in enumerate(targets):
            points = by_target.get(target, ())
            xs = [point["value"] for point in (*points[:1], *points)]
            ys = [0.0, *(100 * point["share_attempted"] for point in points)][: len(xs)]  # each curve rises from 0
            lines += axes.step(xs, ys, where="post", color=COLOURS[index % len(COLOURS)], linewidth=1.6)
        axes.set_xlabel(metric)
        axes.set_ylabel("% of attempted trials")
        axes.set_ylim(0, 101)
        axes.grid(visible=True, color="#e3e3e3", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(lines, targets, frameon=False, loc="lower right")
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    drawn = out.getvalue()[out.getvalue().index("<svg") :]
    return re.sub(r"<metadata>.*?</metadata>", "", drawn, flags=re.DOTALL)
