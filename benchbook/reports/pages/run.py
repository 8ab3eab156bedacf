"""The page of one run: its verdict and why, figures of each target, latencies, load, time, streams, quality, failures,
agents, and where the raw rows are. Facts are put together here; how they look is the template's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchbook.reports import words
from benchbook.reports.gather import RunView
from benchbook.reports.pages import copied, glance, run_tables, waterfalls
from benchbook.reports.pages.drawings import Drawing, drawings, names_of
from benchbook.reports.pages.extras import Extras
from benchbook.reports.pages.frame import render
from benchbook.reports.pages.tables import Table
from benchbook.reports.plots import distribution, inline
from benchbook.reports.plots.load import knee_of
from benchbook.stats.knee import LEAST_GAIN

SECTIONS = {
    "targets": "Targets",
    "agents": "Agents",
    "latency": "Latency",
    "load": "Load",
    "time": "Over time",
    "streams": "Streams",
    "quality": "Quality",
    "failures": "Failures",
    "slowest": "Slowest trials",
    "checks": "Checks",
    "raw": "Raw rows",
    "provenance": "Provenance",
}


def page(view: RunView, extras: Extras | None = None) -> str:
    """The report of one run as an HTML text that needs no other file and no network; the same rows, the same bytes."""
    extras = extras or Extras()
    names = names_of(view)
    drawn: dict[str, list[tuple[Drawing, str]]] = {}
    for each in drawings(view, extras):
        drawn.setdefault(each.section, []).append((each, inline(each.figure, f"{each.title}. {_says(each)}")))
    facts: dict[str, Any] = {
        "view": view,
        "extras": extras,
        "tone": glance.TONES.get(str(view.run["verdict"]), "calm"),
        "says": glance.SAYS.get(str(view.run["verdict"]), "No verdict was reached yet."),
        "reasons": glance.reasons(view, extras),
        "cards": glance.cards(view, extras, names),
        "drawn": drawn,
        "tables": dict(_tables(view, names)),
        "quality": [run_tables.scores(view, names)] if view.scores else [],
        "checks": _checks(view),
        "splits": waterfalls.splits(view.agents, names),
        "waterfalls": waterfalls.waterfalls(extras),
        "knees": list(_knees(extras)),
        "lines": list(copied.lines(view)),
        "run": view.run,
        "banded_from": distribution.least(view.confidence),
    }
    shown = {key: title for key, title in SECTIONS.items() if _has(key, facts)}
    return render("run.html.j2", {**facts, "sections": shown})


def _says(drawing: Drawing) -> str:
    return (
        "Its numbers stand in the table below it."
        if drawing.numbers
        else "Its numbers stand in the table of this section."
    )


def _tables(view: RunView, names: dict[tuple[str, str], str]) -> Iterator[tuple[str, Table]]:
    if view.plain:
        yield "targets", run_tables.targets(view, names)
    if view.agents:
        yield "agents", run_tables.of_agents(view)
    if view.low_scores:
        yield "low_scores", run_tables.low_scores(view)
    if view.errors:
        yield "errors", run_tables.errors(view)
    if view.failures:
        yield "failures", run_tables.failures(view)
    if (tried := run_tables.tried(view)) is not None:
        yield "tried", tried
    if view.chunk_gaps:
        yield "streams", run_tables.streams(view)
    if view.skipped:
        yield "skipped", run_tables.skipped(view)
    if view.slowest:
        yield "slowest", run_tables.slowest(view)


def _checks(view: RunView) -> dict[str, Table]:
    failed = [row for row in view.checks if not row["success"]]
    passed = [row for row in view.checks if row["success"]]
    named = {"failed": (failed, "Checks that failed"), "passed": (passed, "Checks that passed")}
    return {name: run_tables.checks(rows, caption) for name, (rows, caption) in named.items() if rows}


def _has(section: str, facts: dict[str, Any]) -> bool:
    """Whether a section has something to show. Targets, latency, failures, raw rows and provenance are always told."""
    if section in ("targets", "latency", "failures", "raw", "provenance"):
        return True
    if section == "quality":
        return bool(facts["quality"] or facts["drawn"].get("quality") or "low_scores" in facts["tables"])
    if section == "checks":
        return bool(facts["checks"])
    return section in facts["tables"] or section in facts["drawn"]


def _knees(extras: Extras) -> Iterator[str]:
    """What the sweep comes to, a sentence a target."""
    least = words.share(LEAST_GAIN)
    for target in dict.fromkeys(row["target"] for row in extras.sweep):
        points = [row for row in extras.sweep if row["target"] == target]
        found, axis = knee_of(points), points[0]["axis"]
        if found is not None:
            gained = (
                "throughput fell" if found.gain < 0 else f"only {words.share(found.gain)} of the added load came out"
            )
            step = f"From {found.load:g} to {found.next_load:g} {gained}, less than {least}."
            yield f"{target}: knee at {axis} {found.load:g}. {step}"
        elif len({row["load"] for row in points}) > 1:
            most = max(row["load"] for row in points)
            yield f"{target}: no knee up to {axis} {most:g}. Of each step's added load at least {least} came out."
