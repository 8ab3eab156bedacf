"""Search over a folder of documents: an index in memory, ranked by BM25, each hit with the passage that answers best.

    score(document) = sum over the query's words of idf * tf * (K + 1) / (tf + K * (1 - B + B * length / mean length))
    idf = ln(1 + (N - n + 0.5) / (n + 0.5)), never below 0, so that a word of many documents still tells some apart

(Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009; the idf is Lucene's). Words of a title and of a
file's name count as often as `TITLE_WEIGHT` in the text. Equal scores are in order of path: the same folder and words
give the same hits. The index is made anew when a file has changed. Nothing runs on the event loop.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log
from pathlib import Path
from textwrap import wrap

from benchbook.errors import ToolError
from benchbook.tools import Place, inside, texts
from benchbook.tools.aside import aside
from benchbook.tools.documents import seen
from benchbook.tools.search import Hit, Settings

K, B = 1.2, 0.75
TITLE_WEIGHT = 3
_FILE_BYTES = 2_000_000
_ALL_BYTES = 20_000_000
_PASSAGE_LINES = 4
_LINE_CHARS = 140
_SAID = 0.25
_COMMON = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be by can did do does for from had has have how i in is it its many may much of on or that "
        "the their there this to was were what when where which who why with you",
    )
)
"""Words that tell documents apart too little to be looked for, unless a query has no others."""


@dataclass(frozen=True, slots=True)
class Page:
    """A document as the index has it: its lines without blank ones, long ones cut, the stems of each, and how often
    each stem occurs."""

    path: str
    title: str
    lines: tuple[str, ...]
    held: tuple[frozenset[str], ...]
    counts: Mapping[str, int]
    length: int


@dataclass(frozen=True, slots=True)
class Library:
    """A `SearchProvider` over a folder's documents."""

    folder: Path
    leave_out: tuple[str, ...] = ()

    async def find(self, query: str, count: int) -> list[Hit]:
        return await aside(self.look_up, query, count)

    def look_up(self, query: str, count: int) -> list[Hit]:
        """What `find` awaits. Raises ToolError where the folder is not there or too large."""
        files = tuple(file for file in seen(self.folder, self.leave_out) if file.size <= _FILE_BYTES)
        if sum(file.size for file in files) > _ALL_BYTES:
            raise ToolError(f"the folder {self.folder} holds more than {_ALL_BYTES:,} bytes of documents")
        return ranked(_index(self.folder, files), query, count)


def provider(settings: Settings, _place: Place) -> Library:
    """The library that the settings name; it needs nothing of the place."""
    return Library(Path(settings.folder), settings.leave_out)


def ranked(pages: Sequence[Page], query: str, count: int) -> list[Hit]:
    """The pages that have a word of the query, best first, at most `count`."""
    idf = {word: _idf(word, pages) for word in _asked(query)}
    mean = sum(page.length for page in pages) / max(1, len(pages))
    scores = ((sum(idf[word] * _tf(page, word, mean) for word in idf), page) for page in pages)
    best = sorted(((round(-score, 9), page.path, page) for score, page in scores if score > 0), key=lambda hit: hit[:2])
    return [Hit(page.title, page.path, _passage(page, idf)) for _, _, page in best[:count]]


def page_of(path: str, text: str) -> Page:
    """A document made ready to be found."""
    title = texts.title_of(path, text)
    counts = Counter(stems(text))
    name = path.rpartition("/")[2].rpartition(".")[0]
    for stem in {*stems(title), *stems(name)}:
        counts[stem] += TITLE_WEIGHT
    lines = tuple(short for line in text.splitlines() if line.strip() for short in wrap(line, _LINE_CHARS))
    return Page(path, title, lines, tuple(frozenset(stems(line)) for line in lines), counts, counts.total())


def stems(text: str) -> list[str]:
    """The words of a text in lower case, without the commonest English endings."""
    return [_stem(word) for word in re.findall(r"[^\W_]+", text.lower())]


@lru_cache(maxsize=4)
def _index(folder: Path, files: tuple[inside.Found, ...]) -> tuple[Page, ...]:
    """The pages of these files as they are now: a file that changed makes another index."""
    return tuple(_pages(folder, files))


def _pages(folder: Path, files: Iterable[inside.Found]) -> Iterable[Page]:
    for file in files:
        try:
            text = texts.text_of(file.path, inside.read(folder, file.path, _FILE_BYTES))
        except ToolError:  # no text after all: it can't be found, and nothing else can either
            continue
        yield page_of(file.path, text)


def _asked(query: str) -> list[str]:
    words = re.findall(r"[^\W_]+", query.lower())
    telling = [word for word in words if word not in _COMMON] or words
    return list(dict.fromkeys(_stem(word) for word in telling))


def _idf(word: str, pages: Sequence[Page]) -> float:
    having = sum(word in page.counts for page in pages)
    return log(1 + (len(pages) - having + 0.5) / (having + 0.5))


def _tf(page: Page, word: str, mean: float) -> float:
    count = page.counts.get(word, 0)
    return count * (K + 1) / (count + K * (1 - B + B * page.length / mean)) if count else 0.0


def _passage(page: Page, idf: Mapping[str, float]) -> str:
    """The lines in a row that hold most of what was asked, the first of equal ones; what the title says counts less."""
    weight = dict(idf) | {stem: idf[stem] * _SAID for stem in stems(page.title) if stem in idf}
    starts = range(max(1, len(page.lines) - _PASSAGE_LINES + 1))

    def worth(start: int) -> float:
        held: frozenset[str] = frozenset().union(*page.held[start : start + _PASSAGE_LINES])
        return sum(weight[stem] for stem in weight if stem in held)

    best = max(starts, key=lambda start: (round(worth(start), 9), -start))
    return " ".join(page.lines[best : best + _PASSAGE_LINES])


@lru_cache(maxsize=65_536)
def _stem(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending in ("ing", "ed"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            word = word[: -len(ending)]
            break
    return word[:-1] if len(word) > 4 and word.endswith("e") else word
