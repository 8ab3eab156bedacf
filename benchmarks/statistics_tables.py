"""The tables of `statistics.py`: which sections there are, what their cells must keep, how they are shown."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from itertools import groupby
from pathlib import Path

import numpy as np

from benchmarks import statistics_alarms as alarms
from benchmarks import statistics_compare as comparing
from benchmarks import statistics_coverage as coverage
from benchmarks.figures import print_table
from benchmarks.statistics_coverage import NOMINAL, Counted, Draw

PARTS = 8
"""Each section is drawn in so many parts of its own seed, however many processes there are."""
SURE = 3.0
"""A limit is missed by more standard errors than this."""
ROUGH = 0.01
"""What an interval that is no exact one may fall short of its nominal level."""

DISCRETE = 0.03
"""The same of a share: counts are whole, so Wilson's coverage goes up and down about the level as p and n change."""


@dataclass(frozen=True, slots=True)
class Section:
    """parts: what is drawn, with the tries of each; least, most: what a cell's share must keep, None for a curve.

    also: the heading of a cell's further number (`told` or the mean of `total`); exempt: cells that are only shown.
    """

    title: str
    parts: Mapping[Draw, int]
    least: Callable[[Counted], float | None] = lambda _: None
    most: Callable[[Counted], float | None] = lambda _: None
    also: str = ""


def _alike(cell: Counted) -> bool:
    return cell.law == "ar1"


SECTIONS: Mapping[str, Section] = {
    "intervals": Section(
        "intervals at a nominal 95 %: share of tries in which they hold the truth",
        {
            coverage.quantiles: 4000,
            coverage.fixed_prompts: 2000,
            coverage.shares: 4000,
            coverage.run_levels: 2000,
            comparing.compared: 480,
            coverage.looked_at_always: 4000,
        },
        least=lambda cell: None if cell.told is not None else NOMINAL - (DISCRETE if "share" in cell.what else ROUGH),
        also="verdict warns",
    ),
    "compare": Section(
        f"compare: share of tries in which any of {comparing.METRICS} gated metrics is CHANGED, and nothing changed",
        {comparing.false_alarms: 240},
        most=lambda _: 0.05,
    ),
    "power": Section("compare: what it says of a B that is slower, at 5 % drift", {comparing.powers: 160}),
    "histories": Section(
        "histories without a step: share that raise any alarm while their runs come in",
        {alarms.quiet_histories: 800},
        most=lambda _: 0.05,
    ),
    "steps": Section(
        "a step of 15 % at run 20: share in which it is found with its third run",
        {alarms.stepped_histories: 1000},
        least=lambda cell: 0.8 if cell.law == "no spikes" and cell.design in alarms.HELD else None,
    ),
    "spreads": Section(
        "ways to take the spread from 16 stored runs: share of pairs of unchanged runs that its t calls different",
        {alarms.spreads: 1000},
        also="sd / true sd",
    ),
    "sequential": Section(
        "experiments looked at after every block: share that stop, because of a difference",
        {alarms.stopping: 10_000},
        most=lambda cell: 0.05 if cell.law.startswith("true difference 0 ") else None,
        also="mean blocks",
    ),
}


def main() -> int:
    """Draw, print, plot, judge."""
    asked = _arguments()
    kept = True
    names = asked.only or list(SECTIONS)
    with ProcessPoolExecutor(max_workers=asked.processes, initializer=_ready) as pool:
        drawn = {name: _draw(pool, name, asked) for name in names}
        for name, cells in drawn.items():
            found = list(cells())
            kept = _print(SECTIONS[name], found) and kept
            if asked.plot and name in CURVES:
                _plot(Path(f"{asked.plot}-{name}.svg"), CURVES[name], found)
                print(f"\n{asked.plot}-{name}.svg: {SECTIONS[name].title}")
    return 0 if kept else 1


def _ready() -> None:
    """statsmodels' multipletests collects garbage at each call: of what is drawn, and not of all that is loaded."""
    import_module("statsmodels.stats.multitest")
    gc.freeze()


def part(name: str, place: int, number: int, tries: int) -> list[Counted]:
    """One part of a section's draws, by names and numbers alone, so that a process can be sent it."""
    draw = list(SECTIONS[name].parts)[place]
    seed = [*name.encode(), place, number]
    return list(draw(np.random.default_rng(seed), tries))


def _draw(pool: ProcessPoolExecutor, name: str, asked: argparse.Namespace) -> Callable[[], Iterator[Counted]]:
    """Hands the parts out, and gives what adds them up, cell by cell."""
    share = 10 if asked.quick else 1
    sent = [
        [pool.submit(part, name, place, number, max(5, tries // PARTS // share)) for number in range(PARTS)]
        for place, tries in enumerate(SECTIONS[name].parts.values())
    ]

    def added() -> Iterator[Counted]:
        for futures in sent:
            for cells in zip(*(future.result() for future in futures), strict=True):
                first, *rest = cells
                for cell in rest:
                    first = first + cell
                yield first

    return added


def _print(section: Section, cells: Sequence[Counted]) -> bool:
    """The table, and whether every cell keeps its limit."""
    print(f"\n{section.title}\n")
    rows, kept = [], True
    for cell in cells:
        least, most = section.least(cell), section.most(cell)
        missed = (least is not None and cell.share + SURE * cell.error < least) or (
            most is not None and cell.share - SURE * cell.error > most
        )
        kept = kept and not missed
        limit = f">= {least:.0%}" if least is not None else f"<= {most:.0%}" if most is not None else ""
        share = f"{cell.share:6.1%} +- {cell.error:.1%}"
        rows.append([cell.what, cell.law, cell.design, share, _also(cell), limit + (" MISSED" if missed else "")])
    tries = sorted({cell.tries for cell in cells})
    of = " to ".join(f"{number:,}" for number in dict.fromkeys((tries[0], tries[-1])))
    print_table(("what", "law", "design", f"of {of} tries", section.also, "limit"), rows)
    return kept


def _also(cell: Counted) -> str:
    if cell.told is not None:
        return f"{cell.told / cell.tries:.0%}"
    return "" if cell.mean is None else f"{cell.mean:.2f}"


_DRIFT = "run-to-run drift, %"
CURVES = {"compare": _DRIFT, "power": "B is slower by, %", "steps": _DRIFT, "histories": _DRIFT}
"""Tables that are drawn too, and what lies along their axis."""


def _plot(path: Path, along: str, cells: Sequence[Counted]) -> None:
    """Shares over the number in `law` or `design`, a line for each of the other."""
    from benchmarks.figures import save_curves

    panels = []
    for what, of in groupby(sorted(cells, key=lambda cell: cell.what), key=lambda cell: cell.what):
        lines: dict[str, list[tuple[float, float, float]]] = {}
        for cell in of:
            axis, line = (cell.law, cell.design) if "%" in cell.law else (cell.design, cell.law)
            lines.setdefault(line, []).append(
                (float(axis.split("%")[0].split()[-1]), 100 * cell.share, 100 * cell.error)
            )
        panels.append((what, lines))
    save_curves(path, panels, along)


def _arguments() -> argparse.Namespace:
    from benchmarks import statistics as door

    parser = argparse.ArgumentParser(description=door.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the tries")
    parser.add_argument("--only", type=_names, help=f"some of {','.join(SECTIONS)}")
    parser.add_argument("--plot", metavar="NAME", help="write NAME-SECTION.svg for tables of curves")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="%(default)s")
    return parser.parse_args(sys.argv[1:])


def _names(text: str) -> list[str]:
    names = text.split(",")
    unknown = [name for name in names if name not in SECTIONS]
    if unknown:
        raise argparse.ArgumentTypeError(f"no section {unknown[0]!r}; there are {', '.join(SECTIONS)}")
    return names
