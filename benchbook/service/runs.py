"""The list of runs, with filters and boxes to pick two sides from; and the page of one run, as `report` writes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from benchbook.errors import UserError
from benchbook.history import ask, damaged
from benchbook.history.looking import workloads_of
from benchbook.reports.pages.frame import render
from benchbook.results.journal import find_run, runs
from benchbook.service.bar import address
from benchbook.service.shown import Asked, Shown

Row = Mapping[str, Any]
MOST = 200
VERDICTS = ("VALID", "DEGRADED", "INVALID")


def listed(asked: Asked) -> Shown:
    """Runs that fit the filters target, workload, verdict and since; the newest first."""
    rows = [dict(row) for row in ask("overview", asked.results)]
    held = workloads_of(asked.results)
    for row in rows:
        row["workloads"] = held.get(row["run_id"], [])
    fitting = [row for row in reversed(rows) if _fits(row, asked)]
    stored = {row["run_id"] for row in rows}
    facts = {
        "rows": fitting if asked.word("all") else fitting[:MOST],
        "fitting": len(fitting),
        "stored": len(rows),
        "chosen": {name: asked.word(name) for name in ("target", "workload", "verdict", "since")},
        "targets": sorted({name for row in rows for name in row["targets"] or ()}),
        "workloads": sorted({name for names in held.values() for name in names}),
        "verdicts": VERDICTS,
        "address": address,
        "unstored": [run_id for run_id in runs(asked.results) if run_id not in stored],
        "damaged": [str(damage) for damage in damaged(asked.results)],
    }
    return Shown(fitting, lambda: render("ui_runs.html.j2", facts, served=True))


def one(asked: Asked) -> Shown:
    """The page of a run: the very text that `benchbook report` writes."""
    from benchbook.reports.gather import gather
    from benchbook.reports.pages.extras import more
    from benchbook.reports.pages.run import page

    run_id = find_run(asked.results, asked.path["run"])
    view = gather(asked.results, run_id)
    names = ("run", "targets", "errors", "checks", "scores", "failures", "agents")
    data = {name: getattr(view, name) for name in names}
    trials = (address("runs", run_id, "trials"), "Trials of this run")
    return Shown(data, lambda: page(view, more(asked.results, view)), (trials,))


def _fits(row: Row, asked: Asked) -> bool:
    since = asked.word("since")
    started: datetime | None = row["started_at"]
    return (
        _in(asked.word("target"), row["targets"] or ())
        and _in(asked.word("workload"), row["workloads"])
        and _in(asked.word("verdict"), [str(row["verdict"])])
        and (not since or (started is not None and started >= _moment(since)))
    )


def _in(wanted: str, names: Sequence[str]) -> bool:
    return not wanted or wanted in names


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(f"since {text}", "is no date or time", "write 2026-10-01 or 2026-10-01T14:30") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
