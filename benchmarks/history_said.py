"""What is said of a made run's trials and calls: scores, spans, responses, events, checks, and the run itself."""

from __future__ import annotations

import json
from datetime import timedelta

import numpy as np
import pyarrow as pa

from benchbook.results.schemas import SCHEMA_VERSION
from benchmarks.history_made import (
    CONCURRENCY,
    DATASETS,
    FIRST,
    HOURS_APART,
    MS,
    TARGETS,
    US,
    Columns,
    Made,
    ids,
    offset,
    picked,
)

WORDS = np.array(
    [
        "the",
        "run",
        "took",
        "a",
        "little",
        "longer",
        "than",
        "it",
        "did",
        "before",
        "and",
        "nobody",
        "can",
        "say",
        "why",
        "so",
        "far",
    ]
)


def scores_of(trials: Columns, rng: np.random.Generator) -> Columns:
    judged = np.flatnonzero(~np.isnan(trials["score"]))
    value = trials["score"][judged]
    return {
        "trial_id": pa.array(trials["trial_id"]).take(pa.array(judged)),
        "scorer": picked(("contains", "exact"), rng.integers(0, 2, len(judged))),
        "value": value,
        "passed": value >= 0.5,
        "detail": picked(("looked for what was expected",), np.zeros(len(judged), int)),
    }


def spans_of(trials: Columns, calls: Columns) -> Columns:
    """A span of the agent, one of each call, and one of the tool that follows it."""
    count, rows = len(trials["trial_id"]), len(calls["trial_id"])
    names, of_call = pa.array(trials["trial_id"]), calls["trial_id"]
    kinds = np.repeat([0, 1, 2], [count, rows, rows])
    sent, closed = calls["sent_ns"], calls["closed_ns"]
    started = np.concatenate([trials["started_ns"], sent, closed])
    ended = np.concatenate([trials["ended_ns"], closed, closed + 200 * US])
    own = np.where(kinds == 0, np.nan, (ended - started) / MS)
    span_ids = list(ids(count + 2 * rows, 4))
    return {
        "trial_id": pa.concat_arrays([names, of_call.cast("string"), of_call.cast("string")]),
        "span_id": span_ids,
        "kind": picked(("agent", "model", "tool"), kinds),
        "name": picked(("assistant", "model", "search", "sql"), kinds + (kinds == 2) * (np.arange(len(kinds)) % 2)),
        "agent": picked(("assistant",), np.zeros(len(kinds), int)),
        "status": picked(("ok", "error"), (np.arange(len(kinds)) % 97 == 0).astype(int)),
        "call_id": picked(calls["call_id"], np.where(kinds == 1, np.arange(len(kinds)) - count, -1)),
        "started_ns": started, "ended_ns": ended, "duration_ms": (ended - started) / MS,
        "own_ms": own, "critical_ms": own,
        "input": picked(("{}",), np.zeros(len(kinds), int)), "detail": picked(("{}",), np.zeros(len(kinds), int)),
    }  # fmt: skip


def responses_of(calls: Columns, rng: np.random.Generator) -> Columns:
    rows = len(calls["call_id"])
    texts = [" ".join(rng.choice(WORDS, 40)) for _ in range(500)]
    return {
        "trial_id": calls["trial_id"], "call_id": calls["call_id"], "turn": calls["turn"],
        "attempt": calls["attempt"], "text": picked(texts, rng.integers(0, len(texts), rows)),
        "tool_calls": picked(("[]",), np.zeros(rows, int)),
    }  # fmt: skip


def events_of(run: Made, trials: Columns, rng: np.random.Generator) -> Columns:
    """A second of the harness each, and in some runs a breaker that opens and closes."""
    seconds = int(trials["ended_ns"].max() // (1000 * MS)) + 1
    details = [json.dumps({"seconds": 1.0, "loop_lag_max_ms": round(lag, 3)}) for lag in rng.exponential(1.5, seconds)]
    at = np.arange(1, seconds + 1) * 1000 * MS
    found: Columns = {"at_ns": at, "kind": ["harness"] * seconds, "name": ["second"] * seconds, "detail": details}
    if run.number % 8 == 0:
        states = [("open", 20), ("half_open", 30), ("closed", 31)]
        found["at_ns"] = np.concatenate([at, [second * 1000 * MS for _, second in states]])
        found["kind"] += ["breaker"] * 3
        found["name"] += [state for state, _ in states]
        found["detail"] += [json.dumps({"reason": "failures", "failures": 9, "calls": 20, "openings": 1})] * 3
    rows = len(found["kind"])
    found["target"] = [None] * seconds + [TARGETS[0]] * (rows - seconds)
    found["wall_offset_ns"] = np.full(rows, offset(run))
    return found | {"happened_at": pa.array((found["at_ns"] + offset(run)) // US, pa.timestamp("us", "UTC"))}


def checks_of() -> Columns:
    names = [f"{column} is there" for column in ("trial_id", "status", "target", "e2e_ms", "tokens_out", "score")]
    return {
        "suite": ["result"] * 6, "subject": ["trials"] * 6, "name": names, "success": [True] * 5 + [False],
        "severity": ["critical"] * 5 + ["warning"], "observed": [9_000] * 6, "unexpected": [0] * 5 + [7],
        "failures": [[]] * 5 + [["7 trials have no score"]],
    }  # fmt: skip


def run_of(run: Made, trials: Columns) -> Columns:
    at = FIRST + timedelta(hours=HOURS_APART * run.number)
    wall_s = float(trials["ended_ns"].max() - trials["started_ns"].min()) / 1e9
    statuses = trials["status"].value_counts().to_pylist()
    counts = {row["values"]: row["counts"] for row in statuses}
    plan = {"sections": {"execute": {"load": {"kind": "closed", "concurrency": CONCURRENCY}}, "aggregate": {}}}
    facts: Columns = {
        "plan_hash": f"{run.number % 4:064x}", "workload_hash": f"{run.workload}-{(run.number // 250) % 3}",
        "started_at": at, "ended_at": at + timedelta(seconds=wall_s), "status": "finished",
        "verdict": "INVALID" if run.number % 41 == 0 else "DEGRADED" if run.number % 6 == 0 else "VALID",
        "reasons": ["some calls were slow to start"] if run.number % 6 == 0 else [],
        "reason_codes": [{"code": "lag", "severity": "DEGRADED", "value": 2.0}] * (run.number % 6 == 0),
        "planned": len(trials["trial_id"]), "succeeded": counts.get("success", 0), "failed": counts.get("failure", 0),
        "timed_out": counts.get("timeout", 0), "skipped": counts.get("skipped", 0), "not_started": 0,
        "achieved_per_s": len(trials["trial_id"]) / wall_s, "wall_s": wall_s, "cost_usd": 1.5, "sessions": 1,
        "git_commit": f"{run.number // 40:040x}", "git_dirty": False, "lock_hash": "0" * 64, "host": "bench-1",
        "dataset_versions": [(name, "1.0.0") for name in DATASETS],
        "versions": [("benchbook", f"0.{run.number // 200}.0"), ("python", "3.13.5")],
        "host_fingerprint": [("cpu", "8 cores"), ("kernel", "6.12")], "harness_loop_lag_p99_ms": 0.8,
        "calibration_ttft_bias_ms": 0.05, "calibration_ttft_u_ms": 0.02, "plan": json.dumps(plan),
        "store_params": json.dumps({"max_failure_share": 0.1}), "journal_hash": run.run_id,
        "schema_version": SCHEMA_VERSION,
    }  # fmt: skip
    if run.number % 100 < 5:
        facts |= {"sweep_id": f"sweep-{run.number // 100}", "sweep_axis": "concurrency",
                  "sweep_value": float(2 ** (run.number % 100))}  # fmt: skip
    return {name: [value] for name, value in facts.items()}
