"""Targets side by side in the terminal: outcome, score, latencies with their intervals, throughput, cost.

Failures stand beside the latencies that leave them out. Rows are those of the question `summary`; what another
question knows of a target (throughput, cost) is handed in under the row's own keys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchbook.reports.grid import Cell, Column
from benchbook.reports.words import MISSING, interval, money, number, quantile, share

Row = Mapping[str, Any]
_LATENCIES = (
    ("TTFT ms p50", "ttft_ms", "p50", 0),
    ("TTFT ms p95", "ttft_ms", "p95", 2),
    ("end to end ms p50", "e2e_ms", "p50", 0),
    ("end to end ms p95", "e2e_ms", "p95", 2),
    ("response ms p50", "response_ms", "p50", 0),
    ("decode ms/token p50", "decode_ms_per_token", "p50", 3),
)
_OPEN = (*_LATENCIES[:5], ("response ms p95", "response_ms", "p95", 1), *_LATENCIES[5:])
"""Where starts follow a schedule, what counts from the intended start stands as fully as what does not."""
_Drawing = tuple[Column, Callable[[Row], Cell]]


def targets(rows: Sequence[Row], *, stacked: bool, runs: bool = False) -> tuple[list[Column], list[list[Cell]]]:
    """Columns and cells for a table of targets. stacked: intervals below their numbers, models below targets;
    runs: the rows are of several runs, each named."""
    drawings = [*_names(rows, stacked=stacked, runs=runs), *_outcome(stacked=stacked)]
    drawings += [_latency(*spec) for spec in (_OPEN if any(row["offered_per_s"] for row in rows) else _LATENCIES)]
    if rows and "tokens_per_s" in rows[0]:
        drawings.append((Column("tokens/s", right=True, rank=5), lambda row: Cell(str(row["tokens_per_s"]))))
        drawings.append((Column("cost", right=True, rank=4), lambda row: Cell(money(row["cost_usd"]))))
    return [column for column, _ in drawings], [[cell(row) for _, cell in drawings] for row in rows]


def _names(rows: Sequence[Row], *, stacked: bool, runs: bool) -> list[_Drawing]:
    several = len({row["workload"] for row in rows}) > 1
    first: list[_Drawing] = [(Column("run"), lambda row: Cell(str(row["run_id"])))] if runs else []
    if stacked:
        first.append((Column("target"), lambda row: Cell(_name(row, several=several), str(row["model"]), style="bold")))
    else:
        first.append((Column("target"), lambda row: Cell(_name(row, several=several), style="bold")))
        first.append((Column("model"), lambda row: Cell(str(row["model"]))))
    return first


def _name(row: Row, *, several: bool) -> str:
    return f"{row['target']} ({row['workload']})" if several else str(row["target"])


def _outcome(*, stacked: bool) -> list[_Drawing]:
    tried = Column("ok / tried", right=True)
    score = (Column("score", right=True), lambda row: Cell(MISSING if row["score"] is None else f"{row['score']:.2f}"))
    if stacked:
        return [(tried, _tried_and_failed), score]
    return [(tried, _tried), (Column("failed", right=True), lambda row: Cell(share(row["failure_share"]))), score]


def _tried(row: Row) -> Cell:
    return Cell(f"{row['succeeded']}/{row['attempted']}")


def _tried_and_failed(row: Row) -> Cell:
    failed = row["failed"] + row["timed_out"]
    below = f"{share(row['failure_share'])} bad" if failed else ""
    return Cell(_tried(row).text, below, style="red" if failed else "")


def _latency(heading: str, metric: str, name: str, rank: int) -> _Drawing:
    return Column(heading, right=True, rank=rank), lambda row: _quantile(row, metric, name)


def _quantile(row: Row, metric: str, name: str) -> Cell:
    whole = quantile(row, metric, name)
    if row[f"{metric}_{name}"] is None:
        text, comma, below = whole.partition(", ")
        return Cell(text + comma.rstrip(), below, whole)
    return Cell(number(row[f"{metric}_{name}"]), interval(row, metric, name), whole)
