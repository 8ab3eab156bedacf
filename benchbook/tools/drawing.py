"""Draws one chart, always in a process of its own: a keeper's fork, or this file run as a program.

As a program it reads an order as JSON from stdin and writes JSON to stdout. Every text is drawn as it stands: no
mathematics, no TeX, no style file of a user's or a folder's.
"""

from __future__ import annotations

import base64
import io
import json
import re
import sys
import textwrap
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

_COLOURS = ("#0b6e99", "#d1495b", "#2e933c", "#8e5ea2", "#e08e0b", "#5c6b73", "#00a6a6", "#7a4419")
_STYLE = {
    "svg.hashsalt": "benchbook",
    "svg.fonttype": "none",
    "text.parse_math": False,
    "text.usetex": False,
    "font.size": 10,
    "axes.unicode_minus": True,
}
_DOTS_PER_INCH = 120
_SLANTED_FROM = 8
_GROUPED_FROM, _GROUPED_TO = 1e4, 1e12


def drawn(order: Mapping[str, Any]) -> tuple[bytes, str]:
    """The chart as a PNG and as an SVG element.

    order: kind (`line`, `bar`, `scatter`), title, x_label, y_label, series of {name, x, y}.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    mpl.rcdefaults()
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a glyph that the font lacks is drawn as a box
        figure = Figure(figsize=(7.2, 4.2), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        _PAINTERS[order["kind"]](axes, order["series"])
        _dress(axes, order)
        png, svg = io.BytesIO(), io.StringIO()
        figure.savefig(png, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": None})
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    text = svg.getvalue()
    return png.getvalue(), re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)


def _line(axes: Any, series: Sequence[Mapping[str, Any]]) -> None:
    places = _places(axes, series)
    for number, one in enumerate(series):
        xs = [places.get(x, x) for x in one["x"]]
        marker = "o" if len(xs) <= 40 else ""
        colour = _COLOURS[number % len(_COLOURS)]
        axes.plot(xs, one["y"], color=colour, marker=marker, markersize=4, linewidth=1.8, label=one["name"])


def _scatter(axes: Any, series: Sequence[Mapping[str, Any]]) -> None:
    for number, one in enumerate(series):
        colour = _COLOURS[number % len(_COLOURS)]
        axes.scatter(one["x"], one["y"], color=colour, s=22, alpha=0.8, linewidths=0, label=one["name"])


def _bar(axes: Any, series: Sequence[Mapping[str, Any]]) -> None:
    places = _places(axes, series, always=True)
    width = 0.8 / len(series)
    for number, one in enumerate(series):
        shift = (number - (len(series) - 1) / 2) * width
        xs = [places[x] + shift for x in one["x"]]
        axes.bar(xs, one["y"], width=width * 0.94, color=_COLOURS[number % len(_COLOURS)], label=one["name"])
    axes.axhline(0, color="#444444", linewidth=0.8)


_PAINTERS = {"line": _line, "bar": _bar, "scatter": _scatter}


def _places(axes: Any, series: Sequence[Mapping[str, Any]], *, always: bool = False) -> dict[Any, int]:
    """Where each category stands, in order of first appearance; none where x is a number, unless `always`."""
    seen = list(dict.fromkeys(x for one in series for x in one["x"]))
    if not always and not any(isinstance(x, str) for x in seen):
        return {}
    words = [x if isinstance(x, str) else f"{x:g}" for x in seen]
    slanted = len(words) > _SLANTED_FROM or max(map(len, words)) > 80 / len(words)
    axes.set_xticks(range(len(words)), [word if len(word) <= 24 else word[:22] + "..." for word in words])
    axes.tick_params(axis="x", rotation=40 if slanted else 0)
    if slanted:
        for label in axes.get_xticklabels():
            label.set_horizontalalignment("right")
    return {x: place for place, x in enumerate(seen)}


def _dress(axes: Any, order: Mapping[str, Any]) -> None:
    axes.set_title(textwrap.fill(order["title"], 70), fontsize=12, loc="left")
    axes.set_xlabel(textwrap.fill(order["x_label"], 80))
    axes.set_ylabel(textwrap.fill(order["y_label"], 45))
    axes.grid(visible=True, axis="both" if order["kind"] == "scatter" else "y", color="#e3e3e3", linewidth=0.7)
    axes.set_axisbelow(True)
    low, high = axes.get_ylim()
    if max(abs(low), abs(high)) >= _GROUPED_FROM and _GROUPED_FROM / 100 <= high - low < _GROUPED_TO:
        axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.spines[["top", "right"]].set_visible(False)
    if len(order["series"]) > 1:
        axes.legend(frameon=False, fontsize=9)


def printed(order: Mapping[str, Any]) -> dict[str, str]:
    """The chart as what goes through a pipe: `png` in base64 and `svg`, or `reason` why it can't be drawn."""
    try:
        png, svg = drawn(order)
    except (ValueError, ArithmeticError, MemoryError, RuntimeError) as error:
        return {"reason": f"{type(error).__name__}: {error}"}
    return {"png": base64.b64encode(png).decode(), "svg": svg}


def main() -> None:
    json.dump(printed(json.load(sys.stdin)), sys.stdout)


if __name__ == "__main__":
    main()
