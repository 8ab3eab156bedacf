"""The answers that `aggregate` keeps in `results`/aggregate, and of which runs each still holds.

Most questions are asked of every run apart: a run's rows depend on that run's tables alone. So an answer over all runs
can be taken from the kept file for the runs whose tables are what they were, and computed for the others. `covers.json`
says what the files stand on: the mark of every part, the digest of every file, and what was asked. Where any of it does
not fit, or a file is damaged, the answer is computed from the tables: a summary may be useless, never wrong.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from benchbook.history.views import in_order, library, metrics_view, question_texts, table_select
from benchbook.results.paths import aggregate_folder
from benchbook.results.schemas import TABLES

if TYPE_CHECKING:
    import pyarrow as pa

COVERS = "covers.json"
VERSION = 1
ROWS_PER_GROUP = 16_384
_ROWS_OF_A_RUN = frozenset({"curves", "failures", "retries", "timeline", "wall_curves"})
"""Questions whose rows are points, trials, attempts or spans, each of one run."""
_DEFAULTS: Mapping[str, Any] = {
    "confidence": 0.95,
    "slos": {"ttft_ms": 500.0},
    "top": 20,
    "trial": None,
    "volume": 1e6,
}

Marks = Mapping[str, Mapping[str, str]]
"""Run -> table -> mark of its part."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What `covers.json` says. answers: question -> {asked: its key, sha256: of its file}."""

    folder: Path
    marks: Marks = field(default_factory=dict)
    answers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def covered(self, question: str, key: str, marks: Marks) -> frozenset[str]:
        """The runs of `marks` whose rows the kept answer holds as they would be computed now."""
        if self.answers.get(question, {}).get("asked") != key:
            return frozenset()
        needed = tables_of(question)
        return frozenset(
            run
            for run, now in marks.items()
            if (then := self.marks.get(run)) is not None and all(then.get(table) == now.get(table) for table in needed)
        )

    def exact(self, question: str, key: str, marks: Marks) -> bool:
        """Whether the kept answer is the answer over all runs of `marks`, no more and no fewer."""
        return self.marks.keys() == marks.keys() and self.covered(question, key, marks) == marks.keys()

    def sound(self, question: str) -> bool:
        """Whether the file is what was written."""
        return self._data(question) is not None

    def table(self, question: str, runs: Collection[str] | None = None, last: int | None = None) -> pa.Table | None:
        """The kept rows (of these runs), in order; None where the file is not what was written.

        last: so many of the last rows are enough.
        """
        data = self._data(question)
        return None if data is None else _rows(data, None if runs is None else sorted(runs), last)

    def _data(self, question: str) -> bytes | None:
        try:
            data = (self.folder / f"{question}.parquet").read_bytes()
        except OSError:
            return None
        known = self.answers.get(question, {}).get("sha256")
        return data if hashlib.sha256(data).hexdigest() == known else None


def kept(results: Path) -> Kept:
    """What is kept in `results`; nothing, where there is no `covers.json` or it is damaged."""
    folder = aggregate_folder(results)
    try:
        found = orjson.loads((folder / COVERS).read_bytes())
    except (OSError, ValueError):
        return Kept(folder)
    if not isinstance(found, dict) or found.get("version") != VERSION:
        return Kept(folder)
    marks, answers = found.get("marks"), found.get("answers")
    return Kept(folder, marks, answers) if isinstance(marks, dict) and isinstance(answers, dict) else Kept(folder)


def _rows(data: bytes, runs: list[str] | None, last: int | None) -> pa.Table:
    """The rows of these runs, or the last of them, reading only the row groups that may hold one, and one at a time."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    parts: list[pa.Table] = []
    rows = 0
    with pq.ParquetFile(pa.BufferReader(data)) as file:
        if runs is None:
            return file.read()
        wanted = pa.array(runs, pa.string())
        groups = [group for group in range(file.num_row_groups) if _may_hold(file.metadata.row_group(group), runs)]
        for group in groups[::-1]:
            table = file.read_row_group(group)
            parts.append(table.filter(pc.is_in(table["run_id"], wanted)))
            rows += len(parts[-1])
            if last is not None and rows >= last:
                break
        return pa.concat_tables(parts[::-1]) if parts else file.read_row_groups([])


def _may_hold(group: Any, runs: list[str]) -> bool:
    bounds = group.column(0).statistics
    if bounds is None or not bounds.has_min_max:
        return True
    return bisect_left(runs, bounds.min) < bisect_right(runs, bounds.max)


def per_run(question: str) -> bool:
    """Whether the answer over several runs is the answers of each, one after another. Its grain says so."""
    return question in _ROWS_OF_A_RUN or question_texts()[question].startswith("-- One row per run")


def tables_of(question: str) -> tuple[str, ...]:
    """The tables that it reads, by itself or through other questions."""
    return tables_in("\n".join(question_texts()[part] for part in in_order([question])))


def tables_in(text: str) -> tuple[str, ...]:
    """The tables that a SQL text names, or what it uses of the library."""
    words = _reached(text)
    return tuple(table for table in TABLES if table in words)


@lru_cache(maxsize=256)
def _key(question: str, settings: bytes) -> str:
    import duckdb

    text = "\n".join(question_texts()[part] for part in in_order([question]))
    parts = [duckdb.__version__, settings.decode(), text, library(), metrics_view()]
    parts += [table_select(table, None) for table in tables_of(question)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def key(question: str, settings: Mapping[str, Any]) -> str:
    """What is asked: the question's text, what it stands on, and the settings that bear on it."""
    asked = dict(_DEFAULTS) | {name: value for name, value in settings.items() if value is not None}
    text = "\n".join(question_texts()[part] for part in in_order([question]))
    bearing = {name: value for name, value in asked.items() if name in _settings_in(text)}
    if "slos" in bearing:
        bearing["slos"] = [(metric, float(limit)) for metric, limit in bearing["slos"].items()]
    return _key(question, orjson.dumps(bearing, option=orjson.OPT_SORT_KEYS))


def _settings_in(text: str) -> frozenset[str]:
    """The settings that a text depends on, through the macros that it uses."""
    names = {"confidence": "confidence", "slos": "slos", "top_n": "top", "trial": "trial", "volume": "volume"}
    return frozenset(names[word] for word in _reached(text) & names.keys())


def _reached(text: str) -> set[str]:
    """The words of a text, and of the macros and views of the library that it uses, and of those that they use."""
    found, todo = set[str](), _words(text)
    while todo:
        found |= todo
        todo = {word for name in todo for word in _macros().get(name, ())} - found
    return found


@lru_cache(maxsize=1)
def _macros() -> dict[str, frozenset[str]]:
    """Macro or view of the library -> the words of its text."""
    pieces = re.split(r"create or replace (?:macro|view)", re.sub(r"--.*", "", library()))
    return {piece.split("(")[0].split()[0]: frozenset(_words(piece)) for piece in pieces[1:]}


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", re.sub(r"--.*", "", text)))
