"""A story of a dozen runs, as rows: two targets, one of which slows down; a spike, an INVALID run, failures.

Written in a fraction of a second, so that tests of pages need no engine.
"""

from __future__ import annotations

import json
import math
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.spec.sql.stored import Row, Stored, run_row, trial_row

RUNS = 14
STEP_AT = 9
"""The first run in which `beta-large` is slower."""
HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">& \"quoted\""
TARGETS = {"alpha-small": (180.0, 0.70, 0.0004), "beta-large": (320.0, 0.92, 0.0021)}
"""Target -> median of ttft_ms, share of right answers, cost of a trial."""


def run_id(number: int) -> str:
    """The id of a run of the story."""
    return f"{_started(number):%Y%m%dT%H%M%SZ}-{number:06x}"


def _started(number: int) -> datetime:
    return datetime(2026, 11, 3, 2, 15, tzinfo=UTC) + timedelta(days=number, hours=7 * number % 24)


def dozen(results: Path, *, cases: int = 10, repetitions: int = 6, hostile: bool = True) -> Path:
    """Write the story under `results`; the newest run's first answer is hostile to whoever shows it."""
    stored = Stored()
    for number in range(RUNS):
        _run(stored, number, cases, repetitions)
    if hostile:
        first = next(row for row in stored.rows["trials"] if row["run_id"] == run_id(RUNS - 1))
        stored.rows["responses"].append(_response(first, HOSTILE))
        for row in stored.rows["trials"]:
            if row["test_id"] == "c0":
                row["test_id"] = f"c0{HOSTILE}"
    return stored.write(results)


def _run(stored: Stored, number: int, cases: int, repetitions: int) -> None:
    rng = random.Random(number)
    name, started = run_id(number), _started(number)
    day = {target: rng.gauss(0, 0.015) for target in TARGETS}
    if number == 5:
        day["alpha-small"] += 0.5
    if number >= STEP_AT:
        day["beta-large"] += math.log(1.25)
    asked = ((target, case, turn) for turn in range(repetitions) for target in TARGETS for case in range(cases))
    trials = [
        _trial(rng, (name, target, started), place, day[target], (case, turn))
        for place, (target, case, turn) in enumerate(asked)
    ]
    stored.rows["trials"] += trials
    stored.rows["calls"] += [_call(rng, trial) for trial in trials]
    stored.rows["runs"].append(_facts(number, trials, len(trials) * 0.06))
    scored = [trial for trial in trials if trial["score"] is not None]
    for row in scored:
        judged = {"scorer": "exact", "value": row["score"], "passed": row["score"] > 0}
        stored.rows["scores"].append({"run_id": name, "trial_id": row["trial_id"], **judged})


def _facts(number: int, trials: list[Row], wall_s: float) -> Row:
    of = {status: sum(trial["status"] == status for trial in trials) for status in ("success", "failure", "timeout")}
    started = _started(number)
    invalid = number == 7
    named = [{"name": target, "provider": "openai", "model": target} for target in TARGETS]
    plan = {"source": "params.yaml", "sections": {"aggregate": {}, "execute": {"targets": named}}}
    return run_row(
        run_id(number),
        started_at=started,
        ended_at=started + timedelta(seconds=wall_s),
        workload_hash="5f" * 32,
        plan_hash="ab" * 32,
        verdict="INVALID" if invalid else "VALID",
        reasons=["the load generator was saturated: 96 % of a core"] if invalid else [],
        planned=len(trials),
        succeeded=of["success"],
        failed=of["failure"],
        timed_out=of["timeout"],
        skipped=0,
        not_started=0,
        wall_s=wall_s,
        cost_usd=math.fsum(trial["cost_usd"] for trial in trials),
        sessions=1,
        git_commit=f"{3 if number < STEP_AT else 4:040x}",
        git_dirty=False,
        host="bench-01",
        versions={"benchbook": "0.1.0", "openai": "3.1.0" if number < STEP_AT else "3.2.0"},
        plan=json.dumps(plan),
    )


def _trial(rng: random.Random, of: tuple[str, str, datetime], place: int, day: float, what: tuple[int, int]) -> Row:
    name, target, started = of
    case, repetition = what
    base, right, cost = TARGETS[target]
    failed = rng.random() < (0.03 if target == "beta-large" else 0.005)
    ttft = base * math.exp(day + 0.05 * case / 10 + rng.gauss(0, 0.12))
    decode = 9.0 * math.exp(rng.gauss(0, 0.06))
    tokens = rng.randint(60, 90)
    e2e = ttft + decode * tokens
    began = place * 40_000_000
    row: dict[str, Any] = trial_row(
        name,
        place,
        target=target,
        model=target,
        test_id=f"c{case}",
        dataset="tasks",
        category="reasoning" if case % 2 else "coding",
        repetition=repetition,
        status="failure" if failed else "success",
        error_kind="rate_limited" if failed else None,
        error_message="429: slow down" if failed else None,
        started_ns=began,
        intended_ns=began,
        ended_ns=began + int(e2e * 1e6),
        wall_offset_ns=int(started.timestamp() * 1e9),
        started_at=started + timedelta(microseconds=began / 1000),
        tokens_in=120,
        tokens_out=tokens,
        tokens_cached=0,
        cost_usd=cost * tokens / 75,
        price_date="2026-11-01",
        cold=False,
        reference_chars=250,
        answer_chars=4 * tokens,
        prompt_sha256=f"{case:064x}",
        score=None if failed else float(rng.random() < right),
    )
    if not failed:
        row |= {"ttfb_ms": ttft - 1, "ttft_ms": ttft, "ttfo_ms": ttft, "e2e_ms": e2e, "response_ms": e2e + 0.2}
        row |= {"wall_ms": e2e + 0.2, "decode_ms_per_token": decode, "normalized_ms_per_token": e2e / tokens}
        row |= {"tokens_per_s_user": 1000 / decode, "schedule_lag_ms": 0.1}
    return row


def _call(rng: random.Random, trial: Row) -> Row:
    ok = trial["status"] == "success"
    offsets = [int(1000 * trial["ttft_ms"])] if ok else []
    for _ in range(12 if ok else 0):
        offsets.append(offsets[-1] + rng.randint(20_000, 80_000))
    names = (
        "run_id",
        "trial_id",
        "target",
        "provider",
        "phase",
        "wall_offset_ns",
        "streamed",
        "tokens_in",
        "tokens_out",
    )
    row = {column: trial[column] for column in names}
    row |= {column: trial.get(column) for column in ("ttfb_ms", "ttft_ms", "ttfo_ms", "e2e_ms", "response_ms")}
    sent = trial["started_ns"]
    first = sent + 1000 * offsets[0] if ok else None
    return row | {
        "call_id": f"{trial['trial_id']}-1",
        "turn": 1,
        "attempt": 1,
        "sent_ns": sent,
        "first_byte_ns": first,
        "first_chunk_ns": first,
        "first_output_ns": first,
        "last_chunk_ns": sent + 1000 * offsets[-1] if ok else None,
        "closed_ns": trial["ended_ns"],
        "http_status": 200 if ok else 429,
        "error_kind": trial["error_kind"],
        "error_message": trial["error_message"],
        "model_requested": trial["target"],
        "model_served": trial["target"],
        "chunk_offsets_us": offsets,
        "chunk_sizes": [24] * len(offsets),
        "chunk_kinds": ["text"] * len(offsets),
        "finish_reason": "stop" if ok else None,
        "cold": False,
    }


def _response(trial: Row, text: str) -> Row:
    row = {"run_id": trial["run_id"], "trial_id": trial["trial_id"], "call_id": f"{trial['trial_id']}-1"}
    return row | {"text": text, "turn": 1, "attempt": 1, "body": text.encode()}
