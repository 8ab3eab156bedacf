"""Trials of agents as waterfalls for the page: facts for a table whose bars are widths in percent. No markup here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchbook.reports.grid import clean
from benchbook.reports.pages.extras import Extras
from benchbook.reports.plots.split import PARTS
from benchbook.reports.timeline import KINDS, nested, remark
from benchbook.reports.words import number, share

Row = Mapping[str, Any]
_MOST_SPANS = 60
WHICH = {"median": "the median", "slowest": "the slowest", "failed": "the longest that failed"}
HATCHES = {column: column.removesuffix("_share").replace("_", "-") for column in PARTS}
"""Share of the wall time -> the class that the style draws it by."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One span: its letter and kind, name and depth, place and width in % of the wall time, ms, what is remarkable."""

    letter: str
    kind: str
    said: str
    name: str
    depth: int
    left: float
    width: float
    took: str
    remark: str
    failed: bool


@dataclass(frozen=True, slots=True)
class Waterfall:
    """A trial: whose, which one of its kind, of which test case, how it ended; its bars, and spans left out."""

    name: str
    which: str
    test: str
    ended: str
    trial_id: str
    wall: str
    bars: tuple[Bar, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class Split:
    """The parts of a wall time: (class, what it is, width in %, share in words), and whose they are."""

    name: str
    wall: str
    parts: tuple[tuple[str, str, float, str], ...]


def waterfalls(extras: Extras) -> list[Waterfall]:
    """The trials that the page draws, in the order in which they were chosen."""
    return [_waterfall(row, extras.spans[row["trial_id"]]) for row in extras.trials if row["trial_id"] in extras.spans]


def splits(rows: Sequence[Row], names: Mapping[tuple[str, str], str]) -> list[Split]:
    """The split of each row of `agent_summary` that has one."""
    found = []
    for row in rows:
        if row["model_share"] is not None:
            parts = [
                (HATCHES[column], name, 100 * row[column], share(row[column])) for column, (name, _, _) in PARTS.items()
            ]
            wall = f"{number(row['wall_ms_p50'])} ms median" if row["wall_ms_p50"] is not None else ""
            found.append(Split(names[row["target"], row["workload"]], wall, tuple(part for part in parts if part[2])))
    return found


def _waterfall(row: Row, rows: Sequence[Row]) -> Waterfall:
    ordered = list(nested([span for span in rows if span["span_id"] is not None]))
    wall_ms = rows[0]["wall_ms"] or 0.0
    bars = tuple(_bar(span, depth, wall_ms) for span, depth in ordered[:_MOST_SPANS])
    team = f"{row['target']}, {row['workload']}" + (f" ({row['team']})" if row["team"] else "")
    said = f"{WHICH[row['which']]} of {row['n']}"
    ended = str(rows[0]["error_kind"] or rows[0]["trial_status"])
    left_out = max(0, len(ordered) - _MOST_SPANS)
    return Waterfall(team, said, row["test_id"], ended, row["trial_id"], number(wall_ms), bars, left_out)


def _bar(row: Row, depth: int, wall_ms: float) -> Bar:
    kind = KINDS[row["kind"]]
    scale = 100 / wall_ms if wall_ms else 0.0
    left = min(99.6, max(0.0, row["starts_ms"] * scale))
    width = max(0.4, min(100 - left, row["duration_ms"] * scale))
    name = clean(row["name"] or "") or row["kind"]
    drawn = (
        row["kind"].replace("_", "-") if row["kind"] in ("model", "tool", "human_wait", "rate_limit_wait") else "frame"
    )
    return Bar(
        kind.letter, drawn, kind.said, name, min(depth, 8), left, width, number(row["duration_ms"]), remark(row),
        row["status"] != "ok",
    )  # fmt: skip
