"""Evidence of a sound run, as tables that a test changes in one place; and what the verdict says of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from benchbook.config import StoreSection, VerdictSpec
from benchbook.results.schemas import TABLES
from benchbook.stages.verdicts import Counts, Evidence, verdict
from benchbook.stages.verdicts.narrow import narrow

GOOD = Counts(10, 10, 0, 0, 0)

SECOND_NS = 1_000_000_000


def table(name: str, columns: dict[str, Any], size: int) -> pa.Table:
    """A stored table with these columns (a plain value fills its column) and nulls elsewhere."""
    made = []
    for field in TABLES[name]:
        value = columns.get(field.name)
        filled = value if isinstance(value, list | np.ndarray) else [value] * size
        made.append(pa.array(filled, field.type))
    return pa.Table.from_arrays(made, schema=TABLES[name])


def trials(size: int = 0, **columns: Any) -> pa.Table:
    """Successes of 50 ms, one every 100 ms, started as intended."""
    at = np.arange(size, dtype=np.int64) * (SECOND_NS // 10)
    usual = {
        "run_id": "r",
        "trial_id": [f"t{i}" for i in range(size)],
        "dataset": "d",
        "test_id": "c0",
        "target": "a",
        "phase": "measured",
        "status": "success",
        "calls": 1,
        "prompt_sha256": "p0",
        "intended_ns": at,
        "started_ns": at,
        "ended_ns": at + SECOND_NS // 20,
        "wall_offset_ns": 7,
    }
    return narrow("trials", [table("trials", usual | columns, size).select])


def calls(size: int = 0, **columns: Any) -> pa.Table:
    """Answers of three chunks, twelve bytes and four tokens."""
    usual = {
        "run_id": "r",
        "trial_id": [f"t{i}" for i in range(size)],
        "call_id": [f"t{i}-1" for i in range(size)],
        "attempt": 1,
        "target": "a",
        "phase": "measured",
        "model_served": "m-1",
        "chunk_sizes": [[4, 4, 4]] * size,
        "chunk_kinds": [["text", "text", "text"]] * size,
        "tokens_out": 4,
        "finish_reason": "stop",
    }
    return narrow("calls", [table("calls", usual | columns, size).select])


EMPTY = Evidence(GOOD, [], trials(), calls())


def judged(evidence: Evidence = EMPTY, **limits: Any) -> list[tuple[str, str, float | None, float | None]]:
    """Code, severity, value and threshold of each reason; no quantile is asked for."""
    section = StoreSection(verdict=VerdictSpec(**{"quantile": None, **limits}))
    return [(one.code, one.severity, one.value, one.threshold) for one in verdict(evidence, section).reasons]


def codes(evidence: Evidence, **limits: Any) -> list[str]:
    return [code for code, *_ in judged(evidence, **limits)]


def at_ns(seconds: Any) -> Any:
    return np.asarray(np.asarray(seconds, dtype=float) * SECOND_NS, dtype=np.int64)


def with_column(rows: pa.Table, name: str, values: Any) -> pa.Table:
    return rows.set_column(rows.schema.get_field_index(name), name, [values])
