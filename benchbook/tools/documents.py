"""Documents: list, read, search and write texts in two folders, one that is only read and one to write to.

A path that begins with `scratch/` is in the trial's own folder, any other in the folder that the team file names; both
are walked without following links. Nothing runs on the event loop.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from benchbook.errors import ToolError
from benchbook.tools import Outcome, Place, inside, texts
from benchbook.tools.aside import aside

NAME = "documents"
DESCRIPTION = (
    "Lists, reads and searches a folder of documents (text, Markdown, CSV, JSON, HTML) and writes texts of your own. "
    "What you write lies under scratch/ and can be read again from there. "
    "list: every document; read: path, from first_line on; search: the lines that hold the words of query, in any "
    "case; write: text to path."
)
SCRATCH = "scratch"
_LINE_CHARS = 2_000


class Input(BaseModel):
    """What a model asks for."""

    model_config = ConfigDict(extra="forbid")

    action: Literal["list", "read", "search", "write"]
    path: str = Field("", description="of read and write: a relative path such as notes/plan.md")
    query: str = Field("", max_length=400, description="of search: words that a line holds, as they are written")
    text: str = Field("", description="of write: the whole text of the file")
    first_line: int = Field(1, ge=1, description="of read: the line to begin with")
    lines: int = Field(200, ge=1, le=1000, description="of read: at most so many lines")


class Settings(BaseModel):
    """What a team file may set. folder: what is read, from where the run was started; leave_out: paths in it that
    agents don't see."""

    model_config = ConfigDict(extra="forbid")

    folder: str = "datasets/library"
    leave_out: tuple[str, ...] = ("README.md",)
    read_bytes: int = Field(1_000_000, ge=1, le=50_000_000)
    write_bytes: int = Field(200_000, ge=0, le=50_000_000)
    answer_chars: int = Field(12_000, ge=200, le=200_000)
    hits: int = Field(40, ge=1, le=500)


def lacking(settings: Settings, _environ: Mapping[str, str]) -> str | None:
    """The folder."""
    return inside.no_folder(settings.folder)


def warming(_settings: Settings) -> dict[str, Any]:
    """Loads the code that reads."""
    return {"action": "list"}


async def run(asked: Input, settings: Settings, place: Place) -> Outcome:
    """Raises ToolError for what is not there or not allowed."""
    act = {"list": _list, "read": _read, "search": _search, "write": _write}[asked.action]
    return await aside(act, asked, settings, place)


def seen(folder: Path, leave_out: tuple[str, ...] = ()) -> list[inside.Found]:
    """The documents of a folder that can be read as text, sorted by path. Raises ToolError."""
    return [
        file
        for file in inside.walk(folder)
        if file.path not in leave_out and texts.extension(file.path) in texts.READABLE
    ]


def _list(_asked: Input, settings: Settings, place: Place) -> Outcome:
    lines = [f"{path} ({file.size:,} bytes)" for path, file in _all(settings, place)]
    return Outcome(
        texts.shortened("\n".join(lines) or "no documents", settings.answer_chars), detail={"documents": len(lines)}
    )


def _read(asked: Input, settings: Settings, place: Place) -> Outcome:
    lines = _text(asked.path, settings, place).splitlines()
    if asked.first_line > max(1, len(lines)):
        raise ToolError(f"{asked.path} ends with line {len(lines)}")
    page: list[str] = []
    room = settings.answer_chars
    for line in lines[asked.first_line - 1 :][: asked.lines]:
        short = line if len(line) <= _LINE_CHARS else f"{line[:_LINE_CHARS]} [and {len(line) - _LINE_CHARS:,} more]"
        room -= len(short) + 1
        if room < 0 and page:
            break
        page.append(short)
    last = asked.first_line + len(page) - 1
    more = f"; go on with first_line {last + 1}" if last < len(lines) else ""
    head = f"{asked.path}, lines {asked.first_line} to {last} of {len(lines)}{more}"
    return Outcome("\n".join((head, *page)), detail={"path": asked.path, "lines": len(page), "of": len(lines)})


def _search(asked: Input, settings: Settings, place: Place) -> Outcome:
    words = asked.query.casefold().split()
    if not words:
        raise ToolError("search needs a query")
    hits = [
        f"{path}:{number}: {line.strip()[:300]}"
        for path, file in _all(settings, place)
        for number, line in enumerate(_lines(path, file, settings, place), 1)
        if all(word in line.casefold() for word in words)
    ]
    shown = hits[: settings.hits]
    if len(hits) > len(shown):
        shown.append(f"and {len(hits) - settings.hits:,} more lines")
    text = "\n".join(shown) or f"no line holds {asked.query!r}"
    return Outcome(texts.shortened(text, settings.answer_chars), detail={"hits": len(hits)})


def _write(asked: Input, settings: Settings, place: Place) -> Outcome:
    path = _own(asked.path) or asked.path
    data = asked.text.encode("utf-8", "replace")
    if len(data) > settings.write_bytes:
        raise ToolError(f"the text has {len(data):,} bytes, more than the {settings.write_bytes:,} that may be written")
    if texts.extension(path) not in texts.READABLE:
        raise ToolError(f"{path}: only texts are written, with one of {', '.join(sorted(texts.READABLE))}")
    written = inside.write(place.folder, path, data)
    said = f"wrote {SCRATCH}/{written} ({len(data):,} bytes, {len(asked.text.splitlines())} lines)"
    return Outcome(said, files=(written,), detail={"bytes": len(data)})


def _all(settings: Settings, place: Place) -> Iterator[tuple[str, inside.Found]]:
    """Every document with the path that a model names it by: the team's first, then the trial's own."""
    for file in seen(Path(settings.folder), settings.leave_out):
        yield file.path, file
    if place.folder.is_dir():
        for file in seen(place.folder):
            yield f"{SCRATCH}/{file.path}", file


def _lines(path: str, file: inside.Found, settings: Settings, place: Place) -> list[str]:
    """A document's lines; none of one that can't be read."""
    if file.size > settings.read_bytes:
        return []
    try:
        return _text(path, settings, place).splitlines()
    except ToolError:
        return []


def _text(path: str, settings: Settings, place: Place) -> str:
    own = _own(path)
    if own is not None:
        return texts.text_of(path, inside.read(place.folder, own, settings.read_bytes))
    named = "/".join(inside.parts(path))
    if named in settings.leave_out:
        raise ToolError(f"there is no file {path}")
    return texts.text_of(path, inside.read(Path(settings.folder), named, settings.read_bytes))


def _own(path: str) -> str | None:
    """The path within the trial's own folder; None for a path of the team's folder."""
    names = inside.parts(path)
    return "/".join(names[1:]) if names[0] == SCRATCH and len(names) > 1 else None
