"""The page of a comparison: the answer first, then every metric with its interval, what differs, how it was found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchbook.errors import EXIT_CANNOT_TELL, EXIT_DONE, EXIT_REGRESSION
from benchbook.history.comparing import Compared, compare_sides
from benchbook.history.rules import GATED, planned_rules
from benchbook.history.selecting import Side, select_side
from benchbook.history.sides import METRICS, side_curves
from benchbook.reports import comparison, words
from benchbook.reports.pages.frame import render
from benchbook.reports.pages.tables import Cell, Column, Table
from benchbook.reports.plots import distribution, forest, inline
from benchbook.stats.verdicts import BETTER, CANNOT_TELL, WORSE

Row = Mapping[str, Any]
HEADS = {
    EXIT_DONE: ("good", "NO REGRESSION", "No metric of the gate got worse."),
    EXIT_REGRESSION: ("bad", "REGRESSION", "A metric of the gate got worse, beyond its margin and beyond chance."),
    EXIT_CANNOT_TELL: (
        "warn",
        "CANNOT TELL",
        "No metric of the gate is known to be worse, and not all are known not to be.",
    ),
}
STYLES = {WORSE: "bad", BETTER: "good"}
TITLES = {"ttft_ms": "Time to first token", "e2e_ms": "End to end", "wall_ms": "Wall time of a trial"}
_PAIRS = 8
"""Target pairs that are drawn; the tables have all."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A drawing with its title and where it belongs."""

    title: str
    svg: str


def report(results: str | Path, asked: Sequence[str]) -> str:
    """The page of the two sides that these words name, judged as the newest run's plan says. Raises UserError."""
    found = compared(results, asked[0], asked[1])
    return page(results, found)


def compared(results: str | Path, a: str, b: str) -> Compared:
    """B against A. Raises UserError."""
    sides = [select_side(results, text) for text in (a, b)]
    newest = max(run_id for side in sides for run_id in side.runs)
    return compare_sides(results, sides[0], sides[1], planned_rules(results, newest))


def page(results: str | Path, found: Compared, *, served: bool = False) -> str:
    """The page as an HTML text that needs no other file and no network."""
    tone, head, means = HEADS[found.exit_code]
    gated = [row for row in found.rows if row["gated"]]
    rest = [row for row in found.rows if not row["gated"]]
    why = dict.fromkeys(row["why"] for row in gated if row["verdict"] == CANNOT_TELL and _tells(row["why"]))
    facts: dict[str, Any] = {
        "tone": tone,
        "head": head,
        "means": means,
        "because": comparison.answer(found).partition(": ")[2],
        "exit_code": found.exit_code,
        "sides": [(name, side, _lines_of(side)) for name, side in (("A", found.a), ("B", found.b))],
        "why": list(why),
        "forests": list(_forests(found.rows)),
        "gate": _metrics("What the gate looks at", gated) if gated else None,
        "rest": _metrics("Everything else", rest) if rest else None,
        "solved": _solved(found.rows),
        "differences": _differences(found),
        "curves": list(_curves(results, found)),
        "how": list(_how(found)),
        "paired": _paired(found.rows),
        "notes": [*comparison.notes(found), *comparison.retried(results, found)],
        "command": f"benchbook compare {_word(found.a)} {_word(found.b)}",
        "confidence": found.rules.confidence,
    }
    return render("comparison.html.j2", facts, served=served)


def _tells(why: str) -> bool:
    """Whether a reason is more than a number of runs, which stands in the metric's row."""
    return bool(why) and not why.startswith("needs about")


def _lines_of(side: Side) -> list[str]:
    narrowed = [f"{key} {value}" for key, value in (("target", side.target), ("workload", side.workload)) if value]
    runs = [side.runs[0]] if len(side.runs) == 1 else [f"{len(side.runs)} runs, {side.runs[0]} to {side.runs[-1]}"]
    said = [f"asked for as: {side.words}"] if side.words not in side.runs else []
    return [*runs, *narrowed, *said]


def _word(side: Side) -> str:
    """A side as a shell takes it."""
    import shlex

    return shlex.quote(side.words)


def _of(row: Row) -> str:
    return str(row["target"]) if row["workload"] == "api" else f"{row['target']} ({row['workload']})"


def _groups(rows: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(_of(row), []).append(row)
    return found


def _forests(rows: Sequence[Row]) -> Iterator[Drawn]:
    for name, of in list(_groups(rows).items())[:_PAIRS]:
        shown = [row for row in of if row["gated"] or row["metric"] in ("response_ms",)] or of
        figure = forest.draw(shown, name)
        if figure is not None:
            yield Drawn(name, inline(figure, f"Changes of {name}. Their numbers stand in the table of this section."))


def _metrics(caption: str, rows: Sequence[Row]) -> Table:
    names = ("metric", "verdict", "change", "interval", "A", "B", "effect size", "p adjusted", "cases")
    hints = {
        "change": "B against A; of a p95 with the difference",
        "effect size": "Cliff's delta: -1 all of B lower, +1 all of B higher, 0 no order",
        "p adjusted": "for how many metrics are looked at: Holm's over the gate, Benjamini and Hochberg's of the rest",
        "cases": "test cases that are paired",
    }
    kinds = {"metric": "text", "verdict": "text"}
    several = len(_groups(rows)) > 1
    columns = [Column(name, kinds.get(name, "number"), hints.get(name, "")) for name in names]
    return Table(caption, columns, [_line(row, several=several) for row in rows])


def _line(row: Row, *, several: bool) -> list[Cell]:
    metric = comparison.metric(row)
    first = Cell(metric, _of(row) if several or row["workload"] != "api" else f"better is {row['better']}")
    delta, p = row["cliffs_delta"], row["p_adjusted"]
    change = row["ratio"] if row["scale"] == "log" else row["difference"]
    ordered = change if change is None or row["scale"] == "share" else change - 1
    needs = (
        f"about {row['more_runs']} more run{'s' if row['more_runs'] != 1 else ''} a side" if row["more_runs"] else ""
    )
    bounds, bracket, in_ms = comparison.interval(row).partition("(")
    points = f"points to {row['sense']}" if row["verdict"] == CANNOT_TELL and row["sense"] else ""
    return [
        first,
        Cell(row["verdict"], "; ".join(filter(None, (points, needs))), style=STYLES.get(row["verdict"], "strong")),
        Cell(comparison.change(row), style=STYLES.get(row["verdict"], ""), sort=ordered),
        Cell(bounds or words.MISSING, (bracket + in_ms) if bracket else str(row["refused"] or "")),
        Cell(comparison.level(row, "a"), sort=row["a"]),
        Cell(comparison.level(row, "b"), sort=row["b"]),
        Cell(words.MISSING if delta is None else f"{delta:+.2f}", sort=delta),
        Cell(words.MISSING if p is None else _p(p), sort=p),
        Cell(str(row["cases"])),
    ]


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _solved(rows: Sequence[Row]) -> Table | None:
    """Scores as solved or not, case by case, where every score is one or the other."""
    found = [row for row in rows if row["metric"] == "score" and row["solved"]]
    if not found:
        return None
    names = list(found[0]["solved"])
    titles = {"only_a": "by A only", "only_b": "by B only", "p": "p (McNemar)"}
    columns = [Column("target", "text"), *(Column(titles.get(name, name.replace("_", " "))) for name in names)]
    lines = [[Cell(_of(row)), *(Cell(_number(row["solved"][name])) for name in names)] for row in found]
    return Table("Cases solved by one side alone", columns, lines)


def _number(value: Any) -> str:
    if isinstance(value, float):
        return _p(value)
    return words.MISSING if value is None else str(value)


def _differences(found: Compared) -> Table | None:
    if not found.differences:
        return None
    rows = [[Cell(row["what"]), Cell(row["a"]), Cell(row["b"])] for row in found.differences]
    return Table("Facts that differ", [Column("what", "text"), Column("A", "long"), Column("B", "long")], rows)


def _curves(results: str | Path, found: Compared) -> Iterator[Drawn]:
    """Both sides' distributions, a drawing a target pair and metric."""
    points = [side_curves(results, side.runs) for side in (found.a, found.b)]
    pairs = dict.fromkeys((row["target"], row["workload"]) for row in found.rows)
    for target, workload in list(pairs)[:_PAIRS]:
        names = target.split(" \N{RIGHTWARDS ARROW} ")
        metrics = METRICS[2:] if workload not in ("api", "session") else METRICS[:2]
        for metric in metrics:
            rows = [
                {**point, "target": name, "workload": workload}
                for name, side, own in zip("AB", points, (names[0], names[-1]), strict=True)
                for point in side
                if (point["target"], point["workload"], point["metric"]) == (own, workload, metric)
            ]
            looks = {("A", workload): f"A: {names[0]}", ("B", workload): f"B: {names[-1]}"}
            figure = distribution.draw(rows, metric, looks, found.rules.confidence)
            if figure is not None:
                title = f"{TITLES[metric]}, {target}"
                yield Drawn(title, inline(figure, f"{title}: distributions of both sides"))


def _how(found: Compared) -> Iterator[tuple[str, str]]:
    rules, margins = found.rules, asdict(found.rules.margins)
    yield "paired by", "test case; the prompt is the cluster, the run is the replicate"
    yield "runs of A", ", ".join(found.a.runs)
    yield "runs of B", ", ".join(found.b.runs)
    yield "intervals", f"{rules.confidence * 100:g} %"
    parts = (("median", "% of a median"), ("p95", "% of a p95"), ("share", "points of a share"))
    yield "margins", ", ".join(f"{margins[name] * 100:g} {unit}" for name, unit in parts)
    yield "gate", ", ".join(rules.gate or GATED)
    yield "in a line", comparison.method(found)


def _paired(rows: Sequence[Row]) -> Table:
    """Of each metric: cases that are paired and left out, runs and values a side, and the spread between runs."""
    names = ("metric", "cases", "only in A", "only in B", "runs A", "runs B", "values A", "values B", "spread of runs")
    columns = [Column(name, "number" if place else "text") for place, name in enumerate(names)]
    keys = ("cases", "only_a", "only_b", "runs_a", "runs_b", "n_a", "n_b")
    lines = [
        [Cell(comparison.metric(row), _of(row)), *(Cell(str(row[key])) for key in keys), _spread(row)] for row in rows
    ]
    return Table("What each number stands on", columns, lines)


def _spread(row: Row) -> Cell:
    spread = row["spread"]
    if spread is None:
        return Cell("unknown")
    sd = 100 * spread["sd"]
    said = f"{sd:.1f} %" if row["scale"] == "log" else f"{sd:.1f} points"
    return Cell(said, f"{spread['runs']} levels, {spread['kind']}, df {spread['df']:.0f}", sort=sd)
