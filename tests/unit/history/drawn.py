"""Stored histories with a known course: runs of one workload, a level each, on days that follow one another."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.spec.sql.stored import Stored, run_row, trial_row, write_part

FIRST = datetime(2026, 9, 1, 8, 0, tzinfo=UTC)


def run_name(number: int) -> str:
    """Run ids that sort as their runs follow."""
    return f"202609{number:04d}"


def history(
    levels: Sequence[float], facts: dict[int, dict[str, Any]] | None = None, hours: Sequence[int] = ()
) -> Stored:
    """A run a level of e2e_ms: six trials of six cases around it. facts: columns of `runs` from that run on."""
    stored = Stored()
    now: dict[str, Any] = {"git_commit": "c0ffee0000", "host": "bench", "plan_hash": "p1", "git_dirty": False}
    for number, level in enumerate(levels):
        now |= (facts or {}).get(number, {})
        hour = hours[number % len(hours)] if hours else 0
        at = FIRST + timedelta(days=number, hours=hour)
        add_run(stored, run_name(number), level, {**now, "started_at": at})
    return stored


def add_run(stored: Stored, run_id: str, level: float, facts: dict[str, Any], target: str = "alpha") -> None:
    """One run of one target, each of its trials near the level; `served` becomes the model that its call names."""
    served = facts.get("served", "m-1")
    row = {name: value for name, value in facts.items() if name != "served"}
    if run_id not in {run["run_id"] for run in stored.rows["runs"]}:
        stored.rows["runs"].append(run_row(run_id, **row))
    for case in range(6):
        off = (case - 2.5) / 50
        trial = trial_row(run_id, case, target=target, test_id=f"c{case}", e2e_ms=math.exp(level + off))
        stored.rows["trials"].append({**trial, "trial_id": f"{target}{case}", "price_date": "2026-11"})
    call = {"run_id": run_id, "trial_id": f"{target}0", "call_id": f"{target}-call", "target": target}
    stored.rows["calls"].append(call | {"model_served": served, "attempt": 1, "phase": "measured"})


def course(seed: int, runs: int, at: int | None = None, by: float = 0.0) -> list[float]:
    """Levels about ln(500 ms) with a spread of 2 %, and a step."""
    rng = random.Random(seed)
    return [math.log(500) + rng.gauss(0, 0.02) + (by if at is not None and n >= at else 0.0) for n in range(runs)]


def stored(folder: Path, levels: Sequence[float], facts: dict[int, dict[str, Any]] | None = None) -> Path:
    """As `history`, written."""
    return written(history(levels, facts), folder)


def written(kept: Stored, folder: Path) -> Path:
    """Only the tables that histories are read from: a hundred files are quick, and eight hundred are not."""
    for run in kept.rows["runs"]:
        for table in ("runs", "trials", "calls"):
            rows = [row for row in kept.rows[table] if row["run_id"] == run["run_id"]]
            write_part(folder / "results", table, run["run_id"], rows)
    return folder / "results"
