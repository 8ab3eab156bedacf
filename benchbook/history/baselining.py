"""Setting a named baseline: the run must be stored, have asked the target, have finished and not be INVALID."""

from __future__ import annotations

from pathlib import Path

from benchbook.errors import UserError
from benchbook.history.questions import select
from benchbook.results.baselines import ARCHIVE, Baseline, standing, write
from benchbook.results.runs import find_run, not_stored

_HELD = "select distinct target from trials"


def put(results: str | Path, action: str, named: tuple[str, str], run: str, at: str) -> Baseline:
    """Set, update or archive the baseline (name, target). run: as a person types it; of an archive the one that holds.

    at: now, UTC, ISO 8601. Raises UserError with what would be right.
    """
    results = Path(results)
    name, target = named
    if action == ARCHIVE:
        holds = [one for one in standing(results) if (one.name, one.target) == named]
        run_id = holds[0].run_id if holds else ""
    else:
        run_id = _fit(results, find_run(results, run), target)
    update = Baseline(name, target, action, run_id, at)
    write(results, update)
    return update


def _fit(results: Path, run_id: str, target: str) -> str:
    rows = select(results, "select status, verdict from runs", runs=(run_id,))
    if not rows:
        raise not_stored(results, run_id)
    held = sorted(row["target"] for row in select(results, _HELD, runs=(run_id,)))
    if target not in held:
        raise UserError(target, f"was not asked in run {run_id}", f"one of {', '.join(held)}")
    (row,) = rows
    if row["verdict"] == "INVALID" or row["status"] != "finished":
        what = "INVALID" if row["verdict"] == "INVALID" else row["status"]
        raise UserError(run_id, f"is {what}: nothing can be held against it", "choose another, see `benchbook runs`")
    return run_id
