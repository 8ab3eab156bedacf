"""A sweep and a search in the terminal: a line a load, and what they come to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchbook.reports.grid import Cell, Column
from benchbook.reports.terminal import show_grid, show_words, width
from benchbook.reports.words import MISSING, interval, number, quantile, share
from benchbook.results.paths import as_option

Row = Mapping[str, Any]
_LATENCIES = (
    ("TTFT ms p50", "ttft_ms", "p50", 0),
    ("TTFT ms p95", "ttft_ms", "p95", 0),
    ("end to end ms p95", "e2e_ms", "p95", 2),
    ("response ms p95", "response_ms", "p95", 1),
)


_NUMBERS = ("value", "low", "high")


def print_sweep(found: Mapping[str, Any]) -> None:
    """Print what `stages.sweep.answer` gave."""
    rows = found["points"]
    show_words((f"sweep {found['sweep_id']}", "bold"))
    if rows:
        left_out = show_grid(*points(rows, found["axis"], stacked=width() is not None), hoist=False)
        show_words(("requests a second are trials that succeeded; intervals are 95 %; gain: see the knee", "dim"))
        if left_out:
            show_words((f"too narrow for: {', '.join(left_out)}", "dim"))
    for line in _knees(found):
        show_words((line, ""))
    where = as_option(found["results"])
    if found["status"] != "finished":
        show_words((f"finish   benchbook sweep --resume {found['sweep_id']}{where}", ""))
    show_words((f"next     benchbook history sweep{where}", ""))


def points(rows: Sequence[Row], axis: str, *, stacked: bool) -> tuple[list[Column], list[list[Cell]]]:
    """Columns and cells of a sweep's points. stacked: intervals below their numbers."""
    columns = [Column("target"), Column(axis, right=True), Column("ok / tried", right=True)]
    columns += [Column("failed", right=True), Column("requests/s", right=True), Column("gain", right=True, rank=3)]
    columns += [Column("tokens/s", right=True, rank=3)]
    columns += [Column(heading, right=True, rank=rank) for heading, _, _, rank in _LATENCIES]
    columns += [Column("good", right=True, rank=2)]
    return columns, [[*_numbers(row), *_latencies(row), _good(row, stacked=stacked)] for row in rows]


def _numbers(row: Row) -> Iterator[Cell]:
    yield Cell(str(row["target"]), style="bold")
    yield Cell(number(row["load"]))
    bad = row["succeeded"] < row["attempted"]
    yield Cell(f"{row['succeeded']}/{row['attempted']}", style="red" if bad else "")
    yield Cell(share(row["failure_share"]))
    yield Cell(number(row["trials_per_s"]))
    yield Cell(MISSING if row["gain"] is None else f"{row['gain']:.2f}")
    yield Cell(number(row["tokens_per_s"]))


def _latencies(row: Row) -> Iterator[Cell]:
    for _, metric, name, _ in _LATENCIES:
        whole = quantile(row, metric, name)
        if row[f"{metric}_{name}"] is None:
            text, comma, below = whole.partition(", ")
            yield Cell(text + comma.rstrip(), below, whole)
        else:
            yield Cell(number(row[f"{metric}_{name}"]), interval(row, metric, name), whole)


def _good(row: Row, *, stacked: bool) -> Cell:
    if row["good_share"] is None:
        return Cell(MISSING)
    between = f"{share(row['good_share_low'])}\N{EN DASH}{share(row['good_share_high'])}"
    good = share(row["good_share"])
    return Cell(good, between) if stacked else Cell(f"{good} [{between}]")


def _knees(found: Mapping[str, Any]) -> Iterator[str]:
    axis, least = found["axis"], share(found["least_gain"])
    for each in found["knees"]:
        loads = [row["load"] for row in found["points"] if row["target"] == each["target"]]
        if each["load"] is not None:
            step = f"from {each['load']:g} to {each['next_load']:g} {_gained(each['gain'])}, less than {least}"
            yield f"{each['target']}: knee at {axis} {each['load']:g}: {step}"
        elif len(set(loads)) > 1:
            most = f"{each['target']}: no knee up to {axis} {max(loads):g}"
            yield f"{most}: of each step's added load at least {least} came out as throughput"


def _gained(gain: float) -> str:
    if gain < 0:
        return "throughput fell"
    return f"only {share(gain)} of the added load came out as throughput"


def print_search(answer: Mapping[str, Any]) -> None:
    """Print what `benchbook search --json` would, for people."""
    show_words(
        (f"search {answer['search_id']} for the largest {answer['axis']} with {' and '.join(answer['slos'])}", "bold")
    )
    columns = [Column("target"), Column(answer["axis"], right=True), Column("word"), Column("runs", right=True)]
    columns += [Column(slo, right=True) for slo in answer["slos"]]
    rows = [_tried(part["target"], point) for part in answer["targets"] for point in part["tried"]]
    if rows:
        show_grid(columns, rows, hoist=False)
    for part in answer["targets"]:
        show_words((_bracket(part, answer["axis"]), ""))
    for label, command in answer["next"].items():
        show_words((f"{label:<8} {command}", ""))


def _tried(target: str, point: Mapping[str, Any]) -> list[Cell]:
    first = [Cell(target, style="bold"), Cell(number(point["load"])), _word(point["word"])]
    return [*first, Cell(str(len(point["runs"]))), *(_judged(each) for each in point["judgements"])]


def _word(word: str) -> Cell:
    return Cell(word, style={"met": "green", "violated": "red"}.get(word, "yellow"))


def _judged(each: Mapping[str, Any]) -> Cell:
    """An objective's number with its interval, n, and the word on it."""
    if each["refused"]:
        return Cell(str(each["refused"]))
    read = share if each["slo"].startswith("error_rate") else number
    value, low, high = ("unbounded" if name in each["unbounded"] else read(each[name]) for name in _NUMBERS)
    return Cell(f"{value} [{low}\N{EN DASH}{high}] n={each['n']}")


def _bracket(part: Mapping[str, Any], axis: str) -> str:
    met, violated = part["largest_met"], part["smallest_violated"]
    if not part["tried"]:
        return f"{part['target']}: no load tried to its end; ended by {part['status']}"
    parts = [f"largest {axis} met: {'none' if met is None else f'{met:g}'}"]
    parts.append(f"smallest violated: {'none up to ' + _most(part) if violated is None else f'{violated:g}'}")
    if part["undecided"]:
        parts.append(f"can't be told: {', '.join(f'{load:g}' for load in part['undecided'])}")
    if part["status"] != "finished":
        parts.append(f"ended by {part['status']}")
    return f"{part['target']}: {'; '.join(parts)}"


def _most(part: Mapping[str, Any]) -> str:
    return f"{max((point['load'] for point in part['tried']), default=0):g}"
