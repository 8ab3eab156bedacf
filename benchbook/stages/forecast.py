"""What a plan would take and cost: estimates before a run, each with what it rests on; never stored as measured.

Duration rests on the newest measured run of the same target name where the history has one, else on an assumed
two seconds a trial, or turn of a conversation. Cost is an upper bound: every answer as long as `max_tokens` allows,
prompts at four characters a token; of a team, what its limits let it spend.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchbook.clock import today
from benchbook.config import PlanSpec
from benchbook.config.prices import price_notes
from benchbook.datasets import files, read
from benchbook.records import PlannedTrial, Target, Team
from benchbook.runner.demands import Demands, demands, require_met, team_bounds
from benchbook.runner.plan import Plan, freeze
from benchbook.schedules import think_ns
from benchbook.stages import Job

ASSUMED_TRIAL_S = 2.0


def forecast(job: Job) -> dict[str, Any]:
    """Trials, expected duration and highest cost, per target and in all. Raises UserError."""
    spec = job.spec()
    plan = freeze(spec, [read(path).dataset for path in files(spec.validate_.datasets)])
    seen = _seen_trial_s(Path(job.results))
    require_met(plan)
    asked = demands(plan)
    rows = [_target_row(plan, name, asked[name], seen) for name in plan.targets]
    costs = [row["cost_usd_most"] for row in rows]
    warmup = sum(trial.phase == "warmup" for trial in plan.trials)
    return {
        "plan": spec.source,
        "plan_hash": plan.plan_hash,
        "workload_hash": plan.workload_hash,
        "trials": len(plan.trials),
        "warmup": warmup,
        "measured": len(plan.trials) - warmup,
        "load": load_words(spec),
        "measured_by": _measured_by(plan),
        "cache": spec.execute.cache,
        "duration_s": (max if spec.execute.order == "interleaved" else sum)(row["duration_s"] for row in rows),
        "cost_usd_most": None if None in costs else math.fsum(costs),
        "targets": rows,
        "notes": list(price_notes(spec, today())),
        "teams": _team_rows(plan),
    }


def load_words(spec: PlanSpec) -> str:
    """The load as a line: `poisson, rate 5`."""
    fields = spec.execute.load.model_dump(exclude_none=True)
    return ", ".join([fields.pop("kind"), *(f"{name} {_plain(value)}" for name, value in fields.items())])


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name} {_plain(part)}" for name, part in value.items())
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_plain(part) for part in value) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _measured_by(plan: Plan) -> str:
    """What decides how many measured trials there are."""
    load, execute = plan.load, plan.spec.execute
    if load.count is not None:
        return f"the load: {load.count} trials a target fill its {load.lasts_s or 0:g} s, cases in turn"
    planned = "repetitions" if execute.trials is None else f"trials: {execute.trials} a target, cases in turn"
    if load.lasts_s is None:
        return planned
    return f"{planned}; at most, for what {load.lasts_s:g} s leave over is skipped"


def _target_row(plan: Plan, name: str, asked: Demands, seen: dict[tuple[str, str], float]) -> dict[str, Any]:
    target = plan.targets[name]
    trials = [trial for trial in plan.trials if trial.target == name]
    numbers = Counter(trial.workload for trial in trials)
    assumed_s = {kind: _assumed_s(plan, trials, kind) for kind in numbers}
    in_all_s = math.fsum(seen.get((name, kind), assumed_s[kind]) * number for kind, number in numbers.items())
    trial_s = in_all_s / max(1, len(trials))
    known = all((name, kind) in seen for kind in numbers)
    return {
        "target": name,
        "provider": target.provider,
        "model": target.model,
        "streamed": target.stream,
        "trials": len(trials),
        "duration_s": _duration_s(plan, trials, trial_s),
        "cost_usd_most": asked.cost_usd,
        "asks": asdict(asked),
        "basis": "history"
        if known
        else f"assumes {ASSUMED_TRIAL_S:g} s a {'turn' if 'session' in numbers else 'trial'}",
    }


def _assumed_s(plan: Plan, trials: Sequence[PlannedTrial], workload: str) -> float:
    """How long a trial of the workload is taken to last on average: a conversation by its turns and pauses."""
    if workload != "session":
        return ASSUMED_TRIAL_S
    later = [plan.prompts[one.dataset, one.test_id].rendered.later for one in trials if one.workload == workload]
    pauses_s = math.fsum(turn.think_s for turns in later for turn in turns)
    return ASSUMED_TRIAL_S * (1 + sum(map(len, later)) / len(later)) + pauses_s / len(later)


def _team_rows(plan: Plan) -> list[dict[str, Any]]:
    """Each team, and how far one trial of it may go on each target with the prompt that takes it furthest."""
    return [
        {
            "workload": workload,
            "team": team.name,
            "kind": team.kind,
            "file": team.path,
            "members": [member.name for member in team.members],
            "trial_most": {name: _furthest(plan, team, target) for name, target in plan.targets.items()},
        }
        for workload, teams in plan.spec.teams.items()
        for team in teams
    ]


def _furthest(plan: Plan, team: Team, target: Target) -> dict[str, Any]:
    found = [asdict(team_bounds(plan, team, target, prompt)) for prompt in plan.prompts.values()]
    unknown = (None in (one[name] for one in found) for name in found[0])
    return {
        name: None if missing else max(one[name] for one in found)
        for name, missing in zip(found[0], unknown, strict=True)
    }


def _duration_s(plan: Plan, trials: Sequence[PlannedTrial], trial_s: float) -> float:
    load, execute = plan.load, plan.spec.execute
    last_ns = max((trial.intended_offset_ns or 0 for trial in plan.trials), default=0)
    if load.slots is None:
        return last_ns / 1e9 + trial_s
    pause_s = execute.delay_s
    if execute.think_s is not None:
        law = execute.think_s.model_dump()
        pause_s += sum(think_ns(law, trial.seed) for trial in trials) / 1e9 / max(1, len(trials))
    in_turn_s = math.ceil(len(trials) / load.slots) * (trial_s + pause_s)
    return in_turn_s if load.lasts_s is None else min(in_turn_s, load.lasts_s + trial_s)


def _seen_trial_s(results: Path) -> dict[tuple[str, str], float]:
    """Median wall seconds of a trial by target name and workload, from the newest run that measured it."""
    from benchbook.history import ask

    if not (results / "tables" / "trials").is_dir():
        return {}
    return {(row["target"], row["workload"]): row["wall_ms_p50"] / 1000 for row in ask("trial_time", results)}
