"""An experiment in the terminal: its rounds, what compare says of them, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchbook.history.experiments import WATCHED
from benchbook.reports.grid import Cell, Column
from benchbook.reports.terminal import show_grid, show_words
from benchbook.reports.words import MISSING, money, number, share

Row = Mapping[str, Any]
_STYLES = {"CHANGED worse": "red", "CHANGED better": "green", "EQUIVALENT": "green", "CANNOT TELL": "yellow"}


def print_experiment(found: Row) -> None:
    """Print what `stages.experiment.answer` gave."""
    show_words((f"{found['kind']} {found['experiment_id']}", "bold"), (f"  A {found['a']}  B {found['b']}", ""))
    if found["rounds"]:
        show_grid(*_rounds(found["rounds"]))
    for line in _ended(found):
        show_words((line, ""))
    gated = [row for row in found["rows"] if row["gated"]]
    if gated:
        show_grid(*_verdicts(gated))
        said = "B / A: medians (p95s where said), of shares B - A; paired by test case, rounds as replicates"
        show_words((f"{said}; {len(found['rows']) - len(gated)} more metrics in `next`", "dim"))
    for note in found["notes"]:
        show_words((f"note: {note}", "dim"))
    for line in null_lines(found.get("null")):
        show_words((line, ""))
    for label, command in found["next"].items():
        show_words((f"{label:9}{command}", ""))


def _rounds(rows: Sequence[Row]) -> tuple[list[Column], list[list[Cell]]]:
    there = dict.fromkeys((part["workload"], part["metric"]) for row in rows for part in row["ratios"])
    metrics = sorted(there, key=lambda key: (key[0], WATCHED.index(key[1])))
    several = len({workload for workload, _ in metrics}) > 1
    columns = [Column("round", right=True), Column("run"), Column("verdict"), Column("A ok", right=True)]
    columns += [Column("B ok", right=True), Column("cost", right=True, rank=-1)]
    columns += [
        Column(f"{metric} B/A" + (f" {workload}" if several else ""), right=True) for workload, metric in metrics
    ]
    return columns, [_round(row, metrics) for row in rows]


def _round(row: Row, metrics: Sequence[tuple[str, str]]) -> list[Cell]:
    ratios = {(part["workload"], part["metric"]): part["ratio"] for part in row["ratios"]}
    said = row["verdict"] if row["status"] == "finished" else row["status"]
    cells = [Cell(str(row["round"])), Cell(row["run_id"]), Cell(said, style="" if said == "VALID" else "yellow")]
    for side in ("a", "b"):
        ok, tried = row[side]["succeeded"], row[side]["attempted"]
        cells.append(Cell(f"{ok}/{tried}", style="red" if ok < tried else ""))
    return [*cells, Cell(money(row["spent_usd"])), *(Cell(_ratio(ratios.get(key))) for key in metrics)]


def _ratio(value: float | None) -> str:
    return MISSING if value is None else f"{value:.3f}"


def _ended(found: Row) -> Iterator[str]:
    status, why, have = found["status"], found["why"], sum(row["status"] == "finished" for row in found["rounds"])
    of = f"after {have} of {found['planned_rounds']} rounds"
    if status == "settled":
        yield f"stopped early {of}: {why}"
    elif status == "budget":
        yield f"stopped by --budget-usd {of}: {why or 'the money is spent'}; what was done is kept"
    elif status == "failed":
        yield f"stopped {of}: {why}; what was done is kept"
    elif status == "interrupted":
        yield f"interrupted {of}; what was done is kept"
    for look in found["looks"] if found["stop_early"] else ():
        bounds = f"{_ratio(look['low'])}\N{EN DASH}{_ratio(look['high'])}" if look["low"] is not None else "open"
        yield f"{look['metric']}: B / A {look['ratio']:.3f} [{bounds}], {look['word']}; holds at every look"


def _verdicts(rows: Sequence[Row]) -> tuple[list[Column], list[list[Cell]]]:
    several = len({row["workload"] for row in rows}) > 1
    columns = [Column("workload")] if several else []
    columns += [Column("metric"), Column("A", right=True), Column("B", right=True), Column("B / A", right=True)]
    columns += [Column("verdict"), Column("why", rank=-1)]
    return columns, [[*([Cell(row["workload"])] if several else []), *_verdict(row)] for row in rows]


def _verdict(row: Row) -> list[Cell]:
    shares = row["scale"] == "share"
    read = share if shares else number
    metric = f"{row['metric']}{' p95' if row['statistic'] == 'p95' else ''}"
    middle, low, high = (
        (row["difference"], row["difference_low"], row["difference_high"])
        if shares
        else (row["ratio"], row["low"], row["high"])
    )
    form = "{:+.3f}" if shares else "{:.3f}"
    text = MISSING if middle is None else form.format(middle)
    bounds = "" if low is None or high is None else f"{form.format(low)}\N{EN DASH}{form.format(high)}"
    change = Cell(text, bounds, f"{text} [{bounds}]" if bounds else text)
    style = _STYLES.get(row["verdict"], "")
    return [
        Cell(metric),
        Cell(read(row["a"])),
        Cell(read(row["b"])),
        change,
        Cell(row["verdict"], style=style),
        Cell(row["why"]),
    ]


def null_lines(null: Row | None) -> Iterator[str]:
    """What `history.null_runs.realised` gave, in sentences; nothing where there is nothing."""
    if null is None:
        return
    kept = f"{null['rounds']} rounds of {null['target']} against itself"
    if null["comparisons"]:
        between = f"95 % {share(null['low'])}\N{EN DASH}{share(null['high'])}"
        yield f"false alarms: {null['alarms']} of {null['comparisons']} comparisons of the same ({between}); {kept}"
    else:
        yield f"false alarms: not known, {kept} make no pair"
    spreads = {metric: null["spread"][metric] for metric in WATCHED if metric in null["spread"]}
    if spreads:
        said = ", ".join(f"{metric} {100 * spread['sd']:.2g} %" for metric, spread in spreads.items())
        df = max(spread["df"] for spread in spreads.values())
        yield f"spread between rounds (sd of ln median, {df:g} degrees of freedom): {said}"
