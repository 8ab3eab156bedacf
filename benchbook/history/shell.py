"""`history.sql`: the same views as text, for any DuckDB shell (`duckdb -init results/history.sql`).

Paths are relative to the folder it was written from, the root of the repository, where results lie below it. Tables
are globs, so that later runs show without rewriting (columns that only they have, once it is written again); only where
a glob would stumble over a damaged file are the readable files listed one by one. `answers.QUESTION` is computed when
it is asked; `kept.QUESTION` is read from the file that `aggregate` left, and is as old as that.
"""

from __future__ import annotations

from pathlib import Path

from benchbook.history.sources import Scope, Sources, scan
from benchbook.history.views import (
    answer_view,
    answers_schema,
    from_files,
    from_pattern,
    in_order,
    library,
    literal_path,
    metrics_view,
    question_texts,
    table_view,
)
from benchbook.results.paths import aggregate_folder, table_folder, writable
from benchbook.results.schemas import TABLES
from benchbook.results.store import PART
from benchbook.results.whole import write_whole

KEPT = "kept"
"""The SQL schema of the answers as files."""


def write_views(results: str | Path = "results") -> Path:
    """Write `results`/history.sql, whole, and return its path. Raises StorageError."""
    folder = _named(Path(results))
    sources = scan(folder, Scope())
    target = Path(results) / "history.sql"
    with writable(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, views_text(folder, sources).encode())
    return target


def views_text(folder: Path, sources: Sources) -> str:
    """The whole text; `folder` is the results folder as the reader's shell will find it."""
    passed_over = [f"-- passed over: {damage}" for damage in sources.damaged]
    head = [
        "-- Benchbook's history as views; read it from the folder in which `benchbook` runs:",
        f"--     duckdb -init {folder.as_posix()}/history.sql",
        "-- Tables: runs, trials, calls, responses, spans, scores, checks, events; questions: answers.latency ...,",
        "-- and as the stage `aggregate` last answered them, with its plan's settings: kept.latency ....",
        *passed_over,
    ]
    empty = [table_view(table, None) for table in TABLES]
    answers = [answer_view(question) for question in in_order(question_texts())]
    filled = [table_view(table, _source(folder, table, sources)) for table in TABLES if sources.files(table)]
    cache = "set parquet_metadata_cache = true;\n"
    views = [*empty, metrics_view(), library(), answers_schema(), *answers, *filled, *_kept(folder)]
    return "\n".join(["\n".join(head), cache, *views])


def _kept(folder: Path) -> list[str]:
    """Views over the answers that are there as files."""
    files = {question: aggregate_folder(folder) / f"{question}.parquet" for question in question_texts()}
    views = [
        f"create or replace view {KEPT}.{question} as\n{from_files([path.as_posix()])};\n"
        for question, path in files.items()
        if path.is_file()
    ]
    return [f"create schema if not exists {KEPT};\n", *views] if views else []


def _source(folder: Path, table: str, sources: Sources) -> str | None:
    files = sources.files(table)
    if not files:
        return None
    under = table_folder(folder, table)
    if any(Path(damage.file).name == PART and Path(damage.file).is_relative_to(under) for damage in sources.damaged):
        return from_files((), [Path(path).as_posix() for path in files])
    alike = all(part.current for part in sources.parts[table])
    return from_pattern(f"{literal_path(under.as_posix())}/run_id=*/{PART}", alike=alike)


def _named(results: Path) -> Path:
    """Relative to the working directory when it lies below it, else absolute."""
    whole, here = results.resolve(), Path.cwd().resolve()
    return whole.relative_to(here) if whole.is_relative_to(here) else whole
