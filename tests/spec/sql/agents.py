"""Histories of agents out of a seed: random trees of spans in trials of each workload, with what the store computes."""

from __future__ import annotations

import json
import random
from typing import Any

from benchbook.measure.agents import work
from benchbook.records import PlannedTrial, Span, Trial
from benchbook.results.rows import span_row
from tests.spec.sql.stored import Row, Stored, run_row, trial_row

TEAMS = {"api": ("",), "agent": ("assistant",), "multi_agent": ("supervisor", "swarm"), "workflow": ("research",)}
TOOLS = ("sql", "search", "python")
MS = 1_000_000


def agents_history(seed: int, cases: int = 8, repetitions: int = 3) -> Stored:
    """One run, two targets; `beta` has no prices, and fails more often."""
    rng, stored = random.Random(seed), Stored()
    stored.rows["runs"].append(run_row("r1"))
    for target in ("alpha", "beta"):
        for workload, teams in TEAMS.items():
            for team in teams:
                for number in range(cases * repetitions):
                    facts: Row = {"target": target, "workload": workload, "team": team}
                    facts |= {"test_id": f"c{number % cases}", "repetition": number // cases}
                    facts["phase"] = "warmup" if rng.random() < 0.05 else "measured"
                    _trial(rng, stored, facts)
    return stored


def _trial(rng: random.Random, stored: Stored, facts: Row) -> None:
    number = len(stored.rows["trials"])
    wall_ns = rng.randint(200, 3000) * MS + rng.randint(0, MS)
    started_ns = number * 5_000 * MS
    facts["status"] = rng.choices(("success", "failure", "skipped"), (8, 3 if facts["target"] == "beta" else 1, 1))[0]
    row = trial_row("r1", number, **facts, started_ns=started_ns, ended_ns=started_ns + wall_ns)
    row["trial_id"] = trial_id = f"{rng.getrandbits(32):08x}{number:04d}"
    spans = (
        () if row["status"] == "skipped" else _spans(rng, trial_id, facts["workload"], (started_ns, row["ended_ns"]))
    )
    trial = Trial(_planned(row), row["status"], started_ns, started_ns, row["ended_ns"], spans=spans)
    done = work(trial, spans)
    row |= done.columns.values
    row |= {"wall_ms": wall_ns / 1e6, "calls": sum(span.kind == "model" for span in spans)}
    row |= {"tokens_in": rng.choice([None, 50, 900]), "tokens_out": rng.randint(1, 300)}
    row["cost_usd"] = rng.random() / 100 if facts["target"] == "alpha" else None
    row["score"] = rng.choice([0.0, 1.0]) if row["status"] == "success" else None
    row["provenance"] = done.columns.provenance
    if row["status"] == "skipped":
        row |= dict.fromkeys(("wall_ms", "cost_usd", "tokens_in", "tokens_out", *done.columns.values))
    stored.rows["trials"].append(row)
    stored.rows["spans"] += [
        span_row("r1", trial_id, span, done.own_ns.get(span.span_id), done.critical_ns.get(span.span_id))
        for span in spans
    ]
    if row["score"] is not None:
        score = {"run_id": "r1", "trial_id": trial_id, "scorer": "contains", "value": row["score"]}
        stored.rows["scores"].append({**score, "passed": row["score"] == 1})


def _planned(row: Row) -> PlannedTrial:
    names = (
        "trial_id",
        "position",
        "dataset",
        "test_id",
        "category",
        "target",
        "workload",
        "repetition",
        "phase",
        "team",
    )
    return PlannedTrial(dataset_version="", prompt_sha256="", seed=0, **{name: row[name] for name in names})


def _spans(rng: random.Random, trial_id: str, workload: str, wall: tuple[int, int]) -> tuple[Span, ...]:
    """Random branches inside a trial; parents hold what is inside them, and some branches run side by side."""
    spans: list[Span] = []
    todo: list[tuple[str | None, tuple[int, int], str, int]] = [(None, wall, "", 0)]
    while todo:
        parent, (low, high), agent, depth = todo.pop()
        for _ in range(rng.randint(1, 3)):
            start, end = sorted((rng.randint(low, high), rng.randint(low, high)))
            kind = "model" if workload == "api" else rng.choice(_inside(depth))
            name, status = _name(rng, kind), rng.choices(("ok", "error", "cancelled"), (8, 1, 1))[0]
            own = name if kind == "agent" else agent
            facts: dict[str, Any] = {"agent": own, "status": status, "error": "no" if status == "error" else None}
            facts |= {
                "input": f"in {len(spans)}",
                "output": f"out {len(spans)}",
                "detail": {"attempt": rng.randint(1, 2)},
            }
            spans.append(Span(f"{trial_id}-{len(spans)}", parent, kind, name, start, end, **facts))
            if kind in ("agent", "round", "handoff", "node", "step") and depth < 4:
                todo.append((spans[-1].span_id, (start, end), own, depth + 1))
    return tuple(spans)


def _inside(depth: int) -> tuple[str, ...]:
    groups = ("agent", "handoff", "round", "node", "step") if depth else ("agent", "agent", "node", "step")
    return (*groups, *(("model", "tool", "human_wait", "rate_limit_wait") if depth else ()))


def _name(rng: random.Random, kind: str) -> str:
    if kind == "tool":
        return rng.choice(TOOLS)
    return rng.choice(("ann", "bob", "cyd")) if kind in ("agent", "handoff", "node") else kind


def detail(row: Row) -> dict[str, Any]:
    """A stored span's detail."""
    found: dict[str, Any] = json.loads(row["detail"])
    return found
