"""Charts are drawn in another process, as a PNG and a page that loads and runs nothing."""

from __future__ import annotations

import asyncio
import json
import os
import struct
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from benchbook import tools
from benchbook.tools import Outcome, Place, charts, drawing

HOSTILE = "</svg></title><script>alert('x')</script><img src=//a.example/b onerror=x> $\\frac{1}{0}$ \x00\x1b -- %s {x}"


def order(**changes: Any) -> dict[str, Any]:
    one = {"name": "Heron 2", "x": ["Q1", "Q2"], "y": [1745, 2722.5]}
    two = {"name": "Plover", "x": ["Q1", "Q3"], "y": [-3, 0]}
    return {
        "kind": "bar",
        "title": "Revenue",
        "x_label": "quarter",
        "y_label": "revenue",
        "y_unit": "EUR",
        "series": [one, two],
        **changes,
    }


async def draw(folder: Path, **changes: Any) -> Outcome:
    return await tools.use("chart", order(**changes), {}, Place(folder, timeout_s=60))


class Page(HTMLParser):
    """The tags of a page, every attribute that may lead somewhere, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.leads: set[str] = set()
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.leads |= {value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "data", "action")}
        assert not any(name.startswith("on") for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("kind", ["line", "bar", "scatter"])
async def test_a_chart_is_two_files(kind: str, tmp_path: Path) -> None:
    numbers = [{"name": "a", "x": [1, 2, 3.5], "y": [3, 1, 2]}, {"name": "b", "x": [2], "y": [20000]}]
    changes = {"series": numbers} if kind != "bar" else {}
    done = await draw(tmp_path, kind=kind, x_unit="km", file="my-chart_1", **changes)
    assert not done.failed, done.text
    assert done.files == ("my-chart_1.png", "my-chart_1.html")
    assert sorted(os.listdir(tmp_path)) == sorted(done.files)
    assert done.detail == {"chart": kind, "points": 4, "series": 2}
    png = (tmp_path / "my-chart_1.png").read_bytes()
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", png[16:24]) == (864, 504)
    page = Page((tmp_path / "my-chart_1.html").read_text())
    assert {"Revenue", "quarter (km)", "revenue (EUR)"} <= {line.strip() for line in page.text.splitlines()}
    assert {"svg", "path", "text", "table"} <= page.tags


async def test_the_same_figures_make_the_same_files(tmp_path: Path) -> None:
    await draw(tmp_path, file="a")
    await draw(tmp_path, file="b")
    for kind in ("png", "html"):
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


async def test_hostile_texts_are_only_texts(tmp_path: Path) -> None:
    series = [{"name": HOSTILE[:120], "x": [HOSTILE[:120], "Q2"], "y": [1, 2]}] * 2
    done = await draw(tmp_path, title=HOSTILE, x_label=HOSTILE[:120], y_unit=HOSTILE[:120], series=series)
    assert not done.failed, done.text
    text = (tmp_path / "chart.html").read_text()
    page = Page(text)
    assert not page.tags & {"script", "img", "iframe", "object", "embed", "link", "base", "form"}
    assert all(lead.startswith("#") for lead in page.leads)
    assert "default-src 'none'" in text
    assert "$\\frac{1}{0}$" in page.text
    assert "alert('x')" in page.text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "pie"}, "kind: "),
        ({"title": ""}, "title: "),
        ({"y_label": " "}, "y_label: "),
        ({"series": []}, "series: "),
        ({"file": "../x"}, "file: "),
        ({"file": "a.png"}, "file: "),
        ({"colour": "red"}, "colour: "),
        ({"series": [{"x": [1, 2], "y": [1]}]}, "2 x and 1 y"),
        ({"series": [{"x": [1], "y": [float("nan")]}]}, "series.0.y.0: "),
        ({"series": [{"x": [1], "y": [1e300]}]}, "series.0.y.0: "),
        ({"series": [{"x": [1, "a"], "y": [1, 2]}]}, "series.0.x"),
        ({"series": [{"x": [1], "y": [1]}, {"x": ["a"], "y": [1]}]}, "words in one series"),
        ({"series": [{"x": [1, 1], "y": [1, 2]}]}, "two bars at the same x"),
        ({"series": [{"x": list(range(61)), "y": [1] * 61}]}, "more than 60"),
        ({"kind": "scatter", "series": [{"x": ["a"], "y": [1]}]}, "are numbers"),
        ({"kind": "line", "series": [{"x": list(range(2001)), "y": [1] * 2001}] * 2}, "more than 4,000 points"),
    ],
)
async def test_what_can_not_be_drawn(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    done = await draw(tmp_path, **changes)
    assert done.detail == {"kind": "bad_arguments"}
    assert said in done.text
    assert not os.listdir(tmp_path)


async def test_a_link_in_the_folder_is_not_written_through(tmp_path: Path) -> None:
    folder = tmp_path / "place"
    folder.mkdir()
    (folder / "chart.png").symlink_to(tmp_path / "outside.png")
    done = await draw(folder)
    assert done.failed
    assert not (tmp_path / "outside.png").exists()


async def test_drawing_does_not_hold_the_loop_or_load_matplotlib(tmp_path: Path) -> None:
    """Another task goes on while a chart is drawn, and nothing of matplotlib is imported here."""
    before = "matplotlib" in sys.modules
    turns = 0
    drawing_task = asyncio.create_task(draw(tmp_path))
    while not drawing_task.done():
        turns += 1
        await asyncio.sleep(0)
    assert not drawing_task.result().failed
    assert turns > 100
    assert ("matplotlib" in sys.modules) == before


async def test_time_is_up(tmp_path: Path) -> None:
    done = await tools.use("chart", order(), {}, Place(tmp_path, timeout_s=0.0001))
    assert done.detail["kind"] == "timeout"
    assert not os.listdir(tmp_path)


async def test_without_a_keeper_a_program_draws_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a style file in the folder where a run is started changes nothing."""
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\nlines.linewidth: 90\n")
    monkeypatch.chdir(tmp_path)
    asked = {"kind": "line", "title": "t", "x_label": "x", "y_label": "y", "series": [{"name": "", "x": [1], "y": [2]}]}
    assert json.loads(await charts.cold(asked)) == drawing.printed(asked)
