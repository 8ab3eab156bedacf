"""The drawings of a run: what each is called, what it says, and the numbers behind it, for the page and for slides.

`drawings` makes each when it is asked for: a page takes all of them as SVG in its own colours, `benchbook report
--plots` the same figures as files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchbook.records import TEAM_WORKLOADS
from benchbook.reports import words
from benchbook.reports.gather import RunView
from benchbook.reports.pages import run_tables
from benchbook.reports.pages.extras import Extras
from benchbook.reports.pages.tables import Cell, Column, Table
from benchbook.reports.plots import cost_quality, distribution, errors, gaps, load, over_time, split, timeline
from benchbook.reports.plots.distribution import Names

Row = Mapping[str, Any]
CURVES = {
    "ttft_ms": "Time to first token",
    "e2e_ms": "End to end, from dispatch",
    "response_ms": "Response, from the intended start",
    "decode_ms_per_token": "Decode, per token after the first",
}
STEADY = {"ttft_ms": "Time to first token over the run", "e2e_ms": "End to end over the run"}
LOADED = {"ttft_ms": "Time to first token against load", "e2e_ms": "End to end against load"}


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure (of matplotlib) with its file name, its title, the section it stands in, and its numbers as a table."""

    name: str
    section: str
    title: str
    figure: Any
    numbers: Table | None = None
    note: str = ""


def names_of(view: RunView) -> dict[tuple[str, str], str]:
    """(target, workload) -> what it is called on the page, in the order of the run: the target, and its workload where
    there are several."""
    keys = dict.fromkeys((str(row["target"]), str(row["workload"])) for row in view.targets)
    several = len({workload for _, workload in keys}) > 1
    return {key: f"{key[0]} ({key[1]})" if several else key[0] for key in keys}


def drawings(view: RunView, extras: Extras) -> Iterator[Drawing]:
    """Every drawing that the run has rows for, in the order of the page."""
    names = names_of(view)
    targets = list(dict.fromkeys(target for target, _ in names))
    found = (
        *_distributions(view, extras, names),
        *_loads(extras, targets),
        *_over_time(extras, targets),
        Drawing("chunk-gaps", "streams", "Gaps between chunks", gaps.draw(extras.gap_tail, targets)),
        Drawing(
            "cost-quality", "quality", "Cost against quality", cost_quality.draw(extras.cost_quality, names),
            _worth(extras, names),
        ),
    )  # fmt: skip
    yield from (each for each in found if each.figure is not None)


def for_slides(view: RunView, extras: Extras) -> Iterator[Drawing]:
    """What the page shows as tables of bars: the split of wall times, and a waterfall a trial."""
    found = [Drawing("wall-time-split", "agents", "Where the wall time goes", split.draw(view.agents, names_of(view)))]
    for row in extras.trials:
        spans = extras.spans.get(row["trial_id"], ())
        name = f"timeline-{row['which']}-{str(row['trial_id'])[:12]}"
        found.append(
            Drawing(name, "agents", f"{row['target']}: {row['test_id']}", timeline.draw(spans) if spans else None)
        )
    yield from (each for each in found if each.figure is not None)


def _distributions(view: RunView, extras: Extras, names: Names) -> Iterator[Drawing]:
    plain = {key: name for key, name in names.items() if key[1] not in TEAM_WORKLOADS}
    for metric, title in CURVES.items():
        points = [row for row in view.curves if (row["target"], row["workload"]) in plain]
        figure = distribution.draw(points, metric, plain, view.confidence)
        yield Drawing(_slug(metric), "latency", title, figure, run_tables.quantiles(view, metric, names))
    figure = distribution.draw(extras.wall_curves, "wall_ms", names, view.confidence)
    yield Drawing("wall", "latency", "Wall time of agents' trials", figure, _walls(view, names))


def _walls(view: RunView, names: Names) -> Table:
    columns = [Column("target", "text"), Column("n"), Column("p50 ms"), Column("p95 ms")]
    rows = [
        [
            Cell(names[row["target"], row["workload"]]),
            Cell(str(row["wall_ms_n"])),
            run_tables.quantile(row, "wall_ms", "p50"),
            run_tables.quantile(row, "wall_ms", "p95"),
        ]
        for row in view.agents
        if row["workload"] in TEAM_WORKLOADS
    ]
    return Table("Quantiles of wall_ms", columns, rows)


def _loads(extras: Extras, targets: Sequence[str]) -> Iterator[Drawing]:
    for metric, title in LOADED.items():
        yield Drawing(
            f"load-{_slug(metric)}",
            "load",
            title,
            load.draw(extras.sweep, metric, targets),
            _points(extras.sweep, metric),
        )


def _points(rows: Sequence[Row], metric: str) -> Table:
    columns = [Column("target", "text"), Column("load"), Column("answers/s"), Column("gain"), Column("failed")]
    columns += [Column(f"{metric}\n{name}") for name in ("p50", "p95")]
    lines = [
        [
            Cell(row["target"]),
            Cell(words.number(row["load"])),
            Cell(words.number(row["trials_per_s"])),
            Cell(words.MISSING if row["gain"] is None else f"{row['gain']:.2f}"),
            Cell(words.share(row["failure_share"])),
            *(run_tables.quantile(row, metric, name) for name in ("p50", "p95")),
        ]
        for row in rows
    ]
    return Table("Points of the sweep", columns, lines)


def _over_time(extras: Extras, targets: Sequence[str]) -> Iterator[Drawing]:
    for metric, title in STEADY.items():
        figure = over_time.draw(extras.over_time, metric, targets)
        numbers = run_tables.over_time(extras.over_time, metric)
        yield Drawing(f"over-time-{_slug(metric)}", "time", title, figure, numbers)
    figure = errors.draw(extras.errors_by_time, targets)
    yield Drawing("errors-over-time", "time", "Failures over the run", figure, _slices(extras.errors_by_time))


def _slices(rows: Sequence[Row]) -> Table:
    columns = [
        Column("target", "text"),
        Column("from s"),
        Column("to s"),
        Column("failed"),
        Column("of"),
        Column("share"),
    ]
    columns += [Column("kinds", "text")]
    lines = [
        [
            Cell(row["target"]),
            Cell(f"{row['from_s']:.2f}"),
            Cell(f"{row['to_s']:.2f}"),
            Cell(str(row["failed"])),
            Cell(str(row["attempted"])),
            Cell(words.share(row["failure_share"]), _between(row, "failure_share")),
            Cell(", ".join(f"{kind} {n}" for kind, n in row["kinds"].items()) or words.MISSING),
        ]
        for row in rows
    ]
    return Table("Failures by slice of time", columns, lines)


def _between(row: Row, name: str) -> str:
    return f"{words.share(row[f'{name}_low'])} to {words.share(row[f'{name}_high'])}"


def _worth(extras: Extras, names: Names) -> Table:
    columns = [Column("target", "text"), Column("mean score"), Column("cases"), Column("cost of\n1,000 trials")]
    rows = []
    for row in extras.cost_quality:
        usd = None if row["cost_usd_per_trial"] is None else 1000 * row["cost_usd_per_trial"]
        low, high = row["score_low"], row["score_high"]
        between = f"{low:.2f} to {high:.2f}" if low is not None else str(row["score_refused"] or "")
        score = Cell(words.MISSING if row["score"] is None else f"{row['score']:.2f}", between)
        rows.append(
            [
                Cell(names[row["target"], row["workload"]]),
                score,
                Cell(str(row["cases"] or 0)),
                Cell(words.money(usd), sort=usd),
            ]
        )
    return Table("Mean score and cost", columns, rows)


def _slug(metric: str) -> str:
    return metric.removesuffix("_ms").removesuffix("_ms_per_token").replace("_", "-")
