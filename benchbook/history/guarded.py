"""SQL from whoever reached the door, answered by a process of its own that can do nothing but read the tables.

The walls, each enough for what it is against: one statement that only reads (parsed by DuckDB itself); DuckDB may open
files under `results`/tables and nothing else, loads no extension and its settings are locked; the process has no
environment of ours, may write no file, and has limits of memory and time, after which it is ended. A function that
DuckDB can't interrupt ends with its process. `guarded_process` is what runs there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchbook.errors import QueryError, error_of

_KEPT = ("PATH", "PYTHONPATH", "VIRTUAL_ENV", "LANG", "SYSTEMROOT")
_GRACE_S = 6.0
"""For starting, and for an interrupt to be heeded, before the process is ended."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one query may take: seconds of work, rows and bytes of answer, MB of memory."""

    seconds: float = 10.0
    rows: int = 1000
    bytes: int = 8_000_000
    memory_mb: int = 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """Columns with their DuckDB types, and rows of plain JSON values.

    cut: why rows are missing at the end, "" where none are; notes: what was passed over; seconds: of the query alone.
    """

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    cut: str
    notes: tuple[str, ...]
    seconds: float


def ask_guarded(results: str | Path, sql: str, limits: Limits | None = None) -> Answer:
    """The answer to one SQL text that may come from anyone. Raises QueryError with what is wrong with it."""
    limits = limits or Limits()
    job = {"results": str(Path(results).resolve()), "sql": sql, "limits": asdict(limits)}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "benchbook.history.guarded_process"],
            input=json.dumps(job).encode(),
            capture_output=True,
            timeout=limits.seconds + _GRACE_S,
            env={name: os.environ[name] for name in _KEPT if name in os.environ},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise QueryError("sql", f"took longer than {limits.seconds:g} s and was ended") from None
    try:
        said = json.loads(done.stdout)
    except ValueError:
        needs = f"it takes more than {limits.memory_mb} MB or could not be ended otherwise"
        raise QueryError("sql", f"its process ended without an answer (code {done.returncode}); {needs}") from None
    if "error" in said:
        raise error_of(said["error"])
    rows = tuple(tuple(row) for row in said["rows"])
    return Answer(
        tuple(said["columns"]), tuple(said["types"]), rows, said["cut"], tuple(said["notes"]), said["seconds"]
    )
