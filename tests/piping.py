"""The five stages one after the other, in this process; and the tables they leave, as rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchbook.results.store import read_table
from benchbook.stages import Executed, Job
from benchbook.stages.aggregate import aggregate
from benchbook.stages.execute import execute
from benchbook.stages.report import report
from benchbook.stages.store import store
from benchbook.stages.validate import validate


def pipe(job: Job) -> Executed:
    """Validate, execute, store, aggregate, report."""
    validate(job)
    executed = execute(job)
    store(job, executed.run_id)
    aggregate(job)
    report(job, executed.run_id)
    return executed


def rows(results: Path, table: str, run_id: str | None = None) -> list[dict[str, Any]]:
    """A stored table as plain rows, maps as dicts; nothing may be damaged."""
    found, damaged = read_table(results, table, None if run_id is None else [run_id])
    assert not damaged
    maps = [field.name for field in found.schema if str(field.type).startswith("map")]
    return [{**row, **{name: dict(row[name] or ()) for name in maps}} for row in found.to_pylist()]


def only(results: Path, table: str, run_id: str | None = None) -> dict[str, Any]:
    """The one row of a table."""
    (row,) = rows(results, table, run_id)
    return row


def bytes_below(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its content."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
