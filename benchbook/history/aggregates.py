"""What the stage `aggregate` computes over all runs: every question's answer as a table, and a few headline figures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchbook.history.questions import ask, ask_tables, questions, select

if TYPE_CHECKING:
    import pyarrow as pa

_HEADLINES = (
    "n",
    "failure_share",
    "score",
    "ttft_ms_p50",
    "e2e_ms_p50",
    "e2e_ms_p95",
    "response_ms_p50",
    "response_ms_p95",
    "tokens_per_s_user_p50",
)


def aggregate_tables(
    results: str | Path = "results", *, confidence: float = 0.95, slos: Mapping[str, float] | None = None
) -> dict[str, pa.Table]:
    """Question -> its answer over all runs, for `results`/aggregate/QUESTION.parquet; the same files, the same bits.

    slos: None asks goodput's default limits, as a plan without any does.
    """
    return ask_tables(tuple(questions()), results, confidence=confidence, slos=slos)


def headline(results: str | Path = "results", *, confidence: float = 0.95) -> dict[str, dict[str, Any]]:
    """Target -> a few figures of the newest run, for `results`/metrics.json.

    The key is TARGET/WORKLOAD where there are several workloads. `failures` counts failed and timed-out trials; a
    null is a quantile that n is too small for.
    """
    newest = select(Path(results), "select max(run_id) as run_id from runs")[0]["run_id"]
    if newest is None:
        return {}
    rows = ask("summary", results, runs=(newest,), confidence=confidence)
    several = len({row["workload"] for row in rows}) > 1
    return {f"{row['target']}/{row['workload']}" if several else row["target"]: _figures(row) for row in rows}


def _figures(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**{name: row[name] for name in _HEADLINES}, "failures": row["failed"] + row["timed_out"]}
