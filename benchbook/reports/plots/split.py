"""Where agents' wall time goes: a bar a target and workload, its parts told by colour, hatch and a number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchbook.reports.plots import canvas
from benchbook.reports.plots.distribution import Names

Row = Mapping[str, Any]
PARTS = {
    "model_share": ("model", canvas.COLOURS[0], ""),
    "tool_share": ("tools", canvas.COLOURS[2], "////"),
    "human_wait_share": ("person", canvas.COLOURS[3], "...."),
    "rate_limit_wait_share": ("rate-limit waits", canvas.COLOURS[5], "xxxx"),
    "orchestration_share": ("orchestration", canvas.COLOURS[7], "----"),
}
"""Column of a part of the wall time -> what it is called, its colour and its hatch."""
_NAMED_FROM = 0.07


def draw(rows: Sequence[Row], names: Names) -> Any:
    """A figure, or None where no trial has a split. rows: of the question `agent_summary`."""
    known = [row for row in rows if row["model_share"] is not None]
    if not known:
        return None
    with canvas.drawing():
        figure, (axes,) = canvas.blank("split", size=(5.6, 0.9 + 0.34 * len(known)))
        left = [0.0] * len(known)
        places = list(range(len(known), 0, -1))
        handles = []
        for column, (name, colour, hatch) in PARTS.items():
            shares = [100 * row[column] for row in known]
            bars = axes.barh(
                places, shares, left=left, color=colour, hatch=hatch, edgecolor="#ffffff", linewidth=0.6, height=0.62
            )
            for place, start, share in zip(places, left, shares, strict=True):
                if share >= 100 * _NAMED_FROM:
                    axes.text(
                        start + share / 2, place, f"{share:.0f}", ha="center", va="center", color="#ffffff",
                        bbox={"facecolor": colour, "edgecolor": "none", "pad": 1.2}, fontsize=7.5,
                    )  # fmt: skip
            if any(shares):
                handles.append((bars[0], name))
            left = [start + share for start, share in zip(left, shares, strict=True)]
        axes.set_yticks(places, [canvas.short(names[row["target"], row["workload"]]) for row in known])
        axes.set_xlim(0, 100)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("% of the wall time of trials that succeeded")
        canvas.legend(figure, [bar for bar, _ in handles], [name for _, name in handles])
        figure.subplots_adjust(left=0.36)
    return figure
