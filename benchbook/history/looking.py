"""Rows as they are stored, for whoever looks at one run's trials or at one trial from end to end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchbook.errors import UserError
from benchbook.history.questions import ask_many, select
from benchbook.history.views import quoted
from benchbook.records import TEAM_WORKLOADS

Row = Mapping[str, Any]

_HELD = """
select run_id, list_sort(list(distinct workload)) as workloads
from trials
group by run_id
"""
_TRIALS = """
select trial_id, target, workload, dataset, test_id, phase, repetition, status, error_kind, ttft_ms, e2e_ms, wall_ms,
    tokens_out, cost_usd, score
from trials
where {}
order by position, trial_id
limit {:d}
"""
_OF_TRIAL = "select * from {} where trial_id = {} order by all"
_RAW = ("trials", "calls", "responses", "scores")
FILTERS = ("target", "workload", "status", "phase")


@dataclass(frozen=True, slots=True)
class RawTrial:
    """One trial's rows by table, its attempts (question `retries`) and spans (question `timeline`)."""

    run_id: str
    trial: Row
    calls: Sequence[Row]
    responses: Sequence[Row]
    scores: Sequence[Row]
    attempts: Sequence[Row]
    spans: Sequence[Row]


def workloads_of(results: str | Path) -> dict[str, list[str]]:
    """Run id -> its workloads."""
    return {row["run_id"]: row["workloads"] for row in select(Path(results), _HELD)}


def trials_of(results: str | Path, run_id: str, chosen: Mapping[str, str], most: int) -> list[Row]:
    """The first trials of a run in order of the plan, those that are as chosen (keys: FILTERS)."""
    equal = [f"{name} = {quoted(chosen[name])}" for name in FILTERS if chosen.get(name)]
    return list(select(Path(results), _TRIALS.format(" and ".join(equal) or "true", most), runs=(run_id,)))


def raw_trial(results: str | Path, run_id: str, trial_id: str) -> RawTrial:
    """All that is stored of one trial. Raises UserError where the run has none of that id."""
    of = {table: select(Path(results), _OF_TRIAL.format(table, quoted(trial_id)), runs=(run_id,)) for table in _RAW}
    if not of["trials"]:
        raise UserError(f"trial {trial_id}", f"no trial of {run_id} has this id", "see the list of its trials")
    (trial,) = of["trials"]
    asked = ("retries", "timeline") if trial["workload"] in TEAM_WORKLOADS else ("retries",)
    rows = ask_many(asked, results, runs=(run_id,), trial=trial_id)
    own = {name: [row for row in found if row["trial_id"] == trial_id] for name, found in rows.items()}
    spans = [row for row in own.get("timeline", ()) if row["span_id"] is not None]
    return RawTrial(run_id, trial, of["calls"], of["responses"], of["scores"], own["retries"], spans)
