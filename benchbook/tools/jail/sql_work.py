"""Answering a model's SQL in a process that is locked in: the tables were loaded before, and there is nothing else.

The keeper reads the files into an in-memory database on one thread (a process with threads can't be forked safely),
then switches off files, network, extensions and any change of that. Each question is answered in a fork, in a
transaction that reads only, so that not even a temporary table outlives it.
"""

from __future__ import annotations

import json
import re
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import duckdb

from benchbook.tools.jail import RefusalError

_LOADING_S = 120
_LOCK = """
set TimeZone = 'UTC';
set python_enable_replacements = false;
set autoinstall_known_extensions = false;
set autoload_known_extensions = false;
set allow_community_extensions = false;
set enable_external_access = false;
set lock_configuration = true;
"""
_WARM_UP = """
select now(), date '2020-01-01', timestamptz '2020-01-01', uuid(), 1.5::decimal(10, 2), interval 1 day, [1], {'a': 1},
    'x'::blob, map {'a': 1}, time '10:00', true
"""
_READS = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
_CELL = 200
_ONE_ONLY = "write one statement that reads: SELECT, WITH, FROM, VALUES, DESCRIBE, SHOW, SUMMARIZE or EXPLAIN"


def prepare(preparation: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], int]:
    """Load `tables` (name -> DuckDB's function that reads it, file) into `memory_mb` of memory. Raises RefusalError
    for a file that can't be read."""
    signal.alarm(_LOADING_S)
    con = duckdb.connect(":memory:", config={"threads": 1, "async_threads": 0, "temp_directory": ""})
    for name, (reader, path) in preparation["tables"].items():
        _load(con, name, reader, path)
    con.execute(f"set memory_limit = '{int(preparation['memory_mb'])}MB'")
    con.execute(_LOCK)
    con.execute(_WARM_UP).fetchall()  # what values need is imported now: later there are no files
    listed = _listed(con)
    signal.alarm(0)

    def work(payload: Mapping[str, Any]) -> int:
        sys.stdout.write(json.dumps(_answered(con, payload, listed)))
        return 0

    return work


def readable(_payload: Mapping[str, Any]) -> list[str]:
    """No file at all."""
    return []


def _load(con: duckdb.DuckDBPyConnection, name: str, reader: str, path: str) -> None:
    made = f"create table {_quoted(name)} as select * from {reader}($file)"  # noqa: S608 - one of ours, the name quoted
    try:
        con.execute(made, {"file": path})
    except duckdb.Error as error:
        raise RefusalError(f"{path}: {_line(error)}") from None


def _answered(con: duckdb.DuckDBPyConnection, payload: Mapping[str, Any], listed: str) -> dict[str, Any]:
    """The text of the answer, or of what is wrong with the question; `rows` are those shown."""
    try:
        statements = con.extract_statements(payload["query"])
        if len(statements) != 1 or statements[0].type not in _READS:
            return {"failed": True, "text": _ONE_ONLY}
        con.execute("begin transaction read only")
        found = con.execute(statements[0])
        rows = found.fetchmany(payload["rows"] + 1)
        columns = [column[0] for column in found.description or ()]
    except duckdb.CatalogException as error:
        return {"failed": True, "text": f"{str(error).partition(chr(10))[0]} {listed}"}
    except (duckdb.OutOfMemoryException, MemoryError) as error:
        return {"failed": True, "text": str(error).partition("\n")[0] or "Out of Memory Error"}
    except duckdb.Error as error:
        return {"failed": True, "text": _line(error)}
    shown = rows[: payload["rows"]]
    return {
        "text": table(columns, shown, more=len(rows) > len(shown)),
        "rows": len(shown),
        "more": len(rows) > len(shown),
    }


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, more: bool) -> str:
    """A table as text: a head, a rule, a line per row, and how many there are."""
    if len(rows) == 1 and len(columns) == 2 and columns[0] == "explain_key":
        return str(rows[0][1]).rstrip()
    cells = [[_cell(value) for value in row] for row in rows]
    heads = [_cell(column) for column in columns]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    right = [all(isinstance(row[place], int | float) for row in rows) and bool(rows) for place in range(len(columns))]
    lines = [_row(line, widths, right) for line in (heads, *cells)]
    lines.insert(1, "-+-".join("-" * width for width in widths))
    count = f"the first {len(rows)} rows; there are more" if more else f"{len(rows)} row{'' if len(rows) == 1 else 's'}"
    return "\n".join((*lines, f"({count})"))


def _row(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    placed = zip(cells, widths, right, strict=True)
    return " | ".join(cell.rjust(width) if on_right else cell.ljust(width) for cell, width, on_right in placed).rstrip()


def _cell(value: Any) -> str:
    text = "NULL" if value is None else str(value)[: 2 * _CELL]
    line = re.sub(r"\s+", " ", text)
    return line if len(line) <= _CELL else f"{line[: _CELL - 3]}..."


def _listed(con: duckdb.DuckDBPyConnection) -> str:
    """The tables with their columns, for a model that guessed a name."""
    found: dict[str, list[str]] = {}
    with suppress(duckdb.Error):
        for name, column in con.execute(
            "select table_name, column_name from duckdb_columns() where not internal"
        ).fetchall():
            found.setdefault(name, []).append(column)
    tables = "; ".join(f"{name}({', '.join(columns)})" for name, columns in found.items())
    return f"The tables are: {tables}" if tables else "There are no tables"


def _line(error: Exception) -> str:
    """DuckDB's message without its drawing of the query."""
    return re.sub(r"\s+", " ", str(error).split("\nLINE ")[0]).strip()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
