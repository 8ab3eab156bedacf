"""Drawings: one file a plot, each `draw(...) -> Figure | None`, from rows that a question answered.

    figure = distribution.draw(rows, "ttft_ms", names)
    inline(figure, "what it shows")     SVG for a page: takes the page's colours, light and dark
    svg(figure), png(figure)            SVG and PNG for slides

`canvas` has the colours (Okabe-Ito, told from one another by line and marker too) and the writers. Nothing is computed
here that a reader would quote but the band around a distribution, whose formula stands in `distribution`. Every axis
has its unit. The same rows give the same bytes.
"""

from __future__ import annotations

from benchbook.reports.plots import distribution
from benchbook.reports.plots.canvas import COLOURS, inline, kept, png, svg

__all__ = ["COLOURS", "distribution", "inline", "kept", "png", "svg"]
