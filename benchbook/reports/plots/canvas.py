"""What all drawings share: size, colours, line styles, and how a figure becomes SVG or PNG.

A figure is drawn in literal colours for a light ground. On a page each of them is replaced by the style's variable of
the same meaning, so that one drawing serves light and dark. Text stays text: target names are escaped by matplotlib's
writer, and mathematics in them is not parsed.
"""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

INK, SOFT, GRID = "#16212a", "#51606b", "#dde3e7"
COLOURS = ("#0072b2", "#c85400", "#00805d", "#a84f82", INK, "#9b6a00", "#2784bd", "#737373")
"""One per target, in order: Okabe and Ito's hues, the light ones darkened until they stand out on white (3 to 1)."""
GOOD, BAD = "#1b6e3c", "#a8231c"
_LINES = ("-", "--", "-.", ":", (0, (6, 1.5)), (0, (3, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (8, 2, 2, 2)))
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_VARIABLES = {
    **{colour: f"var(--s{index})" for index, colour in enumerate(COLOURS)},
    INK: "var(--ink)",
    SOFT: "var(--soft)",
    GRID: "var(--grid)",
    GOOD: "var(--good)",
    BAD: "var(--bad)",
}
"""Literal colour -> the page's own. `--s4` and `--ink` are one colour in light and in dark."""
_KEPT: ContextVar[list[Any] | None] = ContextVar("kept", default=None)
_SIZE = (4.0, 2.75)
_LONGEST_NAME = 34
_DECADES = 200.0
"""A logarithmic axis that spans less than this has ticks at 2 and 5 too."""
_STYLE = {
    "font.size": 9,
    "axes.facecolor": "none",
    "axes.labelcolor": SOFT,
    "axes.edgecolor": SOFT,
    "axes.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "svg.fonttype": "none",
    "text.parse_math": False,
    "axes.formatter.use_mathtext": False,
    "lines.markersize": 4.5,
    "legend.fontsize": 8.5,
    "hatch.linewidth": 0.6,
}


class Series(NamedTuple):
    """How a target's line is told from the others': by colour, by dashes and by marker."""

    colour: str
    line: Any
    marker: str


def series(index: int) -> Series:
    """The look of the target at this place in the order of the run."""
    place = index % len(COLOURS)
    shifted = (place + index // len(COLOURS)) % len(_MARKERS)
    return Series(COLOURS[place], _LINES[shifted], _MARKERS[shifted])


def looks(names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Series]:
    """The look of each (target, workload): a colour a target, the same as where workloads are not told apart, dashes a
    workload where there are several, a marker of its own."""
    keys = list(names)
    targets = list(dict.fromkeys(target for target, _ in keys))
    workloads = list(dict.fromkeys(workload for _, workload in keys))
    if len(workloads) <= 1:
        return {key: series(targets.index(key[0])) for key in keys}
    return {
        key: Series(
            series(targets.index(key[0])).colour, _LINES[workloads.index(key[1]) % len(_LINES)], series(place).marker
        )
        for place, key in enumerate(keys)
    }


def short(name: object) -> str:
    """A name as a legend has room for it, in one line."""
    text = " ".join(str(name).split())
    return text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1] + "\N{HORIZONTAL ELLIPSIS}"


@contextmanager
def drawing() -> Iterator[None]:
    """Our style, for making a figure and for writing it."""
    import matplotlib as mpl

    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the reader's own fonts have more letters
        yield


def blank(title: str, *, rows: int = 1, size: tuple[float, float] = _SIZE) -> tuple[Any, list[Any]]:
    """An empty figure and its axes, one above the other. `title` names it among the page's; it is not drawn on it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=size)
    figure.set_label(title)
    made = figure.subplots(rows, 1, sharex=rows > 1, squeeze=False)[:, 0]
    for axes in made:
        axes.grid(visible=True)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(length=3)
    return figure, list(made)


def legend(figure: Any, lines: Sequence[Any], names: Sequence[object]) -> None:
    """A legend under the axes, where it hides no point; then the axes get what is left of the figure."""
    texts = [short(name) for name in names]
    widest = max(map(len, texts), default=0)
    columns = 1 if widest > 24 else 2 if widest > 12 else 3
    lines_of = -(-len(texts) // columns)
    width, height = figure.get_size_inches()
    below = 0.18 * lines_of + 0.06
    figure.set_size_inches(width, height + below)
    if texts:
        figure.legend(lines, texts, loc="lower left", bbox_to_anchor=(0.01, 0.0), ncols=columns, frameon=False)
    height += below
    figure.subplots_adjust(
        left=0.66 / width, right=1 - 0.14 / width, top=1 - 0.1 / height, bottom=(0.46 + below) / height
    )


def plain_numbers(axis: Any) -> None:
    """`0.2`, `50`, `1,000` at an axis' ticks, whatever its scale."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    low, high = sorted(axis.get_view_interval())
    if axis.get_scale() == "log" and 0 < low < high < _DECADES * low:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.12g}"))
    axis.set_minor_locator(NullLocator())


def svg(figure: Any) -> str:
    """A figure as an SVG file's text, on white, for slides. The same figure gives the same text."""
    return _written(figure, "white")


def png(figure: Any, dpi: int = 220) -> bytes:
    """A figure as a PNG file on white."""
    out = io.BytesIO()
    with drawing():
        figure.savefig(out, format="png", dpi=dpi, facecolor="white", metadata={"Software": None})
    return out.getvalue()


@contextmanager
def kept() -> Iterator[list[Any]]:
    """The figures that are drawn on a page while this is open, in their order: for whoever wants them as files too."""
    figures: list[Any] = []
    token = _KEPT.set(figures)
    try:
        yield figures
    finally:
        _KEPT.reset(token)


def inline(figure: Any, says: str) -> str:
    """A figure as an SVG element of a page, in the page's colours. `says` is read out in its place."""
    from markupsafe import Markup, escape

    if (figures := _KEPT.get()) is not None:
        figures.append(figure)
    text = _written(figure, "none")
    text = text[text.index("<svg") :]
    text = re.sub(r"<[^<>]+>", _of_page, text)
    text = re.sub(r"(?s)<metadata>.*?</metadata>|<!--.*?-->|<style.*?</style>", "", text)
    used = set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", text))
    text = re.sub(r'<g id="([^"]+)"', lambda found: found[0] if found[1] in used else "<g", text)
    text = re.sub(r">\s+<", "><", text)
    head, rest = text.split(">", 1)
    head = re.sub(r' (width|height)="[^"]*"', "", head)
    # Our own drawing: what others wrote inside it was escaped by matplotlib's SVG writer.
    return Markup(f'{head} role="img" aria-label="{escape(says)}">{rest}')  # noqa: S704


def _written(figure: Any, ground: str) -> str:
    import matplotlib as mpl

    out = io.StringIO()
    salt = hashlib.sha256(str(figure.get_label()).encode()).hexdigest()
    with drawing(), mpl.rc_context({"svg.hashsalt": salt}):
        figure.savefig(out, format="svg", facecolor=ground, metadata={"Date": None, "Creator": None})
    return re.sub(r' d="[^"]*"', _rounded, out.getvalue())


def _rounded(path: re.Match[str]) -> str:
    """Hundredths of a point are finer than any screen."""
    short = re.sub(r"-?\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), path[0])
    return re.sub(r"\s+", " ", short)


def _of_page(tag: re.Match[str]) -> str:
    """A tag with its literal colours as the page's variables. Names and answers are between tags, never in them."""
    own = re.sub(r"#[0-9a-f]{6}\b", lambda colour: _VARIABLES.get(colour[0], colour[0]), tag[0])
    return re.sub(r" font-family: [^;\"]*;", "", own)
