"""What an experiment could show and would cost: the plan's forecast beside the spread of its stored runs.

Costs and durations are those of `benchbook plan`: a run of a target costs at most so much and takes about so long, and
an experiment with n runs a side makes 2 n of them, one after the other. A target without a price costs null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from benchbook.errors import PlanError, UserError
from benchbook.history.planning import RUNS, Wished, outlook
from benchbook.history.rules import GATED
from benchbook.metrics import COMPARED
from benchbook.stages import Job
from benchbook.stages.forecast import forecast
from benchbook.stats.verdicts import Margins

Row = dict[str, Any]


def power_outlook(job: Job, chosen: Mapping[str, Any]) -> Row:
    """What n runs a side of the job's plan show, and the runs that a wished change takes, with their cost.

    chosen: targets and metrics (names, empty for all), runs (a side, or None), change (a share), power.
    Keys: plan, workload_hash, change, power, confidence; targets: per run of each trials, cost_usd_run, duration_s_run,
    basis; rows: those of `history.planning.outlook`, with cost_usd and duration_s of both sides for the wished change
    and in each of their `seen`. Raises UserError where no two stored runs of the workload tell how far runs lie apart.
    """
    found = forecast(job)
    rows = {row["target"]: row for row in found["targets"]}
    wished = _wished(found, list(rows), chosen, job)
    answers = outlook(job.results, wished)
    _require_known(answers, job, wished.targets[0])
    return {
        "plan": found["plan"],
        "workload_hash": found["workload_hash"],
        **{name: value for name, value in asdict(wished).items() if name in ("change", "power", "confidence")},
        "targets": [_run_of(rows[name]) for name in wished.targets],
        "rows": [_priced(answer, rows[answer["target"]]) for answer in answers],
    }


def _wished(found: Mapping[str, Any], planned: Sequence[str], chosen: Mapping[str, Any], job: Job) -> Wished:
    for name in chosen["targets"]:
        if name not in planned:
            raise PlanError("--target", f"the plan has no target {name!r}", f"one of {', '.join(planned)}")
    for name in chosen["metrics"]:
        if name not in COMPARED:
            raise UserError("--metric", f"no metric {name!r}", f"one of {', '.join(COMPARED)}")
    section = job.spec().aggregate
    return Wished(
        workload_hash=found["workload_hash"],
        targets=tuple(dict.fromkeys(chosen["targets"])) or tuple(planned),
        change=chosen["change"],
        runs=(chosen["runs"],) if chosen["runs"] else RUNS,
        metrics=tuple(dict.fromkeys(chosen["metrics"])) or tuple(section.gate or ()) or GATED,
        margins=Margins(section.margin_median, section.margin_p95, section.margin_share),
        confidence=section.confidence,
        power=chosen["power"],
    )


def _require_known(answers: Sequence[Row], job: Job, target: str) -> None:
    if any(row["refused"] is None for row in answers):
        return
    stored = max((row["runs"] for row in answers), default=0)
    reason = next((row["refused"] for row in answers if row["runs"] == stored and stored > 1), None)
    runs = f"{stored or 'no'} run{'' if stored == 1 else 's'} of this workload"
    raise UserError(
        job.results,
        reason or f"holds {runs}, and it takes 2 to know how far runs lie apart",
        f"`benchbook aa {target} --plan {job.plan}` measures it",
    )


def _run_of(row: Mapping[str, Any]) -> Row:
    return {
        "target": row["target"],
        "trials": row["trials"],
        "cost_usd_run": row["cost_usd_most"],
        "duration_s_run": row["duration_s"],
        "basis": row["basis"],
    }


def _priced(answer: Row, run: Mapping[str, Any]) -> Row:
    seen = [{**one, **_spent(one["runs"], run)} for one in answer["seen"]]
    return {**answer, "seen": seen, **_spent(answer["runs_changed"] or answer["runs_clear"], run)}


def _spent(runs: int | None, run: Mapping[str, Any]) -> Row:
    """Of 2 x runs; None where the runs or the price are unknown."""
    cost, taken = run["cost_usd_most"], run["duration_s"]
    return {
        "cost_usd": None if runs is None or cost is None else 2 * runs * cost,
        "duration_s": None if runs is None else 2 * runs * taken,
    }
