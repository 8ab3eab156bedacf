"""A trial's spans as a waterfall of lines: nested, in order, each kind told by letter, by the shape of its bar and by
colour, and below it how the wall time splits, to the nanosecond. Pure: what is drawn depends on the arguments alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len, set_cell_size

from benchbook.reports.grid import Line, clean
from benchbook.reports.words import number, share

Row = Mapping[str, Any]
"""A row of the question `timeline`."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How a kind of span is drawn: its letter, what it is called, the cells of its bar, its colour."""

    letter: str
    said: str
    bar: str
    style: str = ""


KINDS: Mapping[str, Kind] = {
    "agent": Kind("A", "agent", "├─┤", "bold"),
    "node": Kind("N", "node", "├─┤", "dim"),
    "step": Kind("S", "step", "├─┤", "dim"),
    "round": Kind("R", "tool round", "├─┤", "dim"),
    "handoff": Kind("H", "handoff", "╞═╡", "blue"),
    "model": Kind("M", "model", "█", "cyan"),
    "tool": Kind("T", "tool", "▒", "green"),
    "human_wait": Kind("P", "waits for a person", "░", "magenta"),
    "rate_limit_wait": Kind("W", "waits to try again", "·", "yellow"),
}
PARTS = {
    "model_ms": "model",
    "tool_ms": "tool",
    "human_wait_ms": "human_wait",
    "rate_limit_wait_ms": "rate_limit_wait",
    "orchestration_ms": "",
}
"""Column of the split -> kind of span, "" for what none covers."""
_PIPE_WIDTH = 120
_BAR_LEAST, _SHARE_BAR = 12, 24
_LABEL_SHARE, _REMARK_SHARE = 0.42, 0.3
_BETWEEN = "  "


def waterfall(rows: Sequence[Row], width: int | None) -> Iterator[Line]:
    """The spans of one trial, a line each, within `width` (120 where there is none), with a scale and a legend."""
    room = width or _PIPE_WIDTH
    ordered = list(nested([row for row in rows if row["span_id"] is not None]))
    if not ordered:
        yield [("no span: the trial was not started", "")]
        return
    labels = [f"{KINDS[row['kind']].letter} {'  ' * depth}{_name(row)}" for row, depth in ordered]
    remarks = [remark(row) for row, _ in ordered]
    wide = min(max(map(cell_len, labels)), int(room * _LABEL_SHARE))
    times = [number(row["duration_ms"]) for row, _ in ordered]
    time_width = max(map(len, times))
    longest = max(map(cell_len, remarks))
    bar = max(_BAR_LEAST, room - wide - time_width - 2 * len(_BETWEEN) - min(longest, int(room * _REMARK_SHARE)) - 2)
    left = max(0, room - wide - bar - time_width - 3 * len(_BETWEEN))
    wall_ms = rows[0]["wall_ms"] or 0.0
    yield [(" " * (wide + len(_BETWEEN)) + _scale(wall_ms, bar) + _BETWEEN + "ms".rjust(time_width), "dim")]
    for (row, _), label, time, said in zip(ordered, labels, times, remarks, strict=True):
        kind = KINDS[row["kind"]]
        failed = row["status"] != "ok"
        yield [
            (_fitted(label, wide), "red" if failed else kind.style),
            (_BETWEEN + _bar(row, wall_ms, bar, kind.bar), kind.style),
            (_BETWEEN + time.rjust(time_width), ""),
            ((_BETWEEN + (said if width is None else _cut(said, left))) if said else "", "red" if failed else "dim"),
        ]
    yield [("", "")]
    seen = [kind for name, kind in KINDS.items() if any(row["kind"] == name for row, _ in ordered)]
    yield [(", ".join(f"{kind.letter} {kind.bar} {kind.said}" for kind in seen), "dim")]


def split(row: Row) -> Iterator[Line]:
    """Where the wall time went, a line a part and the sum, in ms to the nanosecond; what stands beside it below."""
    if row["model_ms"] is None:
        yield [(f"the wall time has no split: {str(row['split_by'] or 'unknown').removeprefix('missing: ')}", "red")]
        return
    total_ns = row["trial_ended_ns"] - row["trial_started_ns"]
    width = len(_exact(total_ns))
    for column, name in PARTS.items():
        kind = KINDS.get(name, Kind(" ", "orchestration", " "))
        part_ns = round(row[column] * 1e6)
        of_wall = part_ns / total_ns if total_ns else 0.0
        said = name.replace("_", " ").replace("rate limit", "rate-limit") or "orchestration"
        yield [
            (f"  {kind.letter} {said:<16}", kind.style),
            (f"  {_exact(part_ns):>{width}} ms  {share(of_wall):>6}  ", ""),
            (_first(kind.bar) * round(of_wall * _SHARE_BAR), kind.style),
        ]
    yield [(f"  = {'wall':<16}  {_exact(total_ns):>{width}} ms", "bold")]
    if row["effort_ms"] is not None:
        facts = [f"effort {number(row['effort_ms'])} ms", f"critical path {number(row['critical_path_ms'])} ms"]
        facts.append(f"parallel speed-up {number(row['parallel_speedup'])}")
        yield [("  " + ", ".join(facts) + " (* on the critical path)", "dim")]


def headline(row: Row) -> str:
    """What the trial is and what became of it."""
    team = f" ({row['team']})" if row["team"] else ""
    where = f"{row['dataset']}/{row['test_id']}, {row['phase']}, repetition {row['repetition']}"
    ended = row["trial_status"] if row["error_kind"] is None else f"{row['trial_status']}: {row['error_kind']}"
    score = "" if row["score"] is None else f", score {row['score']:.2f}"
    return f"trial {row['trial_id']}: {row['workload']}{team} on {row['target']}, {where}, {ended}{score}"


def nested(rows: Sequence[Row]) -> Iterator[tuple[Row, int]]:
    """Spans in order of start, each with its depth, below the one around it. None is lost, whatever its parent says."""
    known = {row["span_id"] for row in rows}
    children: dict[str | None, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (row["started_ns"], -row["ended_ns"])):
        children.setdefault(row["parent_id"] if row["parent_id"] in known else None, []).append(row)
    told: set[str] = set()
    todo = [(row, 0) for row in reversed(children.get(None, ()))]
    rest = iter(rows)
    while True:
        while todo:
            row, depth = todo.pop()
            if row["span_id"] in told:
                continue
            told.add(row["span_id"])
            yield row, depth
            todo += [(child, depth + 1) for child in reversed(children.get(row["span_id"], ()))]
        circle = next((row for row in rest if row["span_id"] not in told), None)
        if circle is None:
            return
        todo.append((circle, 0))


def remark(row: Row) -> str:
    """What is worth knowing of a span beside its time: which try, on the critical path, TTFT, decision, error."""
    parts = ["*"] if row["critical_ms"] else []
    if (row["attempt"] or 1) > 1:
        parts.append(f"try {row['attempt']}")
    if row["ttft_ms"] is not None:
        parts.append(f"TTFT {number(row['ttft_ms'])}")
    if row["tokens_out"] is not None:
        parts.append(f"{row['tokens_out']} tokens")
    if row["kind"] == "human_wait" and row["output"]:
        parts.append(clean(row["output"]))
    if row["status"] != "ok":
        parts.append(f"{row['status']}: {clean(row['error'])}" if row["error"] else row["status"])
    star, rest = (parts[:1], parts[1:]) if parts[:1] == ["*"] else ([], parts)
    return " ".join([*star, ", ".join(rest)]).strip()


def _name(row: Row) -> str:
    name = clean(row["name"] or "")
    return f"to {name}" if row["kind"] == "handoff" else name or row["kind"]


def _scale(wall_ms: float, width: int) -> str:
    """`0`, the middle and the end of the wall time above the bars."""
    half, end = number(wall_ms / 2), number(wall_ms)
    if width < len(half) + len(end) + 8:
        return "0" + end.rjust(width - 1)
    middle = width // 2
    return "0" + half.rjust(middle - 1) + end.rjust(width - middle)


def _bar(row: Row, wall_ms: float, width: int, cells: str) -> str:
    """The span's place in the wall time; never less than one cell wide."""
    scale = width / wall_ms if wall_ms else 0.0
    start = min(width - 1, max(0, int(row["starts_ms"] * scale)))
    end = min(width, max(start + 1, int((row["starts_ms"] + row["duration_ms"]) * scale)))
    return (" " * start + _drawn(cells, end - start)).ljust(width)


def _drawn(cells: str, length: int) -> str:
    if len(cells) == 1:
        return cells * length
    if length == 1:
        return "│"
    return cells[0] + cells[1] * (length - 2) + cells[2]


def _first(bar: str) -> str:
    return "─" if bar == " " else bar[0]


def _exact(ns: int) -> str:
    """Nanoseconds as milliseconds, to the last digit."""
    return f"{ns // 1_000_000:,}.{ns % 1_000_000:06d}"


def _fitted(text: str, width: int) -> str:
    return set_cell_size(_cut(text, width), width)


def _cut(text: str, width: int) -> str:
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + "…" if width > 1 else ""
