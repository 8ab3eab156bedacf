"""Files as text that a model can read: plain text and Markdown as they are, JSON indented, HTML without its tags.

Pure: bytes in, text out. A file's kind is its extension's.
"""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

from benchbook.errors import ToolError

PLAIN = frozenset({".md", ".markdown", ".txt", ".csv", ".tsv", ".yaml", ".yml", ".log", ".rst", ".py", ".sql"})
MARKED_UP = frozenset({".html", ".htm"})
READABLE = PLAIN | MARKED_UP | {".json"}
"""Extensions that can be read and written as text."""

_SILENT = frozenset({"script", "style", "template", "noscript", "svg"})
_CELLS = frozenset({"td", "th"})
_INLINE = frozenset(
    {"a", "abbr", "b", "bdi", "cite", "code", "em", "i", "kbd", "mark", "q", "s", "small", "span", "strong"}
    | {"sub", "sup", "time", "u", "var", "wbr"}
)
_HEADING = re.compile(r"^#\s+(.+?)\s*#*$", re.MULTILINE)


def extension(path: str) -> str:
    """In lower case and with its dot; "" where there is none."""
    name = path.rpartition("/")[2]
    return "." + name.rpartition(".")[2].lower() if "." in name else ""


def text_of(path: str, data: bytes) -> str:
    """A file's text. Raises ToolError for a kind that is not read and for bytes that are no text."""
    kind = extension(path)
    if kind not in READABLE:
        raise ToolError(f"{path}: {kind or 'a file without an extension'} is not read; {', '.join(sorted(READABLE))}")
    if b"\0" in data:
        raise ToolError(f"{path} is no text")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ToolError(f"{path} is not UTF-8 text: byte {error.start} can't be read") from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if kind in MARKED_UP:
        return plain(text)
    return _indented(text) if kind == ".json" else text


def title_of(path: str, text: str) -> str:
    """The first Markdown heading, a page's first line, else the file's own name."""
    kind = extension(path)
    if kind in MARKED_UP:
        return text.partition("\n")[0] or path
    found = _HEADING.search(text) if kind in (".md", ".markdown") else None
    return found[1] if found else path


def shortened(text: str, most: int) -> str:
    """A text of at most about that many characters: whole lines where there are any, and a note that it goes on."""
    if len(text) <= most:
        return text
    whole = text.rfind("\n", 0, most)
    return text[: whole if whole > 0 else most] + "\n[there is more than is shown]"


def plain(html: str) -> str:
    """What a reader of the page would read: its title, then its text, a line a block, cells parted by ` | `."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    lines = (re.sub(r"\s+", " ", line).strip(" |") for line in "".join(reader.pieces).split("\n"))
    return "\n".join(line for line in lines if line)


def _indented(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=1, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._silent: list[str] = []

    def handle_starttag(self, tag: str, _attrs: object) -> None:
        if tag in _SILENT:
            self._silent.append(tag)
        elif tag in _CELLS:
            self.pieces.append(" | ")
        else:
            self._break(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._silent:
            del self._silent[self._silent.index(tag) :]
        self._break(tag)

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.pieces.append(re.sub(r"\s+", " ", data))

    def _break(self, tag: str) -> None:
        if not self._silent and tag not in _INLINE and tag not in _CELLS:
            self.pieces.append("\n")
