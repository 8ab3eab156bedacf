"""What the documentation says, read as data: fenced blocks with the mark before them, commands, tables, headings.

A block of commands has a mark, an HTML comment right before it:

    <!-- run -->                   run as it is, with `--no-flow`
    <!-- run: simulator -->        run with the providers' addresses swapped for the simulator's and one repetition
    <!-- run: output -->           run, and its output is as printed
    <!-- run: python -->           Python, run
    <!-- not run here: why -->     only parsed; says why, or which test runs it
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OURS = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "benchmarks" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
PAGES = [*OURS, ROOT / "datasets" / "README.md"]
PLANS = [ROOT / "params.yaml", *sorted((ROOT / "plans").rglob("*.yaml"))]

_FENCE = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]*) -->\n+)?^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_TOOLS = ("benchbook", "make", "dvc", "python", "duckdb", "export", "source")
_ASSIGNED = re.compile(r"[A-Z_]+=\S*")
_JOINTS = frozenset({"&&", ";", "|", ">", ">>", "||"})


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: where it is, its mark ("" for none), its language and its lines."""

    page: Path
    mark: str
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}: {self.text.splitlines()[0] if self.text else ''}"


@dataclass(frozen=True, slots=True)
class Command:
    """A documented command as words; `environment` stands before it, `target` is the file behind `>`."""

    page: Path
    words: tuple[str, ...]
    environment: tuple[str, ...] = ()
    target: str | None = None

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}: {shlex.join(self.words)}"


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page."""
    found = _FENCE.finditer(page.read_text(encoding="utf-8"))
    return [Block(page, match["mark"] or "", match["kind"], match["text"]) for match in found]


def commands(block: Block) -> list[Command]:
    """The commands of a block in any language that holds some; comments, prompts and output are left out."""
    if block.kind not in ("", "sh", "console"):
        return []
    text = block.text.replace("\\\n", " ")
    lines = [line.removeprefix("$ ") for line in text.splitlines() if block.kind != "console" or line.startswith("$ ")]
    return [command for line in lines for command in in_line(block.page, line)]


def in_line(page: Path, line: str) -> list[Command]:
    """The commands of one shell line; none where it starts with no tool that we know."""
    first = _ASSIGNED.sub("", line.strip()).split()
    if not first or first[0] not in _TOOLS:
        return []
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    return list(_split(page, list(lexer)))


def _split(page: Path, words: list[str]) -> Iterator[Command]:
    part: list[str] = []
    target: str | None = None
    for word in [*words, ";"]:
        if word in (">", ">>"):
            target = ""
        elif word in _JOINTS:
            yield from _command(page, part, target)
            part, target = [], None
        elif target == "":
            target = word
        else:
            part.append(word)


def _command(page: Path, words: list[str], target: str | None) -> Iterator[Command]:
    count = next((i for i, word in enumerate(words) if not _ASSIGNED.fullmatch(word)), len(words))
    if words[count:]:
        yield Command(page, tuple(words[count:]), tuple(words[:count]), target)


def inline(page: Path) -> list[str]:
    """Texts in single backticks, outside fenced blocks."""
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", _FENCE.sub("", page.read_text(encoding="utf-8")))


def plan_commands(plan: Path) -> list[Command]:
    """The commands in the comments that open a plan file."""
    lines = [line.lstrip("#") for line in plan.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    texts = [re.sub(r"^\s*(Run:|One value for one run only:)?\s*", "", line) for line in lines]
    trimmed = [re.sub(r"\s{3,}.*$", "", text) for text in texts]
    return [command for text in trimmed for command in in_line(plan, text)]


def section(page: Path, heading: str) -> str:
    """The text under a heading, up to the next one of its level or above."""
    text = page.read_text(encoding="utf-8")
    level = heading.count("#")
    start = text.index(f"\n{heading}\n") + len(heading) + 2
    end = re.search(rf"^#{{1,{level}}} ", text[start:], re.MULTILINE)
    return text[start : start + end.start()] if end else text[start:]


def rows(text: str) -> list[list[str]]:
    """The cells of a text's Markdown tables, headings and rules left out."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in lines]
    rules = {index for index, row in enumerate(cells) if all(set(cell) <= set("-: ") for cell in row)}
    return [row for index, row in enumerate(cells) if index not in rules and index + 1 not in rules]


def first_column(text: str) -> list[str]:
    """The names in backticks of the first cells."""
    return [name for row in rows(text) for name in re.findall(r"`([^`]+)`", row[0])]


def anchors(page: Path) -> set[str]:
    """A page's headings as GitHub makes them into anchors."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
