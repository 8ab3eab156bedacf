"""The rows of `history.py`: one run out of a seed, as whole columns, in the product's own schemas.

Nothing is measured here. Every run asks the same cases of several targets, whose level drifts, steps and differs from
run to run; some calls fail, are throttled and tried again. One run in ten is of conversations, one in ten of agents;
one in five keeps its answers; some belong to a sweep.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from benchbook.results.schemas import TABLES
from benchmarks.history_made import (
    BASE_MS,
    CASES,
    CONCURRENCY,
    DATASETS,
    MS,
    TARGETS,
    US,
    Columns,
    Made,
    ids,
    offset,
    picked,
)
from benchmarks.history_said import checks_of, events_of, responses_of, run_of, scores_of, spans_of


def tables(run: Made, seed: int) -> dict[str, pa.Table]:
    """Every table of the run; the same for the same seed."""
    rng = np.random.default_rng([seed, run.number])
    retried = max(1, run.calls // 33)
    trials, calls = _trials(run, rng, (run.calls - retried) // run.calls_a_trial, retried)
    found = {
        "trials": _table("trials", run, trials),
        "calls": _table("calls", run, calls),
        "scores": _table("scores", run, scores_of(trials, rng)),
        "events": _table("events", run, events_of(run, trials, rng)),
        "checks": _table("checks", run, checks_of()),
        "runs": _table("runs", run, run_of(run, trials)),
    }
    if run.workload == "agent":
        found["spans"] = _table("spans", run, spans_of(trials, calls))
    if run.number % 5 == 0:
        found["responses"] = _table("responses", run, responses_of(calls, rng))
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
        "trial_id": list(ids(count, 1)),
        "dataset": picked(DATASETS, case // CASES),
        "dataset_version": picked(("1.0.0",), np.zeros(count, int)),
        "test_id": picked([f"case-{n:03d}" for n in range(CASES)], case % CASES),
        "category": picked(("easy", "hard", "tricky"), case % 3),
        "target": picked(TARGETS, target),
        "provider": picked([name.split("-")[0] for name in TARGETS], target),
        "model": picked([f"{name}-2026" for name in TARGETS], target),
        "workload": picked((run.workload,), np.zeros(count, int)),
        "team": picked(("assistant",), np.full(count, 0 if run.workload == "agent" else -1)),
        "streamed": np.ones(count, bool),
        "repetition": position // (4 * CASES * len(DATASETS)),
        "position": position,
        "phase": picked(("measured", "warmup"), warm.astype(int)),
        "prompt_sha256": picked([f"{n:064x}" for n in range(CASES * len(DATASETS))], case),
        "seed": rng.integers(0, 2**31, count),
        "intended_ns": started.astype(np.int64),
        "started_ns": started.astype(np.int64) + 9 * US,
        "ended_ns": ended,
        "wall_offset_ns": np.full(count, offset(run)),
        "started_at": pa.array((started.astype(np.int64) + offset(run)) // US, pa.timestamp("us", "UTC")),
        "status": picked(("success", "failure", "timeout", "skipped"), status),
        "error_kind": picked(_ERRORS, kind),
        "error_message": picked([f"{error}: what the provider said of it" for error in _ERRORS], kind),
        "calls": np.where(skipped, 0, np.where(again, each + 1, each)),
        "cold": warm,
        "wall_ms": np.where(skipped, np.nan, wall_ms),
        **{name: np.where(skipped, np.nan, values) for name, values in metrics.items()},
        **_tokens(calls, last, target, skipped, each),
        "price_date": picked(("2026-11",), np.zeros(count, int)),
        "finish_reason": picked(("stop", "length"), np.where(failed, -1, (case % 17 == 0).astype(int))),
        "end_state": picked(("{}",), np.zeros(count, int)),
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
        "call_id": list(ids(rows, 2)), "span_id": list(ids(rows, 2)),
        "turn": turn, "attempt": attempt,
        "agent": picked(("assistant",), np.full(rows, 0 if run.workload == "agent" else -1)),
        "target": picked(TARGETS, calls["target"]),
        "provider": picked([name.split("-")[0] for name in TARGETS], calls["target"]),
        "phase": picked(("measured", "warmup"), (trial < 4 * CONCURRENCY).astype(int)),
        "model_requested": picked([f"{name}-2026" for name in TARGETS], calls["target"]),
        "model_served": picked([f"{name}-2026" for name in TARGETS], np.where(shown, calls["target"], -1)),
        "streamed": np.ones(rows, bool),
        "intended_ns": calls["sent_ns"] - 49 * US, "taken_up_ns": calls["sent_ns"] - 31 * US,
        "sent_ns": calls["sent_ns"], "first_byte_ns": stamp(first_us - 200), "first_chunk_ns": stamp(first_us),
        "first_output_ns": stamp(first_us), "last_chunk_ns": stamp(last_us), "last_byte_ns": stamp(last_us + 40),
        "closed_ns": calls["closed_ns"], "wall_offset_ns": np.full(rows, offset(run)), "cold": calls["cold"],
        "backoff_ms": calls["backoff_ms"],
        "http_status": np.where(calls["refused"], 429, 200),
        "error_kind": picked(_ERRORS, np.where(failed, calls["kind"], -1)),
        "error_message": picked([f"{error}: what was said" for error in _ERRORS], np.where(failed, calls["kind"], -1)),
        "retry_after_s": np.where(calls["refused"], 0.1, np.nan),
        "request_id": list(ids(rows, 3)),
        **{name: calls[name] for name in _METRICS},
        "connect_ms": np.where(calls["cold"], 1.5, np.nan), "tcp_ms": np.where(calls["cold"], 0.9, np.nan),
        "tls_ms": np.where(calls["cold"], 0.5, np.nan), "dns_ms": np.where(calls["cold"], 0.1, np.nan),
        "chunk_offsets_us": pa.ListArray.from_arrays(limits, pa.array(calls["offsets_us"])),
        "chunk_sizes": pa.ListArray.from_arrays(limits, pa.array(sizes)),
        "chunk_kinds": pa.ListArray.from_arrays(limits, kinds),
        "finish_reason": picked(("stop",), np.where(failed, -1, 0)),
        "tokens_in": pa.array(calls["prompt"], mask=~shown), "tokens_out": pa.array(calls["tokens"], mask=failed),
        "tokens_cached": pa.array(calls["prompt"] // 4, mask=~shown),
        "cost_usd": np.where(failed | (calls["target"] == 3), np.nan, calls["tokens"] * 1e-6),
        "system_fingerprint": picked(("fp_1", "fp_2"), np.full(rows, int(run.number > 600))),
        "provenance": _provenance(rows),
    }  # fmt: skip
