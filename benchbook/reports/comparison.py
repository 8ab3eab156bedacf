"""A comparison in words: for people at a terminal, for a pull request, for scripts. The answer stands first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchbook.errors import EXIT_CANNOT_TELL, EXIT_REGRESSION
from benchbook.history import ask
from benchbook.history.comparing import Compared
from benchbook.history.rules import GATED
from benchbook.history.selecting import Side
from benchbook.reports.grid import Cell, Column
from benchbook.reports.terminal import show_grid, show_lines, show_words
from benchbook.reports.words import MISSING, money, number, share
from benchbook.stats.verdicts import BETTER, CANNOT_TELL, EQUIVALENT, WORSE

Row = Mapping[str, Any]

_STYLES = {WORSE: "bold red", BETTER: "bold green", EQUIVALENT: "green", CANNOT_TELL: "yellow"}
_HEADS = {0: ("NO REGRESSION", "bold green"), EXIT_REGRESSION: ("REGRESSION", "bold red")}
_ALWAYS = ("response_ms",)
"""Shown although no gate looks at it: it alone holds retries and waits."""

_NAMED = 3


def answer(compared: Compared) -> str:
    """One line: the verdict of the gate and the metrics that make it."""
    return f"{_head(compared)[0]}: {_because(compared)}"


def as_json(compared: Compared) -> dict[str, Any]:
    """The comparison as one object, with every number."""
    rules = compared.rules
    return {
        "answer": answer(compared),
        "exit_code": compared.exit_code,
        "a": asdict(compared.a),
        "b": asdict(compared.b),
        "confidence": rules.confidence,
        "margins": asdict(rules.margins),
        "gate": list(rules.gate or GATED),
        "rows": [dict(row) for row in compared.rows],
        "differences": [dict(row) for row in compared.differences],
        "notes": list(notes(compared)),
    }


def as_markdown(compared: Compared) -> str:
    """For a pull request: the answer, a table of what the gate looked at, and everything else to unfold."""
    shown = [row for row in compared.rows if row["gated"]]
    rest = [row for row in compared.rows if not row["gated"]]
    lines = [
        f"**{_safe(_head(compared)[0])}**: {_safe(_because(compared))}",
        "",
        *(f"- {_safe(line)}" for line in _sides(compared)),
        "",
    ]
    lines += _table(("target", "metric", "A", "B", "change", "interval", "verdict"), map(_in_markdown, shown))
    lines += [
        "",
        *(f"- {_safe(line)}" for line in _reasons(shown)),
        "",
        "<details><summary>What differs, and everything else that was compared</summary>",
        "",
    ]
    if compared.differences:
        differing = ([_code(row[name]) for name in ("what", "a", "b")] for row in compared.differences)
        lines += [*_table(("what differs", "A", "B"), differing), ""]
    if rest:
        lines += _table(("target", "metric", "A", "B", "change", "interval", "verdict"), map(_in_markdown, rest))
        lines += [""]
    lines += [f"- {_safe(note)}" for note in notes(compared)]
    return "\n".join([*lines, f"- {_safe(method(compared))}", "", "</details>"])


def print_comparison(compared: Compared, *, every: bool = False) -> None:
    """Print it for a person: the answer, the sides, the metrics, what differs. every: all metrics."""
    head, style = _head(compared)
    show_words((head, style), (f": {_because(compared)}", ""))
    for line in _sides(compared):
        show_words((line, "dim"))
    shown = [row for row in compared.rows if every or row["gated"] or row["metric"] in _ALWAYS]
    names = ("target", "metric", "A", "B", "change", "verdict")
    columns = [Column(name, right=name in ("A", "B"), rank=int(name in ("A", "B"))) for name in names]
    show_lines([[("", "")]])
    told, alike = _folded(shown)
    left_out = show_grid(columns, [*map(_cells, told), *alike])
    for line in _reasons(shown):
        show_words((line, "dim"))
    if any(not row["gated"] for row in told):
        show_words(("in brackets: no part of the gate", "dim"))
    if left_out:
        show_words((f"too narrow for: {', '.join(left_out)}", "dim"))
    if compared.differences:
        show_lines([[("", "")]])
        columns = [Column(name) for name in ("what differs", "A", "B")]
        show_grid(columns, [[row["what"], row["a"], row["b"]] for row in compared.differences])
    show_lines([[("", "")]])
    show_words((method(compared), "dim"))


def notes(compared: Compared) -> Iterator[str]:
    """What a reader must know beside the numbers, each once."""
    yield from compared.notes
    seen = {(row["target"], row["failure_share_a"], row["failure_share_b"]) for row in compared.rows}
    for target, *shares in sorted(seen, key=str):
        if any(shares):
            said = " and ".join(share(part) for part in shares)
            yield f"{target}: {said} of the trials of A and B failed, and no latency here speaks of them"
    unpaired = {(row["target"], row["only_a"], row["only_b"]) for row in compared.rows if row["metric"] == "e2e_ms"}
    for target, only_a, only_b in sorted(unpaired):
        if only_a or only_b:
            yield f"{target}: {only_a} cases of A and {only_b} of B are not in every run and left out"


def retried(results: str | Path, compared: Compared) -> Iterator[str]:
    """Per target that retried on either side: how much, because only response_ms holds retries and waits."""
    sides = (compared.a.runs, compared.b.runs)
    found: dict[str, tuple[list[float], list[float]]] = {}
    for row in ask("attempts", results, runs={*sides[0], *sides[1]}):
        key = row["target"] if row["workload"] == "api" else f"{row['target']} ({row['workload']})"
        for side, runs in enumerate(sides):
            if row["run_id"] in runs:
                found.setdefault(key, ([], []))[side].append(row["retried_share"] or 0.0)
    for target, shares in found.items():
        if any(map(any, shares)):
            said = " and ".join(share(sum(of) / len(of) if of else None) for of in shares)
            yield (
                f"{target}: {said} of the trials of A and B were retried; response_ms holds all of that, "
                "the others are of the last attempt"
            )


def method(compared: Compared) -> str:
    """How the numbers came about, in a line."""
    of = f"{compared.rules.confidence * 100:g} % intervals"
    if any(row["spread"] for row in compared.rows):
        return f"paired by test case; {of} over prompts and between runs; Holm's adjustment over the gate"
    if all(row["refused"] for row in compared.rows):
        return "paired by test case; nothing was there to compare"
    return f"paired by test case; {of} over prompts of these runs alone: no spread between runs is known"


def change(row: Row) -> str:
    """`+12.3 %`, of a p95 with the difference, of shares `-1.5 points`."""
    if row["scale"] == "share":
        return MISSING if row["difference"] is None else f"{_signed(100 * row['difference'])} points"
    if row["ratio"] is None:
        return MISSING
    moved = "" if row["difference"] is None else f" ({_in_ms(row, 'difference')} ms)"
    return f"{_signed(100 * (row['ratio'] - 1))} %{moved}"


def interval(row: Row) -> str:
    """The bounds of `change`, in its unit."""
    shares = row["scale"] == "share"
    names = ("difference_low", "difference_high") if shares else ("low", "high")
    bounds = [row[name] for name in names]
    if None in bounds:
        return ""
    low, high = (100 * (bound if shares else bound - 1) for bound in bounds)
    said = f"{_signed(low)} to {_signed(high)} {'points' if shares else '%'}"
    if shares or row["difference"] is None:
        return said
    return f"{said} ({_in_ms(row, 'difference_low')} to {_in_ms(row, 'difference_high')} ms)"


def _in_ms(row: Row, name: str) -> str:
    """One of a p95's differences, with as many decimals as the largest of them needs."""
    largest = max(abs(row[of]) for of in ("difference", "difference_low", "difference_high"))
    digits = 0 if largest >= 100 else 1 if largest >= 10 else 2 if largest >= 1 else 3
    return _signed(row[name], digits)


def level(row: Row, side: str) -> str:
    """One side's level in the metric's unit."""
    value = row[side]
    if value is None:
        return MISSING
    if row["scale"] == "share":
        return share(value)
    return money(value) if row["metric"] == "cost_usd" else number(value)


def metric(row: Row) -> str:
    """`e2e_ms p95`, `score`."""
    return f"{row['metric']} p95" if row["statistic"] == "p95" else str(row["metric"])


def _head(compared: Compared) -> tuple[str, str]:
    return _HEADS.get(compared.exit_code, ("CANNOT TELL", "bold yellow"))


def _because(compared: Compared) -> str:
    gated = [row for row in compared.rows if row["gated"]]
    if not gated:
        return "no gated metric is there on either side"
    count = Counter(row["verdict"] for row in gated)
    changed = [
        f"{count[word]} {said} ({_some(row for row in gated if row['verdict'] == word)})"
        for word, said in ((WORSE, "worse"), (BETTER, "better"))
        if count[word]
    ]
    rest = [
        f"{count[word]} {said}" for word, said in ((EQUIVALENT, "equivalent"), (CANNOT_TELL, "open")) if count[word]
    ]
    more = max((row["more_runs"] or 0 for row in gated if row["verdict"] == CANNOT_TELL), default=0)
    hint = f"; about {more} more run{'s' if more > 1 else ''} a side would tell" if more else ""
    hint = hint if compared.exit_code == EXIT_CANNOT_TELL else ""
    return f"of {len(gated)} gated metrics {', '.join([*changed, *rest])}{hint}"


def _some(rows: Iterable[Row]) -> str:
    listed = [f"{row['target']} {metric(row)} {change(row)}" for row in rows]
    more = f", and {len(listed) - _NAMED} more" if len(listed) > _NAMED else ""
    return ", ".join(listed[:_NAMED]) + more


def _sides(compared: Compared) -> list[str]:
    return [f"{name}: {_side(side)}" for name, side in (("A", compared.a), ("B", compared.b))]


def _side(side: Side) -> str:
    runs = side.runs[0] if len(side.runs) == 1 else f"{len(side.runs)} runs, {side.runs[0]} to {side.runs[-1]}"
    narrowed = [f"{key} {value}" for key, value in (("target", side.target), ("workload", side.workload)) if value]
    return ", ".join([runs, *narrowed])


def _cells(row: Row) -> list[Cell | str]:
    name = metric(row) if row["gated"] else f"({metric(row)})"
    return [
        row["target"] if "api" in row["workload"] else f"{row['target']} ({row['workload']})",
        name,
        level(row, "a"),
        level(row, "b"),
        Cell(change(row), interval(row), f"{change(row)} [{interval(row)}]" if interval(row) else change(row)),
        Cell(row["verdict"], below=_hint(row), style=_STYLES[row["verdict"]]),
    ]


def _folded(rows: Sequence[Row]) -> tuple[list[Row], list[list[Cell | str]]]:
    """The rows to show; and a line for each target where nothing could be compared, for one and the same reason."""
    of: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        of.setdefault((row["target"], row["workload"]), []).append(row)
    told: list[Row] = []
    alike: list[list[Cell | str]] = []
    for group in of.values():
        refusals = {row["refused"] for row in group}
        if len(group) > 1 and len(refusals) == 1 and None not in refusals:
            name, *_, verdict = _cells(group[0])
            alike.append([name, f"all {len(group)}", MISSING, MISSING, MISSING, verdict])
        else:
            told += group
    return told, alike


def _hint(row: Row) -> str:
    """What stands below a verdict: what an open one looks like, and what it needs; why it needs that is said once."""
    if row["verdict"] != CANNOT_TELL:
        return ""
    looks = [f"looks {row['sense']}"] if row["sense"] else []
    need = f"~{row['more_runs']} more run{'s' if row['more_runs'] > 1 else ''}" if row["more_runs"] else row["why"]
    return ", ".join([*looks, *([need.split(": ")[0]] if need else [])])


def _reasons(rows: Sequence[Row]) -> Iterator[str]:
    """Why open verdicts need what they need, each once."""
    still_open = [row for row in rows if row["verdict"] == CANNOT_TELL]
    if any(row["more_runs"] for row in still_open):
        yield "more runs: about so many on each side would tell, if the change is what it looks like"
    yield from dict.fromkeys(row["why"] for row in still_open if ": " in row["why"])


def _in_markdown(row: Row) -> list[str]:
    target = row["target"] if "api" in row["workload"] else f"{row['target']} ({row['workload']})"
    word = f"**{row['verdict']}**" if row["verdict"] in (WORSE, BETTER) else _safe(row["verdict"])
    hint = f": {_safe(_hint(row))}" if _hint(row) else ""
    texts = (metric(row), level(row, "a"), level(row, "b"), change(row), interval(row) or MISSING)
    return [_code(target), *map(_safe, texts), f"{word}{hint}"]


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    return [*lines, *("| " + " | ".join(row) + " |" for row in rows)]


def _code(text: str) -> str:
    """A name of the user's, as it is: nothing in it is obeyed."""
    return f"`{text.replace('`', ' ').replace('|', ' ')}`" if text.isprintable() else _safe(text)


def _safe(text: str) -> str:
    """Text without what Markdown or HTML would obey."""
    for mark, instead in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "\\|"), ("`", "'"), ("\n", " ")):
        text = text.replace(mark, instead)
    return text


def _signed(value: float, digits: int = 1) -> str:
    digits = 0 if abs(value) >= 100 else digits
    rounded = round(value, digits)
    return f"{_sign(rounded)}{abs(rounded):,.{digits}f}"


def _sign(value: float) -> str:
    return "+" if value > 0 else "-" if value < 0 else ""
