"""The start page: the history as `report --history` writes it, its runs linked to their pages here."""

from __future__ import annotations

from benchbook.history import ask
from benchbook.reports.pages.frame import render
from benchbook.reports.pages.history import gathered, page
from benchbook.service.bar import address
from benchbook.service.shown import Asked, Shown


def history(asked: Asked) -> Shown:
    """Alerts, trends, runs and the recommendation; without a run, how to make one."""
    if not ask("overview", asked.results):
        return Shown({"runs": []}, lambda: render("ui_empty.html.j2", {"results": str(asked.results)}, served=True))
    data = gathered(asked.results)
    return Shown(data, lambda: page(asked.results, link=lambda run_id: address("runs", run_id), data=data))
