"""The process that `guarded` starts: one job on stdin, one answer on stdout, both JSON."""

from __future__ import annotations

import json
import logging
import math
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchbook.clock import monotonic_ns
from benchbook.errors import QueryError, UserError, error_fields
from benchbook.history.door import put
from benchbook.history.guarded import Limits
from benchbook.results.paths import table_folder

if TYPE_CHECKING:
    import duckdb

_READING = ("SELECT", "EXPLAIN")
"""Kinds of statements, by DuckDB's parser. DESCRIBE, SHOW and SUMMARIZE are of the first; WITH and FROM as well."""
_ADDRESSES_MB = 3072
"""Of addresses beyond the memory limit: code, stacks and what is mapped but never touched."""


def main() -> None:
    """Answer the job, then end."""
    job = json.loads(sys.stdin.buffer.read())
    _confine(Limits(**job["limits"]))
    sys.stdout.write(json.dumps(answered(job)))


def answered(job: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `guarded.Answer`, or `error`. The walls that are the process' own don't stand in here."""
    limits = Limits(**job["limits"])
    ours, heard = logging.getLogger("benchbook"), _Heard()
    ours.addHandler(heard)
    ours.propagate = False
    try:
        found = put(job["results"], job["sql"], lambda con, sql: _answer(con, sql, job["results"], limits))
    except UserError as error:
        return {"error": error_fields(error)}
    except MemoryError:
        return {"error": error_fields(QueryError("sql", f"takes more than {limits.memory_mb} MB"))}
    finally:
        ours.removeHandler(heard)
        ours.propagate = True
    return {**found, "notes": list(dict.fromkeys(heard.lines))}


class _Heard(logging.Handler):
    """What readers passed over, kept for the answer."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def _confine(limits: Limits) -> None:
    """No file is written, no core left behind, no more memory and work than allowed. Where a system has such limits."""
    try:
        import resource
    except ImportError:
        return
    most = (limits.memory_mb + _ADDRESSES_MB) << 20
    work_s = 2 * math.ceil(limits.seconds) + 5
    for kind, value in (
        (resource.RLIMIT_AS, most),
        (resource.RLIMIT_CPU, work_s),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (value, value))


def _answer(con: duckdb.DuckDBPyConnection, sql: str, results: str, limits: Limits) -> dict[str, Any]:
    import duckdb

    _read_only(con, sql)
    _lock(con, Path(results), limits)
    started_ns = monotonic_ns()
    ending = threading.Timer(limits.seconds, con.interrupt)
    ending.daemon = True
    ending.start()
    try:
        found = con.sql(sql).limit(limits.rows + 1)
        rows, cut = _fitting(found.fetchall(), limits)
    except duckdb.InterruptException:
        raise QueryError("sql", f"took longer than {limits.seconds:g} s and was ended") from None
    except duckdb.OutOfMemoryException:
        raise QueryError("sql", f"takes more than {limits.memory_mb} MB") from None
    finally:
        ending.cancel()
    took_s = (monotonic_ns() - started_ns) / 1e9
    return {
        "columns": found.columns,
        "types": [str(kind) for kind in found.types],
        "rows": rows,
        "cut": cut,
        "seconds": took_s,
    }


def _read_only(con: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Raises QueryError unless the text is one statement that reads."""
    statements = con.extract_statements(sql)
    if len(statements) != 1:
        raise QueryError("sql", f"holds {len(statements)} statements", "one is answered at a time")
    kind = statements[0].type.name
    if kind not in _READING:
        what = "would make a table of its own" if kind == "MULTI" else f"is a statement of kind {kind}"
        raise QueryError("sql", what, "SELECT, WITH, FROM, DESCRIBE, SHOW, SUMMARIZE and EXPLAIN are answered")


def _lock(con: duckdb.DuckDBPyConnection, results: Path, limits: Limits) -> None:
    """From here on DuckDB opens files under the tables and no others, and nobody can change that."""
    folder = str(table_folder(results, "runs").parent).replace("'", "''")
    for setting in (
        f"memory_limit = '{limits.memory_mb}MB'",
        "temp_directory = ''",
        "threads = 2",
        "python_enable_replacements = false",
        "allow_community_extensions = false",
        "autoinstall_known_extensions = false",
        "autoload_known_extensions = false",
        f"allowed_directories = ['{folder}/']",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        con.execute(f"set {setting}")


def _fitting(found: Sequence[Sequence[Any]], limits: Limits) -> tuple[list[list[Any]], str]:
    """Rows as plain values, as many as the limits let through, and why no more."""
    rows: list[list[Any]] = []
    size = 0
    for row in found:
        if len(rows) == limits.rows:
            return rows, f"the first {limits.rows:,} rows; there are more"
        plain = [_plain(value) for value in row]
        size += len(json.dumps(plain))
        if size > limits.bytes:
            return rows, f"the first {len(rows):,} rows; more would be over {limits.bytes / 1e6:g} MB"
        rows.append(plain)
    return rows, ""


def _plain(value: Any) -> Any:
    """A value as JSON has it. Numbers that JSON has not, times and bytes are texts."""
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return value if abs(value) < 1 << 53 else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return value if value is None or isinstance(value, bool | str) else _text(value)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)


if __name__ == "__main__":
    main()
