"""Charts: lines, bars or dots, written as a PNG and as a page that needs nothing else.

What is drawn is checked here and drawn in a process of its own (`drawing`: matplotlib would hold the event loop). The
page holds the chart as SVG and its figures as a table; every text in it is escaped, and it may load and run nothing.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Mapping
from html import escape
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from benchbook.errors import ToolError
from benchbook.tools import Outcome, Place, drawing, inside, process
from benchbook.tools.aside import aside
from benchbook.tools.jail import door

NAME = "chart"
DESCRIPTION = (
    "Draws a line, bar or scatter chart of figures that you give and writes it as FILE.png and FILE.html. Label both "
    "axes and say their units. x of bars and lines may be words; x of a scatter chart are numbers."
)
MOST_POINTS = 4_000
MOST_CATEGORIES = 60
_DRAWN_BYTES = 16_000_000
_TABLE_ROWS = 500
_MEMORY_MB = 2048
_LOCKS = ("landlock", "seccomp")

Number = Annotated[float, Field(ge=-1e100, le=1e100, allow_inf_nan=False)]
Word = Annotated[str, Field(max_length=120)]
Label = Annotated[str, Field(min_length=1, max_length=120, pattern=r"\S")]


class Series(BaseModel):
    """One line, or the bars or dots of one colour."""

    model_config = ConfigDict(extra="forbid")

    name: Word = ""
    x: list[Number] | list[Word] = Field(min_length=1, max_length=MOST_POINTS)
    y: list[Number] = Field(min_length=1, max_length=MOST_POINTS)


class Input(BaseModel):
    """What a model asks for."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["line", "bar", "scatter"]
    title: str = Field(min_length=1, max_length=200)
    x_label: Label = Field(description="what x is")
    x_unit: Word = Field("", description="its unit, such as s or EUR; empty where it has none")
    y_label: Label = Field(description="what y is")
    y_unit: Word = Field("", description="its unit, such as s or EUR; empty where it has none")
    series: list[Series] = Field(min_length=1, max_length=8)
    file: str = Field("chart", pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,59}$", description="name without extension")

    @model_validator(mode="after")
    def _fits(self) -> Input:
        for one in self.series:
            if len(one.x) != len(one.y):
                raise ValueError(f"series {one.name!r} has {len(one.x)} x and {len(one.y)} y")
            if self.kind == "scatter" and isinstance(one.x[0], str):
                raise ValueError("x of a scatter chart are numbers")
            if self.kind == "bar" and len(set(one.x)) < len(one.x):
                raise ValueError(f"series {one.name!r} has two bars at the same x")
        if len({isinstance(one.x[0], str) for one in self.series}) > 1:
            raise ValueError("x are words in one series and numbers in another")
        if sum(len(one.x) for one in self.series) > MOST_POINTS:
            raise ValueError(f"more than {MOST_POINTS:,} points in all")
        places = {x for one in self.series for x in one.x}
        if (self.kind == "bar" or isinstance(self.series[0].x[0], str)) and len(places) > MOST_CATEGORIES:
            raise ValueError(f"more than {MOST_CATEGORIES} different words or bars along x")
        return self


_FIRST: dict[str, Any] = {"kind": "bar", "title": "-", "x_label": "-", "y_label": "-", "series": [{"x": [1], "y": [1]}]}


class Settings(BaseModel):
    """Nothing to set."""

    model_config = ConfigDict(extra="forbid")


def lacking(_settings: Settings, _environ: Mapping[str, str]) -> None:
    """Nothing."""


def warming(_settings: Settings) -> dict[str, Any]:
    """A drawing starts the process that draws."""
    return _FIRST


async def run(asked: Input, _settings: Settings, place: Place) -> Outcome:
    """Raises ToolError where it can't be drawn or written."""
    png, svg = await _drawn(asked, place)
    page = await aside(page_of, asked, svg)
    files = {f"{asked.file}.png": png, f"{asked.file}.html": page.encode()}
    for name, data in files.items():
        await aside(inside.write, place.folder, name, data)
    points = sum(len(one.x) for one in asked.series)
    sizes = " and ".join(f"{name} ({len(data):,} bytes)" for name, data in files.items())
    said = f"drew a {asked.kind} chart of {_count(points, 'point')} in {len(asked.series)} series: {sizes}"
    return Outcome(
        said, files=tuple(files), detail={"chart": asked.kind, "points": points, "series": len(asked.series)}
    )


def page_of(asked: Input, svg: str) -> str:
    """The chart as a page of its own, with its figures as a table."""
    cells = ((one.name, *point) for one in asked.series for point in zip(one.x, one.y, strict=True))
    rows = ["<tr>" + "".join(f"<td>{_html(cell)}" for cell in row) for row in islice(cells, _TABLE_ROWS)]
    title = _html(asked.title)
    heads = "".join(f"<th>{_html(head)}" for head in ("series", *_labels(asked)))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #222 }}
svg {{ max-width: 100%; height: auto }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums }}
td, th {{ border-bottom: 1px solid #ddd; padding: .2rem .8rem; text-align: left }}
</style>
</head>
<body>
<figure role="img" aria-label="{title}">
{svg}
</figure>
<details><summary>The figures</summary>
<table><thead><tr>{heads}<tbody>
{chr(10).join(rows)}
</table></details>
</body>
</html>
"""


async def _drawn(asked: Input, place: Place) -> tuple[bytes, str]:
    x_label, y_label = _labels(asked)
    order = {
        "kind": asked.kind,
        "title": _clean(asked.title),
        "x_label": x_label,
        "y_label": y_label,
        "series": [
            {"name": _clean(one.name), "x": [_clean(x) if isinstance(x, str) else x for x in one.x], "y": one.y}
            for one in asked.series
        ],
    }
    job = door.Job({"order": order}, place.timeout_s, memory_mb=_MEMORY_MB, may_lack=_LOCKS, keep_bytes=_DRAWN_BYTES)
    report = await door.run("chart", {}, job)
    if report.ended == "refused":
        said = (await cold(order)).decode()
    elif report.ended != "exit" or report.code:
        how = f"{report.ended} {report.output[-200:]}"
        raise ToolError(f"the drawing process did not end well: {how}", kind="crash")
    else:
        said = report.output
    found = json.loads(said)
    if "reason" in found:
        raise ToolError(f"this can't be drawn: {found['reason']}")
    return base64.b64decode(found["png"]), found["svg"]


async def cold(order: Mapping[str, Any]) -> bytes:
    """What a drawing process prints that is started for this chart alone: where there are no keepers."""
    file = Path(drawing.__file__)
    kept = ("PATH", "HOME", "TMPDIR", "MPLCONFIGDIR", "XDG_CACHE_HOME", "SYSTEMROOT")
    environ = {name: os.environ[name] for name in kept if name in os.environ}
    command = (sys.executable, "-I", str(file))
    ended = await process.ran(
        process.Command(command, file.parent, environ, json.dumps(order).encode(), most_bytes=_DRAWN_BYTES)
    )
    if ended.status or ended.cut:
        how = ended.complaint.rpartition("\n")[2] or f"status {ended.status}"
        raise ToolError(f"the drawing process did not end well: {how}", kind="crash")
    return ended.output


def _labels(asked: Input) -> tuple[str, str]:
    """Both axes' labels, units in brackets."""
    pairs = ((asked.x_label, asked.x_unit), (asked.y_label, asked.y_unit))
    x, y = (_clean(f"{label} ({unit})" if unit.strip() else label) for label, unit in pairs)
    return x, y


def _clean(text: str) -> str:
    """Without what can't be drawn or written: control characters and halves of surrogate pairs."""
    whole = text.encode("utf-8", "replace").decode()
    return "".join(sign if sign.isprintable() else " " for sign in whole)


def _html(value: object) -> str:
    return escape(_clean(value) if isinstance(value, str) else f"{value:.12g}")  # a number


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
