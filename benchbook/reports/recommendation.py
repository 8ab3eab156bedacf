"""A recommendation in the terminal: the answer first, then what it stands on, then what can't be said and why.

Numbers have their intervals below them, refusals their reason in the number's place. Nothing is rounded into certainty:
a target that may be dominated is called that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchbook.history.recommending import Recommendation
from benchbook.records import TEAM_WORKLOADS
from benchbook.reports.grid import Cell, Column
from benchbook.reports.terminal import show_grid, show_words
from benchbook.reports.words import MISSING, money, number, share

Row = Mapping[str, Any]
_STYLES = {"front": "green", "may be dominated": "yellow", "dominated": "red", "not comparable": "red"}


def print_recommendation(found: Recommendation, latency: str, *, volume: str | None = None) -> None:
    """Print it. latency: the metric of the table's p50 and p95; volume: the volume in words."""
    for place, sentence in enumerate(found.sentences):
        show_words((sentence, "bold" if place == 0 else ""))
    if found.rows:
        runs = f"{len(found.runs)} runs ({found.runs[0]} to {found.runs[-1]})" if len(found.runs) > 1 else found.runs[0]
        show_words((f"\nfrom {runs}", "dim"))
        for workload in dict.fromkeys(row["workload"] for row in found.rows):
            rows = [row for row in found.rows if row["workload"] == workload]
            if len(rows) < len(found.rows):
                show_words((f"\n{workload}", "bold"))
            _table(rows, "wall_ms" if workload in TEAM_WORKLOADS else latency, volume)
            show_words(("\ntokens", "bold"))
            show_grid(*_use(rows))
        show_words(
            ("intervals are 95 %; verbosity: characters of answers over those of the references (derived)", "dim")
        )
    if found.refusals:
        show_words(("\nnot said, and what would supply it", "bold"))
    for refusal in found.refusals:
        show_words((f"{refusal.about}: {refusal.reason}", ""))
        show_words((f"    {refusal.command}", "dim"))


def _table(rows: Sequence[Row], latency: str, volume: str | None) -> None:
    columns = [Column("target"), Column("standing"), Column("ok / tried", right=True, rank=6)]
    columns += [Column("failed", right=True, rank=4), Column("score", right=True, rank=1)]
    columns += [Column(f"{latency} {name}", right=True, rank=2 + place) for place, name in enumerate(("p50", "p95"))]
    columns += [Column("cost a trial", right=True, rank=1), Column("a solved task", right=True, rank=7)]
    drawings: list[Callable[[Row], Cell]] = [
        lambda row: Cell(str(row["target"]), style="bold"),
        _standing,
        lambda row: Cell(f"{row['succeeded']}/{row['attempted']}", style="red" if row["failed"] else ""),
        lambda row: _bounded(row, "failure_share", share),
        lambda row: _bounded(row, "score", lambda value: MISSING if value is None else f"{value:.2f}"),
        lambda row: _bounded(row, f"{latency}_p50", number),
        lambda row: _bounded(row, f"{latency}_p95", number),
        lambda row: _bounded(row, "cost_usd", _dollars),
        lambda row: _bounded(row, "cost_usd_per_solved", _dollars),
    ]
    if volume is not None:
        columns.append(Column(f"{volume} a month", right=True, rank=2))
        drawings.append(lambda row: _bounded(row, "monthly_usd", _dollars))
    if any(row["meets"] for row in rows):
        columns.insert(2, Column("meets limits", rank=1))
        drawings.insert(2, lambda row: Cell(str(row["meets"])))
    left_out = show_grid(columns, [[draw(row) for draw in drawings] for row in rows], hoist=False)
    if left_out:
        show_words((f"too narrow for: {', '.join(left_out)} (--json has all)", "dim"))


def _use(rows: Sequence[Row]) -> tuple[list[Column], list[list[Cell]]]:
    names = ("tokens in", "out", "out / in", "from cache", "verbosity", "out against the cheapest")
    columns = [Column("target"), *(Column(name, right=True) for name in names)]
    cells = [
        [
            Cell(str(row["target"]), style="bold"),
            Cell(number(row["tokens_in"])),
            Cell(number(row["tokens_out"])),
            _bounded(row, "output_per_input", number),
            Cell(share(row["cached_share"])),
            _bounded(row, "verbosity", number),
            _bounded(row, "verbosity_to_cheapest", number),
        ]
        for row in rows
    ]
    return columns, cells


def _standing(row: Row) -> Cell:
    word = str(row["standing"])
    by = f"by {', '.join(row['dominated_by'])}" if row["dominated_by"] else ""
    return Cell(word, by, style=_STYLES.get(word, ""))


def _bounded(row: Row, name: str, say: Callable[[float | None], str]) -> Cell:
    """A number with its interval below it; without one the dash, the reason stands among the refusals."""
    value, low, high = (row[f"{name}{part}"] for part in ("", "_low", "_high"))
    if value is None:
        return Cell(MISSING)
    if low is None or high is None:
        return Cell(say(value))
    between = f"{say(low)}\N{EN DASH}{say(high)}".replace("\N{EN DASH}$", "\N{EN DASH}")
    return Cell(say(value), between, f"{say(value)} [{between}]")


def _dollars(usd: float | None) -> str:
    return f"${usd:,.0f}" if usd is not None and usd >= 100 else money(usd)


def fields(found: Recommendation) -> dict[str, Any]:
    """As plain data, for scripts and pages."""
    return {
        "runs": list(found.runs),
        "workload_hash": found.workload_hash,
        "sentences": list(found.sentences),
        "rows": [dict(row) for row in found.rows],
        "pairs": [dict(row) for row in found.pairs],
        "refusals": [{"about": one.about, "reason": one.reason, "command": one.command} for one in found.refusals],
        "notes": list(found.notes),
    }
