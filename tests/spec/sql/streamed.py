"""Calls out of a seed with chunks, attempts, waits, connections and harness seconds, for questions about those."""

from __future__ import annotations

import json
import random
from itertools import accumulate
from typing import Any

from tests.spec.sql.stored import Row, Stored, run_row, trial_row

MS, US = 1_000_000, 1_000
_REFUSALS = (("rate_limited", 429), ("overloaded", 529), ("overloaded", 503), ("reset", None), ("truncated", 200))


def streamed(seed: int, *, concurrency: int | None = 6, trials: int = 70) -> Stored:
    """Two runs, the first closed, the second open; `x` and `y` stream, `z` does not; two sessions each."""
    rng = random.Random(seed)
    stored = Stored()
    for run_id, slots in (("r1", concurrency), ("r2", None)):
        load = {"kind": "closed", "concurrency": slots} if slots else {"kind": "constant", "rate": 50}
        plan = json.dumps({"sections": {"execute": {"load": load}}})
        stored.rows["runs"].append(run_row(run_id, plan=plan if run_id == "r1" or seed % 2 else None))
        for number in range(trials):
            _trial(rng, stored, run_id, number)
        stored.rows["events"] += [_second(rng, run_id, at) for at in range(4)] if run_id == "r1" else []
    return stored


def _trial(rng: random.Random, stored: Stored, run_id: str, number: int) -> None:
    session = 10**18 * (1 + (number % 5 == 4))
    target = rng.choice("xxyyz")
    intended_ns = number * 30 * MS + rng.randint(0, MS)
    row = trial_row(run_id, number, target=target, intended_ns=intended_ns, wall_offset_ns=session)
    row |= {"phase": "warmup" if number < 3 else "measured", "streamed": target != "z", "status": "success"}
    row |= {"started_ns": intended_ns + rng.randint(0, MS), "workload": rng.choice(["api", "api", "other"])}
    if rng.random() < 0.05:
        stored.rows["trials"].append(row | {"status": "skipped", "calls": 0, "ended_ns": row["started_ns"]})
        return
    calls = _calls(rng, row)
    last = calls[-1]
    row |= {"calls": len(calls), "ended_ns": last["closed_ns"], "ttft_ms": last["ttft_ms"], "e2e_ms": last["e2e_ms"]}
    if last["error_kind"]:
        row |= {"status": "failure", "error_kind": last["error_kind"]}
    elif last["e2e_ms"] is not None:
        row["response_ms"] = (last["sent_ns"] - intended_ns) / MS + last["e2e_ms"]
    stored.rows["trials"].append(row)
    stored.rows["calls"] += calls


def _calls(rng: random.Random, trial: Row) -> list[Row]:
    calls: list[Row] = []
    free_ns, asked_s = trial["started_ns"], None
    for attempt in range(1, 4):
        fails = rng.random() < 0.3
        wait_ms = 0.0 if attempt == 1 else rng.choice([100.0, 300.0])
        if asked_s is not None:
            wait_ms = 1000 * asked_s + rng.choice([-40, 5])
        sent_ns = free_ns + round(wait_ms * MS) + rng.randint(0, 200) * US
        call = _call(rng, trial, attempt, sent_ns, fails=fails)
        calls.append(call | {"backoff_ms": wait_ms})
        if not fails:
            break
        free_ns, asked_s = call["closed_ns"], call["retry_after_s"]
    return calls


def _call(rng: random.Random, trial: Row, attempt: int, sent_ns: int, *, fails: bool) -> Row:
    names = ("run_id", "trial_id", "target", "phase", "wall_offset_ns", "streamed", "intended_ns")
    row: dict[str, Any] = {name: trial[name] for name in names} | {"attempt": attempt, "sent_ns": sent_ns}
    row |= {"call_id": f"{trial['trial_id']}-{attempt}", "taken_up_ns": trial["started_ns"], "error_kind": None}
    row |= {"http_status": 200, "retry_after_s": None, "cold": rng.random() < 0.2}
    kind, status = rng.choice(_REFUSALS)
    if fails:
        row |= {"error_kind": kind, "http_status": status, "error_message": f"{kind} was said"}
        row["retry_after_s"] = rng.choice([None, 0.1, 0.2]) if status in (429, 503, 529) else None
    brings = row["streamed"] and (not fails or kind in ("reset", "truncated"))
    offsets = _offsets_us(rng) if brings else []
    row |= {"chunk_offsets_us": offsets, "chunk_sizes": [rng.choice([0, 3, 8]) for _ in offsets]}
    row["chunk_kinds"] = rng.choice([["text"] * len(offsets), [rng.choice(["text", "reasoning"]) for _ in offsets]])
    last_us = offsets[-1] if offsets else rng.randint(20, 90) * 1000
    row |= {"closed_ns": sent_ns + (last_us + 100) * US, "ttft_ms": offsets[0] / 1e3 if offsets else None}
    row["e2e_ms"] = None if fails else last_us / 1e3
    spent = rng.random() < 0.8 and (not fails or bool(offsets))
    row |= {"tokens_in": 7, "tokens_out": rng.randint(1, 90), "cost_usd": rng.random() / 1000} if spent else {}
    return row | (_parts(rng) if row["cold"] else {})


def _offsets_us(rng: random.Random) -> list[int]:
    count = rng.choice([1, 2, 3, 8, 11, 30, 45])
    gaps = [rng.choice([0, 800, 4000, 5000, 5000, 7000]) for _ in range(count)]
    if count > 3 and rng.random() < 0.6:
        gaps[rng.randrange(1, count)] = rng.choice([49_000, 50_000, 51_000, 90_000, 600_000])
    return [20_000 + at for at in accumulate(gaps)]


def _parts(rng: random.Random) -> Row:
    parts = {"dns_ms": rng.random(), "tcp_ms": rng.random() * 5, "tls_ms": rng.choice([None, rng.random() * 9])}
    return parts | {"connect_ms": sum(part for part in parts.values() if part is not None)}


def _second(rng: random.Random, run_id: str, at: int) -> Row:
    fields = {"seconds": 0.5, "loop_lag_max_ms": rng.choice([0.4, 30.0, 70.0, 400.0])}
    ends_ns = (at + 1) * 500 * MS
    row = {"run_id": run_id, "wall_offset_ns": 10**18, "at_ns": ends_ns, "kind": "harness", "name": "second"}
    return {**row, "target": "", "detail": json.dumps(fields)}
