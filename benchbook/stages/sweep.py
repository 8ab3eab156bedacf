"""A sweep: the same workload under one load after another, each a run of its own.

Points that have a finished run are not measured again, so an interrupted sweep goes on where it stopped. What the
points come to is a question, `history/sql/sweep.sql`; where the knee lies is `stats/knee.py`'s rule.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchbook.stages import OnProgress
from benchbook.stages.aggregate import aggregate
from benchbook.stages.points import Point, Series, count_spent, points
from benchbook.stages.validate import validate
from benchbook.stats.knee import LEAST_GAIN, knee

OnPoint = Callable[[float, str], None]
"""Takes the load that comes next and what becomes of it: `measured`, `resumed` or `kept`."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep came to. status: `finished`, `interrupted` or `budget`; runs: of its points, by load."""

    sweep_id: str
    status: str
    runs: dict[float, str]


def sweep(series: Series, on_point: OnPoint, on_progress: OnProgress | None = None) -> Swept:
    """Measure every point of the grid that has no finished run. Raises UserError."""
    done: dict[float, Point] = {point.load: point for point in points(series)}
    count_spent(series, done.values())
    runs = {load: point.run_id for load, point in done.items()}
    if all(load in done and done[load].finished for load in series.grid):
        return Swept(series.sweep_id, "finished", runs)
    validate(series.job(series.grid[0]))
    for load in series.grid:
        known = done.get(load)
        if known is not None and known.finished:
            on_point(load, "kept")
            continue
        if series.means.spent:
            return Swept(series.sweep_id, "budget", runs)
        on_point(load, "measuring" if known is None else "resuming")
        executed = series.run(load, on_progress, resume=None if known is None else known.run_id)
        runs[load] = executed.run_id
        if executed.status != "finished":
            return Swept(series.sweep_id, executed.status, runs)
    aggregate(series.job(series.grid[0]))
    return Swept(series.sweep_id, "finished", runs)


def answer(series: Series, swept: Swept, least_gain: float = LEAST_GAIN) -> dict[str, Any]:
    """The points as rows of the question `sweep`, and the knee of each target."""
    from benchbook.history import ask

    section = series.spec(series.grid[0]).aggregate
    settings = {"slos": section.slos or None, "confidence": section.confidence}
    rows = ask("sweep", series.results, runs=tuple(swept.runs.values()), **settings) if swept.runs else []
    return {
        "sweep_id": series.sweep_id,
        "axis": series.axis,
        "status": swept.status,
        "least_gain": least_gain,
        "points": rows,
        "knees": [_knee(rows, target, least_gain) for target in dict.fromkeys(row["target"] for row in rows)],
        "results": series.results,
    }


def _knee(rows: list[dict[str, Any]], target: str, least_gain: float) -> dict[str, Any]:
    curve = [(row["load"], row["trials_per_s"] or 0.0) for row in rows if row["target"] == target]
    found = knee(sorted(set(curve)), least_gain)
    if found is None:
        return {"target": target, "load": None, "next_load": None, "gain": None}
    return {"target": target, "load": found.load, "next_load": found.next_load, "gain": found.gain}
