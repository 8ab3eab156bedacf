"""Which stored run another may be held against: the one before it that asked the same."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchbook.history.questions import select
from benchbook.results.runs import stored_runs

_NEAR = 20
"""Older runs that are looked at: a hint is not worth reading a whole history."""

_ALIKE = "select run_id, workload_hash from runs where verdict is distinct from 'INVALID' order by run_id"


def older_alike(results: Path, run: Mapping[str, Any]) -> str | None:
    """The newest run before `run` (its row, with `workload_hash`) that asked the same and is not INVALID, if any."""
    older = [run_id for run_id in stored_runs(results) if run_id < run["run_id"]][-_NEAR:]
    if not older or not run["workload_hash"]:
        return None
    rows = select(results, _ALIKE, runs=older)
    return next((str(row["run_id"]) for row in reversed(rows) if row["workload_hash"] == run["workload_hash"]), None)
