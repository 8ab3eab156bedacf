"""Two sides held against each other: typed as words, or ticked in the list of runs."""

from __future__ import annotations

from benchbook.errors import UserError
from benchbook.history.selecting import KEYS
from benchbook.reports.comparison import as_json
from benchbook.reports.pages.comparison import compared, page
from benchbook.reports.pages.frame import render
from benchbook.service.bar import address
from benchbook.service.shown import Asked, Shown


def sides(asked: Asked) -> Shown:
    """The comparison of a and b (words of `benchbook compare`; repeated parameters stand together), or a form."""
    a, b = (" ".join(word for text in asked.words.get(side, ()) for word in text.split()) for side in "ab")
    if not a and not b:
        return Shown({"keys": dict(KEYS)}, lambda: _form("", "", ""))
    if not a or not b:
        line = f"side {'B' if a else 'A'} is empty: tick at least one run for it, or type its words"
        return Shown({"error": line}, lambda: _form(a, b, line), status=400)
    try:
        found = compared(asked.results, a, b)
    except UserError as error:
        line = str(error)
        return Shown({"error": line}, lambda: _form(a, b, line), status=400)
    runs = {side.runs for side in (found.a, found.b) if len(side.runs) == 1}
    links = tuple((address("runs", *one), f"Run {one[0][:15]}") for one in sorted(runs))
    return Shown(as_json(found), lambda: page(asked.results, found), links)


def _form(a: str, b: str, wrong: str) -> str:
    return render("ui_compare.html.j2", {"a": a, "b": b, "wrong": wrong, "keys": KEYS}, served=True)
