"""Drawings from rows: each says its unit, tells targets apart without colour, and is the same again."""

from __future__ import annotations

import math
import random
import re
from typing import Any

import pytest

from benchbook.reports.plots import distribution, inline, kept, load, png, svg
from benchbook.reports.plots.canvas import COLOURS, looks, series, short
from benchbook.stats.knee import knee

NAMES = {("a", "api"): "a", ("<b>&", "api"): "<b>&"}


def points(target: str, n: int = 20, attempted: int = 25) -> list[dict[str, Any]]:
    """A curve as the question `curves` gives it."""
    at = {"metric": "ttft_ms", "target": target, "workload": "api"}
    return [{**at, "value": 10.0 * rank, "rank": rank, "share_attempted": rank / attempted} for rank in range(1, n + 1)]


def loads(*outs: float) -> list[dict[str, Any]]:
    """Points of a sweep at 1, 2, 4, ... with this throughput."""
    rows = [{"target": "a", "axis": "concurrency", "load": 2.0**i, "trials_per_s": out} for i, out in enumerate(outs)]
    latencies = {f"ttft_ms_{name}{bound}": 5.0 for name in ("p50", "p95") for bound in ("", "_low", "_high")}
    return [{**row, **latencies} for row in rows]


def test_a_band_holds_the_whole_true_curve_as_often_as_it_says() -> None:
    """Kolmogorov's distance of 60 uniform values from the truth, 400 times; 0.95 less three standard errors."""
    rng, n = random.Random(11), 60
    half = distribution.half_width(n, 0.95)
    inside = 0
    for _ in range(400):
        values = sorted(rng.random() for _ in range(n))
        distance = max(max((i + 1) / n - x, x - i / n) for i, x in enumerate(values))
        inside += distance <= half
    assert 0.95 - 3 * math.sqrt(0.05 * 0.95 / 400) < inside / 400 <= 1


def test_a_band_is_drawn_where_there_are_enough_trials() -> None:
    least = distribution.least(0.95)
    assert distribution.half_width(least, 0.95) <= 0.4 < distribution.half_width(least - 1, 0.95)
    for attempted, bands in ((least, 1), (least - 1, 0)):
        figure = distribution.draw(points("a", 5, attempted), "ttft_ms", NAMES)
        assert len(figure.axes[0].collections) == bands


def test_a_curve_ends_at_the_share_that_succeeded() -> None:
    figure = distribution.draw(points("a"), "ttft_ms", NAMES)
    assert figure.axes[0].lines[0].get_ydata()[-1] == pytest.approx(80)
    assert distribution.draw(points("a"), "e2e_ms", NAMES) is None


def test_targets_differ_in_more_than_colour() -> None:
    seen = [series(index) for index in range(40)]
    assert len({(look.colour, look.marker) for look in seen}) == 40
    assert len({look.marker for look in seen[:8]}) == len({str(look.line) for look in seen[:8]}) == 8
    several = looks([(target, workload) for target in "ab" for workload in ("api", "agent")])
    assert several["a", "api"].colour == several["a", "agent"].colour == COLOURS[0] != several["b", "api"].colour
    assert len({look.marker for look in several.values()}) == 4


def test_the_knee_is_marked_where_the_rule_finds_it() -> None:
    rows = loads(10, 20, 22, 22)
    found = knee([(row["load"], row["trials_per_s"]) for row in rows])
    assert found is not None
    assert found.load == 2
    above, below = load.draw(rows, "ttft_ms", ["a"]).axes
    for axes in (above, below):
        assert [list(line.get_xdata()) for line in axes.lines if list(line.get_xdata()) == [2, 2]] == [[2, 2]]
    calm = load.draw(loads(10, 20, 40, 80), "ttft_ms", ["a"])
    assert "knee" not in svg(calm)
    assert load.draw(rows[:1], "ttft_ms", ["a"]) is None


def test_a_drawing_is_written_in_the_colours_of_the_page_and_on_white_for_slides() -> None:
    figure = distribution.draw([*points("a"), *points("<b>&")], "ttft_ms", NAMES)
    drawn = inline(figure, 'what "it" shows')
    assert not re.findall(r"#[0-9a-f]{6}\b", drawn)
    assert {"var(--s0)", "var(--s1)", "var(--soft)", "var(--grid)"} <= {*re.findall(r"var\(--\w+\)", drawn)}
    assert 'aria-label="what &#34;it&#34; shows"' in drawn
    assert "&lt;b&gt;&amp;" in drawn
    assert "time to first token (ms)" in drawn
    assert "% of attempted trials" in drawn
    slide = svg(figure)
    assert slide.startswith("<?xml")
    assert COLOURS[0] in slide
    assert "var(" not in slide
    assert png(figure).startswith(b"\x89PNG")


def test_the_same_rows_give_the_same_bytes() -> None:
    first, second = (distribution.draw(points("a"), "ttft_ms", NAMES) for _ in range(2))
    assert (svg(first), inline(first, "x"), png(first)) == (svg(second), inline(second, "x"), png(second))


def test_the_figures_of_a_page_are_kept_for_whoever_asks() -> None:
    figure = distribution.draw(points("a"), "ttft_ms", NAMES)
    with kept() as figures:
        inline(figure, "x")
    inline(figure, "y")
    assert figures == [figure]


@pytest.mark.parametrize(("name", "shown"), [("a\nb", "a b"), ("x" * 60, "x" * 33 + "…"), ("日本", "日本")])
def test_a_name_is_as_long_as_a_legend_has_room_for(name: str, shown: str) -> None:
    assert short(name) == shown
