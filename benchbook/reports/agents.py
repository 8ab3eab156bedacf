"""Agents' trials side by side in the terminal: wall time with its interval, how it splits, calls, tokens, cost, pass^k.

Rows are those of the question `agent_summary`: bare calls are among them, so that layers can be compared. A split is
drawn as a bar, each kind by the shape that the timeline has for it, and told in numbers beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchbook.reports.grid import Cell, Column
from benchbook.reports.timeline import KINDS
from benchbook.reports.words import MISSING, interval, money, number, quantile, share

Row = Mapping[str, Any]
SPLIT = {
    "model": "model_share",
    "tool": "tool_share",
    "human_wait": "human_wait_share",
    "rate_limit_wait": "rate_limit_wait_share",
    "": "orchestration_share",
}
"""Kind of span -> its share of the wall time; "" for what none covers."""
HEADINGS = {"model": "model", "tool": "tools", "human_wait": "person", "rate_limit_wait": "waits", "": "rest"}
_BAR = 16
_Drawing = tuple[Column, Callable[[Row], Cell]]


def agents(rows: Sequence[Row], *, stacked: bool, runs: bool = False) -> tuple[list[Column], list[list[Cell]]]:
    """Columns and cells for a table of agents' trials. stacked: intervals below their numbers; runs: of several runs.
    Waits for people and between tries have a column where there were any."""
    drawings = [*_names(stacked=stacked, runs=runs), *_outcome(), *_split(rows), *_counts(rows)]
    return [column for column, _ in drawings], [[cell(row) for _, cell in drawings] for row in rows]


def bar(row: Row, width: int = _BAR) -> str:
    """The split of the wall time as cells: largest remainders, so that it is always as wide as it says."""
    shares = [row[column] or 0.0 for column in SPLIT.values()]
    if row["model_share"] is None:
        return ""
    whole = [int(part * width) for part in shares]
    by_rest = sorted(range(len(shares)), key=lambda i: whole[i] - shares[i] * width)
    for index in by_rest[: max(0, width - sum(whole))]:
        whole[index] += 1
    cells = [KINDS[kind].bar if kind else "\N{BOX DRAWINGS LIGHT HORIZONTAL}" for kind in SPLIT]
    return "".join(cell * count for cell, count in zip(cells, whole, strict=True))


def passes(row: Row) -> tuple[str, str]:
    """pass^k as `pass^3 0.92`, and its interval; k is the most that the repetitions carry."""
    if row["pass_hat_k"] is None:
        return MISSING, ""
    low, high = row["pass_hat_k_low"], row["pass_hat_k_high"]
    between = f"{low:.2f}\N{EN DASH}{high:.2f}" if low is not None else f"{row['pass_cases']} cases"
    return f"^{row['pass_k']} {row['pass_hat_k']:.2f}", between


def _names(*, stacked: bool, runs: bool) -> list[_Drawing]:
    first: list[_Drawing] = [(Column("run"), lambda row: Cell(str(row["run_id"])))] if runs else []
    first.append((Column("target"), lambda row: Cell(str(row["target"]), style="bold")))
    if stacked:
        return [*first, (Column("workload"), lambda row: Cell(str(row["workload"]), str(row["team"])))]
    first.append((Column("workload"), lambda row: Cell(str(row["workload"]))))
    return [*first, (Column("team"), lambda row: Cell(str(row["team"] or MISSING)))]


def _outcome() -> list[_Drawing]:
    def tried(row: Row) -> Cell:
        bad = row["failed"] + row["timed_out"]
        below = f"{share(row['failure_share'])} bad" if bad else ""
        return Cell(f"{row['succeeded']}/{row['attempted']}", below, style="red" if bad else "")

    def passed(row: Row) -> Cell:
        text, below = passes(row)
        return Cell(text, below, f"{text} [{below}]" if below else text)

    return [
        (Column("ok / tried", right=True), tried),
        (Column("score", right=True), lambda r: Cell(MISSING if r["score"] is None else f"{r['score']:.2f}")),
        (Column("pass^k", right=True, rank=2), passed),
        (Column("wall ms p50", right=True), lambda row: _wall(row, "p50")),
        (Column("wall ms p95", right=True, rank=4), lambda row: _wall(row, "p95")),
    ]


def _split(rows: Sequence[Row]) -> list[_Drawing]:
    drawn: list[_Drawing] = [(Column("split", rank=3), lambda row: Cell(bar(row)))]
    for kind, column in SPLIT.items():
        if kind.endswith("_wait") and not any(row[column] for row in rows):
            continue
        drawn.append((Column(HEADINGS[kind], right=True, rank=1), lambda row, name=column: Cell(share(row[name]))))  # type: ignore[misc]
    return drawn


def _counts(rows: Sequence[Row]) -> list[_Drawing]:
    def tokens(row: Row) -> Cell:
        return Cell(f"{number(row['tokens_in_mean'])} + {number(row['tokens_out_mean'])}")

    drawn: list[_Drawing] = [
        (Column("calls", right=True, rank=2), lambda row: Cell(_mean(row["calls_mean"]))),
        (Column("tool rounds", right=True, rank=5), lambda row: Cell(_mean(row["tool_rounds_mean"]))),
    ]
    if any(row["handoffs_mean"] for row in rows):
        drawn.append((Column("hand-offs", right=True, rank=5), lambda row: Cell(_mean(row["handoffs_mean"]))))
    drawn.append((Column("tokens in + out", right=True, rank=4), tokens))
    return [*drawn, (Column("cost", right=True, rank=1), lambda row: Cell(money(row["cost_usd"])))]


def _mean(value: float | None) -> str:
    return MISSING if value is None else f"{value:.1f}"


def _wall(row: Row, name: str) -> Cell:
    whole = quantile(row, "wall_ms", name)
    if row[f"wall_ms_{name}"] is None:
        text, comma, below = whole.partition(", ")
        return Cell(text + comma.rstrip(), below, whole)
    return Cell(number(row[f"wall_ms_{name}"]), interval(row, "wall_ms", name), whole)
