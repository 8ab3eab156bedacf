"""The stored questions, and the rows that answer one, over all runs or some."""

from __future__ import annotations

from typing import Any

from benchbook.errors import UserError
from benchbook.history import ask, questions
from benchbook.history.views import question_texts
from benchbook.reports.pages.frame import render
from benchbook.reports.pages.tables import Cell, Column, Table
from benchbook.results.journal import find_run
from benchbook.service.bar import address
from benchbook.service.cells import table_of
from benchbook.service.shown import Asked, Shown

MOST = 500


def listed(asked: Asked) -> Shown:  # noqa: ARG001 (every page has the same form)
    """Each question with its grain."""
    found = questions()
    rows: list[list[Cell | str]] = [
        [Cell(name, link=address("questions", name)), grain] for name, grain in found.items()
    ]
    table = Table(f"{len(found)} questions", [Column("question", "text"), Column("what a row is", "long")], rows)
    return Shown(found, lambda: render("ui_questions.html.j2", {"table": table}, served=True))


def one(asked: Asked) -> Shown:
    """A question's newest rows; parameters: run (ids, starts, latest; repeatable), confidence."""
    name = asked.path["question"]
    named = [word for text in asked.words.get("run", ()) for word in text.replace(",", " ").split()]
    runs = [find_run(asked.results, word) for word in named] or None
    settings: dict[str, Any] = {"confidence": _share(asked.word("confidence"))} if asked.word("confidence") else {}
    rows = ask(name, asked.results, runs=runs, **settings)
    shown = rows[-MOST:]
    note = f"The last {MOST} of {len(rows):,} rows; JSON has all." if len(rows) > MOST else ""
    facts = {
        "name": name,
        "grain": questions()[name],
        "text": question_texts()[name],
        "named": " ".join(named),
        "table": table_of(f"{name}: {len(rows):,} rows", shown, note) if rows else None,
    }
    return Shown(rows, lambda: render("ui_question.html.j2", facts, served=True))


def _share(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UserError(f"confidence {text}", "is no number", "write 0.95") from None
