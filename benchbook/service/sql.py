"""SQL from the browser: one statement that reads, answered by a process of its own (`history.guarded`)."""

from __future__ import annotations

import threading
from dataclasses import asdict
from typing import Any

from benchbook.errors import QueryError
from benchbook.history.guarded import Answer, Limits, ask_guarded
from benchbook.reports.pages.frame import render
from benchbook.results.schemas import TABLES
from benchbook.service.cells import grid_of
from benchbook.service.shown import Asked, Shown

_AT_ONCE = threading.BoundedSemaphore(2)
"""Queries that run at the same time; others wait for them."""
EXAMPLE = """select run_id, target, count(*) as trials, median(ttft_ms) as ttft_ms
from trials
where phase = 'measured' and status = 'success'
group by all
order by run_id desc, target"""


def typed(asked: Asked) -> Shown:
    """The empty page, or with the text of the parameter `query` filled in; nothing is run before it is sent."""
    tables = {name: list(schema.names) for name, schema in TABLES.items()}
    return Shown(tables, lambda: _page(asked.word("query") or EXAMPLE, None))


def asked(asked: Asked) -> Shown:
    """The answer to the parameter `query`."""
    text = asked.word("query")
    try:
        with _AT_ONCE:
            found = ask_guarded(asked.results, text)
    except QueryError as error:
        line = str(error)
        return Shown({"error": line}, lambda: _page(text, None, line), status=400)
    return Shown(asdict(found), lambda: _page(text, found))


def _page(text: str, found: Answer | None, wrong: str = "") -> str:
    caption = "" if found is None else f"{len(found.rows):,} rows in {found.seconds:.2f} s"
    table = None if found is None else grid_of(caption, found.columns, found.rows, found.cut)
    facts: dict[str, Any] = {
        "text": text,
        "found": found,
        "table": table,
        "wrong": wrong,
        "limits": Limits(),
        "tables": {name: list(schema.names) for name, schema in TABLES.items()},
    }
    return render("ui_sql.html.j2", facts, served=True)
