"""Histories out of a seed, as plain rows: successes and failures, warm-ups, nulls, retries, resumed sessions."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchbook.metrics import LATENCY_METRICS
from benchbook.results.schemas import TABLES

Row = dict[str, Any]
SESSION_OFFSETS_NS = (1_795_248_902_250_000_000, 1_795_259_999_000_000_000)


@dataclass
class Stored:
    """Rows by table, and how to write them as the store does."""

    rows: dict[str, list[Row]] = field(default_factory=lambda: {name: [] for name in TABLES})

    def write(self, results: Path) -> Path:
        for run_id in sorted({row["run_id"] for row in self.rows["runs"]}):
            for table in TABLES:
                write_part(results, table, run_id, [row for row in self.rows[table] if row["run_id"] == run_id])
        return results

    def measured(self, **equal: Any) -> list[Row]:
        return [
            row
            for row in self.rows["trials"]
            if row["phase"] == "measured" and all(row[name] == value for name, value in equal.items())
        ]


def write_part(results: Path, table: str, run_id: str, rows: list[Row], schema: pa.Schema | None = None) -> Path:
    """One partition; `schema` is the table's unless another is given."""
    path = results / "tables" / table / f"run_id={run_id}" / "part-0.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    schema = schema or TABLES[table]
    whole = [{name: row.get(name) for name in schema.names} for row in rows]
    pq.write_table(pa.Table.from_pylist(whole, schema=schema), path, compression="zstd", write_page_checksum=True)
    return path


def run_row(run_id: str, **facts: Any) -> Row:
    started = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
    row = {"run_id": run_id, "workload_hash": "w1", "started_at": started, "verdict": "VALID", "status": "finished"}
    return {**row, "reasons": [], "store_params": '{"max_failure_share": 0.1}', **facts}


def trial_row(run_id: str, number: int, **facts: Any) -> Row:
    row = {"run_id": run_id, "trial_id": f"t{number:04d}", "position": number, "phase": "measured", "workload": "api"}
    row |= {"dataset": "d", "test_id": f"c{number % 7}", "category": "k", "target": "alpha", "status": "success"}
    row |= {"started_ns": number * 1000, "ended_ns": number * 1000 + 500, "wall_offset_ns": 0, "repetition": 0}
    return {**row, "provider": "openai", "model": "m", "streamed": True, "calls": 1, **facts}


def generated(seed: int) -> Stored:
    """Three runs: `alpha` streams and does well, `beta` doesn't stream and fails often, `gamma` is a handful."""
    rng = random.Random(seed)
    stored = Stored()
    for run_id in ("r1", "r2", "r3"):
        stored.rows["runs"].append(run_row(run_id))
        sizes = {"alpha": rng.randint(150, 180), "beta": rng.randint(20, 40), "gamma": rng.randint(0, 5)}
        position = 0
        for target, size in sizes.items():
            for _ in range(size):
                _trial(rng, stored, run_id, target, position)
                position += 1
        stored.rows["checks"].append(_check(rng, run_id))
    return stored


def _trial(rng: random.Random, stored: Stored, run_id: str, target: str, position: int) -> None:
    session = SESSION_OFFSETS_NS[position % 3 == 2]
    started_ns = position * 40_000_000 + rng.randint(0, 10_000_000)
    ended_ns = started_ns + rng.randint(1_000_000, 90_000_000)
    status = rng.choices(("success", "failure", "timeout", "skipped"), _weights(target))[0]
    row = trial_row(run_id, position, target=target, status=status, started_ns=started_ns, ended_ns=ended_ns)
    row |= {
        "wall_offset_ns": session,
        "phase": rng.choice(["warmup", *["measured"] * 8]),
        "workload": rng.choice(["api", "api", "chat"]),
    }
    row |= {"streamed": target != "beta", "dataset": rng.choice(["d", "e"]), "category": rng.choice(["k", "l", None])}
    row |= {"wall_ms": (ended_ns - started_ns) / 1e6, "cold": rng.random() < 0.1, "calls": rng.randint(1, 3)}
    if status in ("failure", "timeout"):
        row |= {"error_kind": rng.choice(["reset", "rate_limited", None]) if status == "failure" else "timeout"}
    if status == "skipped":
        row |= {"error_message": rng.choice(["no tools", None]), "calls": 0, "wall_ms": None}
    row |= {metric: _value(rng, metric, row) for metric in LATENCY_METRICS}
    row |= {
        "tokens_in": rng.randint(1, 99),
        "tokens_out": rng.choice([None, rng.randint(0, 300)]),
        "price_date": "2026-11",
    }
    row |= {"cost_usd": rng.choice([None, rng.random() / 1000]), "tokens_reasoning": None, "tokens_cached": 0}
    row["prompt_tokens_asked"] = (None, 100, 1000)[position % 3]
    row["score"] = rng.choice([None, 0.0, 0.5, 1.0]) if status == "success" else None
    stored.rows["trials"].append(row)
    if row["score"] is not None:
        score = {"run_id": run_id, "trial_id": row["trial_id"], "scorer": rng.choice(["exact", "contains"])}
        stored.rows["scores"].append({**score, "value": row["score"], "passed": row["score"] >= 0.5})
    for attempt in range(row["calls"]):
        stored.rows["calls"].append(_call(rng, row, attempt + 1))


def _weights(target: str) -> tuple[float, float, float, float]:
    return {"alpha": (20, 1, 0, 1), "beta": (8, 4, 3, 1), "gamma": (4, 1, 0, 1)}[target]


def _value(rng: random.Random, metric: str, row: Row) -> float | None:
    """Failures carry numbers too, which no latency may count; ties and nulls happen."""
    if row["status"] == "skipped" or (metric in ("ttft_ms", "ttfo_ms", "decode_ms_per_token") and not row["streamed"]):
        return None
    return rng.choice([None, 5.0, *[rng.lognormvariate(3, 1) for _ in range(10)]])


def _call(rng: random.Random, trial: Row, attempt: int) -> Row:
    last = attempt == trial["calls"]
    sent_ns = rng.choice([None, *[trial["started_ns"] + rng.randint(0, 500_000)] * 9])
    count = rng.choice([0, 1, 5]) if trial["streamed"] else 0
    offsets = None if sent_ns is None else sorted(rng.randint(100, 99_000) for _ in range(count))
    sizes = [rng.choice([0, 3, 8]) for _ in range(count)]
    row = {name: trial[name] for name in ("run_id", "trial_id", "target", "phase", "wall_offset_ns", "streamed")}
    row |= {"call_id": f"{trial['trial_id']}-{attempt}", "attempt": attempt, "sent_ns": sent_ns, "cold": attempt == 1}
    row |= {"chunk_offsets_us": offsets, "chunk_sizes": sizes, "chunk_kinds": ["text"] * count}
    row |= {"turn": 1 + attempt // 3, "tokens_in": None if attempt == 3 else _counted(trial)}
    row |= {"closed_ns": trial["ended_ns"], "last_byte_ns": rng.choice([None, trial["ended_ns"] + rng.randint(-5, 5)])}
    row |= {
        "tokens_out": rng.choice([None, rng.randint(1, 300)]) if last else None,
        "connect_ms": rng.choice([None, 3.5]),
    }
    row["error_kind"] = rng.choice([None, "rate_limited"]) if not last else trial.get("error_kind")
    return row | {"ttfb_ms": trial["ttfb_ms"], "ttft_ms": trial["ttft_ms"], "e2e_ms": trial["e2e_ms"]}


def _counted(trial: Row) -> int:
    """A count that differs from trial to trial, without a draw of its own: other tables stay what they were."""
    return 90 + int(trial["position"]) % 17


def _check(rng: random.Random, run_id: str) -> Row:
    return {
        "run_id": run_id,
        "suite": "result",
        "subject": "trials",
        "name": "order of stamps",
        "success": rng.random() < 0.5,
        "severity": "critical",
        "observed": 9,
        "unexpected": 0,
        "failures": [],
    }


def grouped(rows: list[Row], *names: str) -> Mapping[tuple[Any, ...], list[Row]]:
    """Rows by the values of these columns."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in names), []).append(row)
    return groups
