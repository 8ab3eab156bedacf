"""One agent's trial as a waterfall of spans, for slides: the page has the same as a table. Rows: of `timeline`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchbook.reports.plots import canvas
from benchbook.reports.timeline import KINDS, nested

Row = Mapping[str, Any]
LOOKS = {
    "model": (canvas.COLOURS[0], ""),
    "tool": (canvas.COLOURS[2], "////"),
    "human_wait": (canvas.COLOURS[3], "...."),
    "rate_limit_wait": (canvas.COLOURS[5], "xxxx"),
}
_FRAME = (canvas.COLOURS[7], "")
_MOST = 60


def draw(rows: Sequence[Row]) -> Any:
    """A figure of the trial's first 60 spans, or None of a trial that has none."""
    spans = [row for row in rows if row["span_id"] is not None]
    if not spans:
        return None
    ordered = list(nested(spans))[:_MOST]
    with canvas.drawing():
        figure, (axes,) = canvas.blank(f"timeline {rows[0]['trial_id']}", size=(6.4, 0.8 + 0.2 * len(ordered)))
        for place, (row, _) in enumerate(ordered):
            colour, hatch = LOOKS.get(row["kind"], _FRAME)
            thin = row["kind"] not in LOOKS
            axes.barh(
                place, row["duration_ms"], left=row["starts_ms"], color=colour, hatch=hatch, edgecolor="#ffffff",
                linewidth=0.3, height=0.22 if thin else 0.7,
            )  # fmt: skip
        named = [
            f"{KINDS[row['kind']].letter} {'  ' * depth}{canvas.short(row['name'] or row['kind'])}"
            for row, depth in ordered
        ]
        axes.set_yticks(range(len(ordered)), named, ha="left", fontsize=7.5)
        axes.tick_params(axis="y", pad=128, length=0)
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set_xlim(0, max(rows[0]["wall_ms"] or 0, *(row["starts_ms"] + row["duration_ms"] for row in spans)))
        canvas.plain_numbers(axes.xaxis)
        axes.set_xlabel("time since the trial began (ms)")
        seen = dict.fromkeys(row["kind"] for row, _ in ordered)
        kinds = [f"{KINDS[kind].letter} {KINDS[kind].said}" for kind in seen]
        canvas.legend(figure, [], [])
        figure.text(0.01, 0.01, ", ".join(kinds), color=canvas.SOFT, fontsize=7)
        figure.subplots_adjust(left=0.31, bottom=0.6 / figure.get_size_inches()[1])
    return figure
