"""Answers SQL over tables that a team's file names: DuckDB, in a process of its own that can do nothing but read them.

The process is locked in (`tools.jail`); DuckDB's own locks (no files, no network, no extensions, no change of settings,
transactions that read only) are the inner wall. Files are read once, before the locks, and anew when they change.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field

from benchbook.tools import Outcome, Place, failure
from benchbook.tools.aside import aside
from benchbook.tools.jail import door

NAME = "sql"
DESCRIPTION = (
    "Answers one SQL query that reads (DuckDB's dialect) and returns a table as text. "
    "`SHOW TABLES` lists the tables and `DESCRIBE name` the columns of one. Nothing can be changed."
)
READERS: Mapping[str, str] = {
    ".csv": "read_csv",
    ".tsv": "read_csv",
    ".parquet": "read_parquet",
    ".json": "read_json",
    ".jsonl": "read_json",
    ".ndjson": "read_json",
}
"""Suffix of a file -> DuckDB's function that reads it."""
_HEAD_START_S = 0.25
_TEXT_LIMIT = 4 << 20
_Files = tuple[dict[str, tuple[str, str]], list[tuple[int, int]]]


class Input(BaseModel):
    """What a model gives."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(description="the query", min_length=1, max_length=100_000)


class Settings(BaseModel):
    """What a team's file may set. folder: where the tables' files lie; tables: name -> file in it, left out: every
    file there, each as a table of its name; rows: so many at most are shown."""

    model_config = ConfigDict(extra="forbid")

    folder: Path = Path("datasets/library")
    tables: dict[str, str] = Field(default_factory=dict)
    rows: int = Field(100, ge=1, le=10_000)
    memory_mb: int = Field(256, ge=32, le=65_536)


def lacking(settings: Settings, _environ: Mapping[str, str]) -> str | None:
    """The folder, or a table's file; or a layer of the kernel."""
    files = _files(settings)
    return files.removeprefix("sql: ") if isinstance(files, str) else door.lacking()


def warming(_settings: Settings) -> dict[str, Any]:
    """A query starts the process that answers, and reads the tables."""
    return {"query": "SELECT 1"}


async def run(asked: Input, settings: Settings, place: Place) -> Outcome:
    """The outcome's text is the table, or what DuckDB says is wrong; `detail` has the number of rows shown."""
    files = await aside(_files, settings)
    if isinstance(files, str):
        return failure("bad_settings", files)
    job = door.Job(
        payload={"query": asked.query, "rows": settings.rows},
        time_s=place.timeout_s - min(_HEAD_START_S, place.timeout_s / 10),
        memory_mb=2 * settings.memory_mb + 64,
        keep_bytes=_TEXT_LIMIT,
    )
    return _outcome(await door.run("sql", _preparation(settings, files), job), job)


def _preparation(settings: Settings, files: _Files) -> dict[str, Any]:
    tables, versions = files
    return {"tables": tables, "versions": versions, "memory_mb": settings.memory_mb}


def _outcome(report: door.Report, job: door.Job) -> Outcome:
    detail = {"layers": list(report.layers), "missing": list(report.missing), **report.used}
    if report.ended == "time":
        return failure("timeout", f"sql: stopped after {job.time_s:g} s, its time limit", **detail)
    if report.printed > _TEXT_LIMIT:
        return failure("error", "sql: the answer is too large to be shown; ask for less", **detail)
    if report.ended != "exit" or report.code:
        why = report.reason or report.output or f"ended by signal {-report.code}"
        kind = {"refused": "refused", "lost": "crash"}.get(report.ended, "error")
        return failure(kind, f"sql: not answered: {why}", **detail)
    said: Mapping[str, Any] = orjson.loads(report.output)
    if said.get("failed"):
        return failure("error", said["text"], **detail)
    return Outcome(said["text"], detail={**detail, "rows": said["rows"], "more": said["more"]})


def _files(settings: Settings) -> _Files | str:
    """Table name -> reader and file, with a stamp of each file's state; or what is wrong."""
    folder = settings.folder.resolve()
    if not folder.is_dir():
        return f"sql: {settings.folder}: no such folder"
    listed = sorted(path for path in folder.iterdir() if path.suffix.lower() in READERS and path.is_file())
    named = settings.tables or {_name(path.stem): path.name for path in listed}
    tables: dict[str, tuple[str, str]] = {}
    for name, file in named.items():
        path = (folder / file).resolve()
        if not path.is_relative_to(folder) or path.suffix.lower() not in READERS or not path.is_file():
            return f"sql: table {name}: {file} is no file in {settings.folder} that can be read as a table"
        tables[name] = (READERS[path.suffix.lower()], str(path))
    states = [path.stat() for path in (Path(file) for _, file in tables.values())]
    return tables, [(state.st_size, state.st_mtime_ns) for state in states]


def _name(stem: str) -> str:
    """A file's name as one that needs no quotes: `orders-2025` is `orders_2025`."""
    plain = re.sub(r"\W+", "_", stem).strip("_").lower()
    return plain if plain and not plain[0].isdigit() else f"t_{plain}"
