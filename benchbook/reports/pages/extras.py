"""What the page of a run asks beyond the terminal's view: the pictures' rows, some trials' spans, the raw files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchbook.history import ask, ask_many, damaged, run_row
from benchbook.history.selecting import select_side
from benchbook.records import TEAM_WORKLOADS
from benchbook.reports.gather import RunView
from benchbook.results.paths import journal_folder, table_folder
from benchbook.results.schemas import TABLES

Row = Mapping[str, Any]
LOAD_AXES = ("concurrency", "rate")
"""What a series of runs is a sweep along; others (rounds of an experiment) are no load."""
_ASKED = ("errors_by_time", "gap_tail", "over_time", "cost_quality")
_MOST_TRIALS = 10
"""Timelines on a page."""


@dataclass(frozen=True, slots=True)
class Extras:
    """Rows by question, empty where nothing was asked.

    facts: the row of `runs`; sweep: points of the sweep that the run belongs to; trials: rows of `telling_trials`;
    spans: their rows of `timeline` by trial; files: names under the results folder, with what each holds;
    damaged: those that readers pass over, with the reason.
    """

    facts: Row = field(default_factory=dict)
    errors_by_time: Sequence[Row] = ()
    gap_tail: Sequence[Row] = ()
    over_time: Sequence[Row] = ()
    cost_quality: Sequence[Row] = ()
    wall_curves: Sequence[Row] = ()
    sweep: Sequence[Row] = ()
    trials: Sequence[Row] = ()
    spans: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    files: Sequence[tuple[str, str]] = ()
    damaged: Sequence[tuple[str, str]] = ()


def more(results: str | Path, view: RunView) -> Extras:
    """What belongs on the page of the run that `view` shows."""
    run_id = str(view.run["run_id"])
    facts = run_row(results, run_id)
    agents = any(row["workload"] in TEAM_WORKLOADS for row in view.targets)
    asked = (*_ASKED, "wall_curves", "telling_trials") if agents else _ASKED
    rows = ask_many(asked, results, runs=(run_id,), confidence=view.confidence)
    trials = _chosen(rows.pop("telling_trials", []))
    return Extras(
        facts=facts,
        sweep=_sweep(results, facts, view.confidence),
        trials=trials,
        spans=_spans(results, run_id, trials),
        files=tuple(_files(Path(results), run_id)),
        damaged=tuple(_damaged(Path(results), run_id)),
        **rows,
    )


def _chosen(trials: Sequence[Row]) -> list[Row]:
    """What failed first, then the slowest and the medians, as far as the page has room."""
    order = ("failed", "slowest", "median")
    ranked = sorted(trials, key=lambda row: (order.index(row["which"]), row["target"], row["workload"], row["team"]))
    kept = {row["trial_id"] for row in ranked[:_MOST_TRIALS]}
    return [row for row in trials if row["trial_id"] in kept]


def _spans(results: str | Path, run_id: str, trials: Sequence[Row]) -> dict[str, list[Row]]:
    if not trials:
        return {}
    wanted = ",".join(str(row["trial_id"]) for row in trials)
    found: dict[str, list[Row]] = {}
    for row in ask("timeline", results, runs=(run_id,), trial=wanted):
        found.setdefault(row["trial_id"], []).append(row)
    return found


def _sweep(results: str | Path, facts: Row, confidence: float) -> list[Row]:
    """The points of the run's own sweep; none where it belongs to no sweep of loads."""
    if facts.get("sweep_axis") not in LOAD_AXES:
        return []
    runs = select_side(results, f"sweep={facts['sweep_id']}").runs
    rows = ask("sweep", results, runs=runs, confidence=confidence)
    return [row for row in rows if row["sweep_id"] == facts["sweep_id"]]


def _damaged(results: Path, run_id: str) -> list[tuple[str, str]]:
    """Where, from the results folder on, and why."""
    return [(each.file.removeprefix(f"{results}/"), each.why) for each in damaged(results, runs=(run_id,))]


def _files(results: Path, run_id: str) -> list[tuple[str, str]]:
    """The run's raw and derived files that are there, relative to the results folder."""
    journal = journal_folder(results) / run_id
    raw = [(path, "raw, one finished trial a line") for path in sorted(journal.glob("segment-*.ndjson"))]
    tables = ((table, table_folder(results, table) / f"run_id={run_id}" / "part-0.parquet") for table in TABLES)
    derived = [(path, f"table {table}, derived from the journal") for table, path in tables if path.is_file()]
    return [(path.relative_to(results).as_posix(), what) for path, what in (*raw, *derived)]
