"""The rows of `history.py`: one run out of a seed, as whole columns, in the product's own schemas.

Nothing is measured here. Every run asks the same cases of several targets, whose level drifts, steps and differs from
run to run; some calls fail, are throttled and tried again. One run in ten is of conversations, one in ten of agents;
one in five keeps its answers; some belong to a sweep.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from benchbook.results.schemas import SCHEMA_VERSION, TABLES

Columns = dict[str, Any]

FIRST = datetime(2026, 1, 5, 6, 0, tzinfo=UTC)
HOURS_APART = 7
TARGETS = ("anthropic-large", "anthropic-small", "bedrock-claude", "ollama-llama", "openai-large", "openai-small")
BASE_MS = (420.0, 210.0, 460.0, 90.0, 350.0, 180.0)
DATASETS = ("coding-tasks", "reasoning-tasks", "summarization-tasks")
CASES = 40
CONCURRENCY = 32
WALL_NS, MS, US = 1_767_590_000_000_000_000, 1_000_000, 1_000
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


@dataclass(frozen=True, slots=True)
class Made:
    """One run: its number, its id, and how many calls it has."""

    number: int
    run_id: str
    calls: int

    @property
    def workload(self) -> str:
        """What its trials do: 8 runs of 10 bare calls, one conversations, one agents."""
        return {7: "session", 3: "agent"}.get(self.number % 10, "api")

    @property
    def calls_a_trial(self) -> int:
        """Planned calls of a trial."""
        return {"api": 1, "session": 3, "agent": 4}[self.workload]


def made(number: int, calls: int) -> Made:
    """The run of this number, with an id of the product's form."""
    at = FIRST + timedelta(hours=HOURS_APART * number)
    return Made(number, f"{at:%Y%m%dT%H%M%SZ}-{(number * 2_654_435_761) & 0xFFFFFF:06x}", calls)


def tables(run: Made, seed: int) -> dict[str, pa.Table]:
    """Every table of the run; the same for the same seed."""
    rng = np.random.default_rng([seed, run.number])
    retried = max(1, run.calls // 33)
    trials, calls = _trials(run, rng, (run.calls - retried) // run.calls_a_trial, retried)
    found = {
        "trials": _table("trials", run, trials),
        "calls": _table("calls", run, calls),
        "scores": _table("scores", run, _scores(trials, rng)),
        "events": _table("events", run, _events(run, trials, rng)),
        "checks": _table("checks", run, _checks()),
        "runs": _table("runs", run, _run(run, trials)),
    }
    if run.workload == "agent":
        found["spans"] = _table("spans", run, _spans(trials, calls))
    if run.number % 5 == 0:
        found["responses"] = _table("responses", run, _responses(calls, rng))
    return found


def _table(name: str, run: Made, columns: Columns) -> pa.Table:
    rows = len(next(iter(columns.values())))
    types = TABLES[name]
    whole = {"run_id": pa.array([run.run_id]).take(pa.array(np.zeros(rows, np.int64))), **columns}
    return pa.table({column: _array(values, types.field(column).type) for column, values in whole.items()})


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    if isinstance(values, pa.Array):
        return values
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        return pa.array(values, from_pandas=True).cast(kind)
    return pa.array(values, kind)


def _picked(texts: Any, places: np.ndarray) -> pa.Array:
    """texts[place] for each place, null for a place of -1."""
    return pa.array(list(texts)).take(pa.array(places, mask=places < 0))


@lru_cache(maxsize=8)
def _ids(rows: int, salt: int) -> tuple[str, ...]:
    """Ids of sixteen hex digits, without order; the same in every run, as the same plan would give them."""
    words = np.random.default_rng([salt, rows]).integers(0, 2**63, rows)
    return tuple(f"{word:016x}" for word in words.tolist())


# ---------------------------------------------------------------- trials and calls


def _trials(run: Made, rng: np.random.Generator, count: int, retried: int) -> tuple[Columns, Columns]:
    """Trials in order of start, and their calls: so many a trial, and one more for those that are tried again."""
    each = run.calls_a_trial
    target = rng.permutation(np.arange(count) % 4) + (run.number // 250) % 3
    case = rng.integers(0, CASES * len(DATASETS), count)
    started = np.cumsum(rng.exponential(12.0, count)) * MS
    again = np.zeros(count, bool)
    again[rng.choice(count, min(retried, count), replace=False)] = True
    calls = _calls(run, rng, (target, case, started.astype(np.int64), again))
    last = np.cumsum(np.where(again, each + 1, each)) - 1
    failed = calls["failed"][last]
    timed_out = failed & (rng.random(count) < 0.2)
    skipped = rng.random(count) < 0.002
    status = np.select([skipped, timed_out, failed], [3, 2, 1], 0)
    kind = np.where(failed & ~skipped, np.where(timed_out, 2, calls["kind"][last]), -1)
    ended = calls["closed_ns"][last] + 2 * US
    wall_ms = (ended - started.astype(np.int64)) / MS
    position = np.arange(count)
    warm = position < 4 * CONCURRENCY
    metrics = {name: calls[name][last] for name in _METRICS}
    columns: Columns = {
        "trial_id": list(_ids(count, 1)),
        "dataset": _picked(DATASETS, case // CASES),
        "dataset_version": _picked(("1.0.0",), np.zeros(count, int)),
        "test_id": _picked([f"case-{n:03d}" for n in range(CASES)], case % CASES),
        "category": _picked(("easy", "hard", "tricky"), case % 3),
        "target": _picked(TARGETS, target),
        "provider": _picked([name.split("-")[0] for name in TARGETS], target),
        "model": _picked([f"{name}-2026" for name in TARGETS], target),
        "workload": _picked((run.workload,), np.zeros(count, int)),
        "team": _picked(("assistant",), np.full(count, 0 if run.workload == "agent" else -1)),
        "streamed": np.ones(count, bool),
        "repetition": position // (4 * CASES * len(DATASETS)),
        "position": position,
        "phase": _picked(("measured", "warmup"), warm.astype(int)),
        "prompt_sha256": _picked([f"{n:064x}" for n in range(CASES * len(DATASETS))], case),
        "seed": rng.integers(0, 2**31, count),
        "intended_ns": started.astype(np.int64),
        "started_ns": started.astype(np.int64) + 9 * US,
        "ended_ns": ended,
        "wall_offset_ns": np.full(count, _offset(run)),
        "started_at": pa.array((started.astype(np.int64) + _offset(run)) // US, pa.timestamp("us", "UTC")),
        "status": _picked(("success", "failure", "timeout", "skipped"), status),
        "error_kind": _picked(_ERRORS, kind),
        "error_message": _picked([f"{error}: what the provider said of it" for error in _ERRORS], kind),
        "calls": np.where(skipped, 0, np.where(again, each + 1, each)),
        "cold": warm,
        "wall_ms": np.where(skipped, np.nan, wall_ms),
        **{name: np.where(skipped, np.nan, values) for name, values in metrics.items()},
        **_tokens(calls, last, target, skipped, each),
        "price_date": _picked(("2026-11",), np.zeros(count, int)),
        "finish_reason": _picked(("stop", "length"), np.where(failed, -1, (case % 17 == 0).astype(int))),
        "end_state": _picked(("{}",), np.zeros(count, int)),
        "score": np.where((status == 0) & (case % 5 != 0), (rng.random(count) < 0.8 - 0.02 * target) * 1.0, np.nan),
        "answer_chars": rng.integers(20, 900, count),
        "provenance": _provenance(count),
    }
    if run.workload == "agent":
        columns |= _breakdown(calls, columns, (last, each))
    return columns, _as_stored(run, columns, calls)


_ERRORS = ("rate_limited", "reset", "timeout", "truncated", "overloaded")
_METRICS = (
    "ttfb_ms", "ttft_ms", "ttfo_ms", "e2e_ms", "response_ms", "decode_ms_per_token", "normalized_ms_per_token",
    "tokens_per_s_user", "schedule_lag_ms",
)  # fmt: skip


def _calls(run: Made, rng: np.random.Generator, of: tuple[np.ndarray, ...]) -> Columns:
    """Calls in order of trial, as numbers. A call that is tried again failed first, and its trial waited."""
    target, case, started, again = of
    each = run.calls_a_trial
    sizes = np.where(again, each + 1, each)
    trial = np.repeat(np.arange(len(target)), sizes)
    place = np.arange(len(trial)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    extra = np.repeat(again, sizes)
    refused = extra & (place == 0)
    level = np.array(BASE_MS)[target] * _drift(run, target)
    ttft = level[trial] * np.exp(rng.normal(0, 0.25, len(trial)) + 0.1 * np.sin(case[trial]))
    failed = refused | ((rng.random(len(trial)) < 0.012) & (place == sizes[trial] - 1))
    tokens = np.clip(rng.geometric(1 / 22, len(trial)), 2, 64)
    chunks = np.where(refused, 0, np.where(failed, tokens // 2, tokens))
    per_token = np.clip(rng.normal(11, 1.5, len(trial)), 3, None) * (1 + 0.1 * (target[trial] % 3))
    gaps = rng.exponential(1.0, int(chunks.sum())) * np.repeat(per_token, chunks)
    gaps[rng.random(len(gaps)) < 0.0008] += 400.0
    starts = np.cumsum(chunks) - chunks
    gaps[starts[chunks > 0]] = ttft[chunks > 0]
    ends = np.cumsum(gaps)
    before = np.where(starts > 0, ends[np.maximum(starts - 1, 0)], 0.0)
    offsets_us = ((ends - np.repeat(before, chunks)) * 1000).astype(np.int64)
    busy_ms = np.where(chunks > 0, offsets_us[np.maximum(starts + chunks - 1, 0)] / 1000, 5.0)
    backoff = np.where(extra & (place == 1), 100.0, 0.0)
    spent = np.cumsum(busy_ms + backoff + 0.4)
    first = np.cumsum(sizes) - sizes
    since = spent - busy_ms - np.repeat(spent[first] - busy_ms[first], sizes)
    sent = started[trial] + (since * MS).astype(np.int64) + 40 * US
    e2e = np.where(chunks > 0, busy_ms, np.nan)
    shown = chunks > 0
    decode = np.where(shown & (chunks > 2), (e2e - np.where(shown, ttft, np.nan)) / np.maximum(tokens - 1, 1), np.nan)
    return {
        "trial": trial, "place": place, "extra": extra, "refused": refused, "failed": failed, "chunks": chunks,
        "kind": np.where(refused, 0, rng.choice([1, 3, 4], len(trial))), "target": target[trial], "tokens": tokens,
        "offsets_us": offsets_us, "sent_ns": sent, "closed_ns": sent + (busy_ms * MS).astype(np.int64) + 90 * US,
        "backoff_ms": backoff, "cold": (place == 0) & (trial < 4 * CONCURRENCY),
        "prompt": 40 + (case[trial] * 37) % 900 + 60 * place,
        "ttfb_ms": np.where(shown, ttft - 0.2, 4.0), "ttft_ms": np.where(shown, ttft, np.nan),
        "ttfo_ms": np.where(shown, ttft, np.nan), "e2e_ms": e2e, "response_ms": e2e + since + 0.05,
        "decode_ms_per_token": decode, "normalized_ms_per_token": e2e / tokens, "tokens_per_s_user": 1000 / decode,
        "schedule_lag_ms": rng.exponential(0.02, len(trial)),
    }  # fmt: skip


def _drift(run: Made, target: np.ndarray) -> np.ndarray:
    """A target's level in this run: its own noise, and a step every 170 runs."""
    noise = np.random.default_rng([7, run.number]).normal(0, 0.03, len(TARGETS))
    steps = 1 + 0.12 * ((run.number + 53 * np.arange(len(TARGETS))) // 170 % 2)
    return (np.exp(noise) * steps)[target]


def _offset(run: Made) -> int:
    return WALL_NS + run.number * HOURS_APART * 3_600_000_000_000


def _tokens(calls: Columns, last: np.ndarray, target: np.ndarray, skipped: np.ndarray, each: int) -> Columns:
    """Of the whole trial; prices by target, the local one's unknown."""
    tokens_in, tokens_out = calls["prompt"][last] * each, calls["tokens"][last] * each
    cost = tokens_in * 2e-7 * (target + 1) + tokens_out * 1e-6 * (target + 1)
    unknown = skipped | (target == 3)
    return {
        "tokens_in": pa.array(tokens_in, mask=skipped), "tokens_out": pa.array(tokens_out, mask=skipped),
        "tokens_cached": pa.array(tokens_in // 4, mask=skipped), "cost_usd": np.where(unknown, np.nan, cost),
    }  # fmt: skip


def _provenance(rows: int) -> pa.Array:
    """One and the same of every row, as most rows of a run have it."""
    pairs = [(name, "measured") for name in (*_METRICS[:5], "wall_ms")] + [("cost_usd", "derived")]
    pairs += [("tokens_in", "reported"), ("tokens_out", "reported"), ("connect_ms", "missing: connection was open")]
    return pa.array([sorted(pairs)], TABLES["trials"].field("provenance").type).take(pa.array(np.zeros(rows, np.int64)))


def _breakdown(calls: Columns, trials: Columns, of: tuple[np.ndarray, int]) -> Columns:
    """How an agent's wall time splits: its model calls, its tools, its own work, in whole microseconds."""
    last, each = of
    wall_us = np.round(np.nan_to_num(trials["wall_ms"]) * 1000)
    model_us = np.minimum(np.round(np.nan_to_num(calls["e2e_ms"][last]) * 1000) * each, np.floor(wall_us * 0.8))
    tool_us = np.floor((wall_us - model_us) * 0.7)
    own_us = wall_us - model_us - tool_us
    none = np.isnan(trials["wall_ms"])
    ms = {"model_ms": model_us, "tool_ms": tool_us, "orchestration_ms": own_us, "human_wait_ms": 0 * own_us,
          "rate_limit_wait_ms": 0 * own_us, "effort_ms": model_us + tool_us, "critical_path_ms": wall_us,
          "handoff_ms": 0 * own_us, "model_effort_ms": model_us, "tool_effort_ms": tool_us}  # fmt: skip
    found: Columns = {name: np.where(none, np.nan, values / 1000) for name, values in ms.items()}
    found["wall_ms"] = np.where(none, np.nan, wall_us / 1000)
    return found | {name: np.full(len(last), n) for name, n in (("tool_calls", 3), ("tool_rounds", 3), ("handoffs", 0))}


def _as_stored(run: Made, trials: Columns, calls: Columns) -> Columns:
    """The columns of `calls`."""
    rows, trial, shown = len(calls["trial"]), calls["trial"], calls["chunks"] > 0
    names = pa.array(trials["trial_id"])
    starts, ends = np.cumsum(calls["chunks"]) - calls["chunks"], np.cumsum(calls["chunks"])
    turns, failed = run.workload != "api", calls["failed"]
    attempt = np.where(calls["extra"] & (calls["place"] == 1), 2, 1)
    turn = calls["place"] + 1 - (calls["extra"] & (calls["place"] > 0)) if turns else np.ones(rows, int)
    limits = pa.array(np.append(starts, ends[-1:]), pa.int32())
    sizes = 3 + (calls["offsets_us"] % 5)
    kinds = pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(sizes), np.int32)), pa.array(["text"])).cast("string")

    def stamp(at_us: np.ndarray) -> pa.Array:
        return pa.array(calls["sent_ns"] + at_us * US, mask=~shown)

    first_us = calls["offsets_us"][np.minimum(starts, len(sizes) - 1)]
    last_us = calls["offsets_us"][np.maximum(ends - 1, 0)]
    return {
        "trial_id": names.take(pa.array(trial)),
        "call_id": list(_ids(rows, 2)), "span_id": list(_ids(rows, 2)),
        "turn": turn, "attempt": attempt,
        "agent": _picked(("assistant",), np.full(rows, 0 if run.workload == "agent" else -1)),
        "target": _picked(TARGETS, calls["target"]),
        "provider": _picked([name.split("-")[0] for name in TARGETS], calls["target"]),
        "phase": _picked(("measured", "warmup"), (trial < 4 * CONCURRENCY).astype(int)),
        "model_requested": _picked([f"{name}-2026" for name in TARGETS], calls["target"]),
        "model_served": _picked([f"{name}-2026" for name in TARGETS], np.where(shown, calls["target"], -1)),
        "streamed": np.ones(rows, bool),
        "intended_ns": calls["sent_ns"] - 49 * US, "taken_up_ns": calls["sent_ns"] - 31 * US,
        "sent_ns": calls["sent_ns"], "first_byte_ns": stamp(first_us - 200), "first_chunk_ns": stamp(first_us),
        "first_output_ns": stamp(first_us), "last_chunk_ns": stamp(last_us), "last_byte_ns": stamp(last_us + 40),
        "closed_ns": calls["closed_ns"], "wall_offset_ns": np.full(rows, _offset(run)), "cold": calls["cold"],
        "backoff_ms": calls["backoff_ms"],
        "http_status": np.where(calls["refused"], 429, 200),
        "error_kind": _picked(_ERRORS, np.where(failed, calls["kind"], -1)),
        "error_message": _picked([f"{error}: what was said" for error in _ERRORS], np.where(failed, calls["kind"], -1)),
        "retry_after_s": np.where(calls["refused"], 0.1, np.nan),
        "request_id": list(_ids(rows, 3)),
        **{name: calls[name] for name in _METRICS},
        "connect_ms": np.where(calls["cold"], 1.5, np.nan), "tcp_ms": np.where(calls["cold"], 0.9, np.nan),
        "tls_ms": np.where(calls["cold"], 0.5, np.nan), "dns_ms": np.where(calls["cold"], 0.1, np.nan),
        "chunk_offsets_us": pa.ListArray.from_arrays(limits, pa.array(calls["offsets_us"])),
        "chunk_sizes": pa.ListArray.from_arrays(limits, pa.array(sizes)),
        "chunk_kinds": pa.ListArray.from_arrays(limits, kinds),
        "finish_reason": _picked(("stop",), np.where(failed, -1, 0)),
        "tokens_in": pa.array(calls["prompt"], mask=~shown), "tokens_out": pa.array(calls["tokens"], mask=failed),
        "tokens_cached": pa.array(calls["prompt"] // 4, mask=~shown),
        "cost_usd": np.where(failed | (calls["target"] == 3), np.nan, calls["tokens"] * 1e-6),
        "system_fingerprint": _picked(("fp_1", "fp_2"), np.full(rows, int(run.number > 600))),
        "provenance": _provenance(rows),
    }  # fmt: skip


# ---------------------------------------------------------------- what is said of them


def _scores(trials: Columns, rng: np.random.Generator) -> Columns:
    judged = np.flatnonzero(~np.isnan(trials["score"]))
    value = trials["score"][judged]
    return {
        "trial_id": pa.array(trials["trial_id"]).take(pa.array(judged)),
        "scorer": _picked(("contains", "exact"), rng.integers(0, 2, len(judged))),
        "value": value,
        "passed": value >= 0.5,
        "detail": _picked(("looked for what was expected",), np.zeros(len(judged), int)),
    }


def _spans(trials: Columns, calls: Columns) -> Columns:
    """A span of the agent, one of each call, and one of the tool that follows it."""
    count, rows = len(trials["trial_id"]), len(calls["trial_id"])
    names, of_call = pa.array(trials["trial_id"]), calls["trial_id"]
    kinds = np.repeat([0, 1, 2], [count, rows, rows])
    sent, closed = calls["sent_ns"], calls["closed_ns"]
    started = np.concatenate([trials["started_ns"], sent, closed])
    ended = np.concatenate([trials["ended_ns"], closed, closed + 200 * US])
    own = np.where(kinds == 0, np.nan, (ended - started) / MS)
    ids = list(_ids(count + 2 * rows, 4))
    return {
        "trial_id": pa.concat_arrays([names, of_call.cast("string"), of_call.cast("string")]),
        "span_id": ids,
        "kind": _picked(("agent", "model", "tool"), kinds),
        "name": _picked(("assistant", "model", "search", "sql"), kinds + (kinds == 2) * (np.arange(len(kinds)) % 2)),
        "agent": _picked(("assistant",), np.zeros(len(kinds), int)),
        "status": _picked(("ok", "error"), (np.arange(len(kinds)) % 97 == 0).astype(int)),
        "call_id": _picked(calls["call_id"], np.where(kinds == 1, np.arange(len(kinds)) - count, -1)),
        "started_ns": started, "ended_ns": ended, "duration_ms": (ended - started) / MS,
        "own_ms": own, "critical_ms": own,
        "input": _picked(("{}",), np.zeros(len(kinds), int)), "detail": _picked(("{}",), np.zeros(len(kinds), int)),
    }  # fmt: skip


def _responses(calls: Columns, rng: np.random.Generator) -> Columns:
    rows = len(calls["call_id"])
    texts = [" ".join(rng.choice(WORDS, 40)) for _ in range(500)]
    return {
        "trial_id": calls["trial_id"], "call_id": calls["call_id"], "turn": calls["turn"],
        "attempt": calls["attempt"], "text": _picked(texts, rng.integers(0, len(texts), rows)),
        "tool_calls": _picked(("[]",), np.zeros(rows, int)),
    }  # fmt: skip


def _events(run: Made, trials: Columns, rng: np.random.Generator) -> Columns:
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
    found["wall_offset_ns"] = np.full(rows, _offset(run))
    return found | {"happened_at": pa.array((found["at_ns"] + _offset(run)) // US, pa.timestamp("us", "UTC"))}


def _checks() -> Columns:
    names = [f"{column} is there" for column in ("trial_id", "status", "target", "e2e_ms", "tokens_out", "score")]
    return {
        "suite": ["result"] * 6, "subject": ["trials"] * 6, "name": names, "success": [True] * 5 + [False],
        "severity": ["critical"] * 5 + ["warning"], "observed": [9_000] * 6, "unexpected": [0] * 5 + [7],
        "failures": [[]] * 5 + [["7 trials have no score"]],
    }  # fmt: skip


def _run(run: Made, trials: Columns) -> Columns:
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
