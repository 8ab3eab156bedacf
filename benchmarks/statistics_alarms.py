"""How often Benchbook cries wolf, and how often it sees what is there. Prints nothing by itself.

Histories are read by the library's own `stats.changes`, experiments by `stats.sequential`; the truth is drawn from a
seed. An alarm in a history is any change that was ever found while its runs came in, withdrawn later or not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from benchbook.stats.changes import Change, change_points, replay
from benchbook.stats.sequential import e_values
from benchbook.stats.spread import between_runs, spread_of, successive
from benchmarks.histories_drawn import History, levels
from benchmarks.statistics_coverage import Counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

Rng = np.random.Generator
DRIFTS = (0.0, 0.02, 0.05, 0.10, 0.15)
STEP = math.log(1.15)
BEFORE, WITHIN = 20, 3
"""A step starts at run 20 and is to be found by the third run of it."""
HELD = frozenset(f"drift {drift:.0%}" for drift in DRIFTS if drift <= 0.05)
"""Where a step must be found four times in five."""
BLOCKS, ALPHA = 40, 0.05
PLACE = 1
"""How many runs beside its true start a step may be placed."""


def quiet_histories(rng: Rng, tries: int, runs: int = 40) -> Iterator[Counted]:
    """False alarms: histories without a step, with spikes (one run in twenty, 40 logs of a hundred up) and without."""
    for spikes in (0.0, 0.05):
        for drift in DRIFTS:
            drawn = levels(rng, History(runs, drift, spikes=spikes), tries)
            alarms = sum(bool(replay(row.tolist())) for row in drawn)
            yield Counted(f"any alarm in {runs} runs", _spiky(spikes), f"drift {drift:.0%}", alarms, tries)


def stepped_histories(rng: Rng, tries: int) -> Iterator[Counted]:
    """A 15 % step after 20 runs, found with its third run, no more than one run beside its place."""
    for spikes in (0.0, 0.05):
        for drift in (*DRIFTS[:3], 0.07, *DRIFTS[3:]):
            drawn = levels(rng, History(BEFORE + WITHIN, drift, STEP, BEFORE, spikes=spikes), tries)
            found = (change_points(row.tolist()) for row in drawn)
            seen = sum(any(map(_is_it, changes)) for changes in found)
            yield Counted("15 % step found by its third run", _spiky(spikes), f"drift {drift:.0%}", seen, tries)


def _is_it(change: Change) -> bool:
    return abs(change.index - BEFORE) <= PLACE and change.after > change.before


def _spiky(spikes: float) -> str:
    return "one run in 20 a spike" if spikes else "no spikes"


def stopping(rng: Rng, tries: int) -> Iterator[Counted]:
    """How often an experiment that is looked at after each of 40 blocks stops; total: blocks until then, or 40."""
    for effect in (0.0, 0.25, 0.5, 1.0, 2.0, 4.0):
        crossed = e_values(rng.standard_normal((tries, BLOCKS)) + effect) >= 1 / ALPHA
        stopped = crossed.any(axis=1)
        blocks = np.where(stopped, crossed.argmax(axis=1) + 1, BLOCKS)
        words = f"true difference {effect:g} sd of a block"
        yield Counted("stopped", words, f"up to {BLOCKS} blocks", int(stopped.sum()), tries, total=float(blocks.sum()))


def fixed_blocks(effect: float) -> int | None:
    """Blocks that a t-test looked at once takes for 80 % power; None without an effect."""
    from statsmodels.stats.power import TTestPower

    return math.ceil(TTestPower().solve_power(effect, power=0.8, alpha=ALPHA)) if effect else None


def spreads(rng: Rng, tries: int, runs: int = 16) -> Iterator[Counted]:
    """Ways to take a spread from 16 stored runs at 5 % drift: how often its t calls the two runs after them different.

    total: of its standard deviation over the true one.
    """
    from scipy.special import stdtrit

    for law, of in _histories(runs + 2).items():
        drawn = levels(rng, of, tries)
        for way, take in WAYS.items():
            found = [take(row[:runs].tolist()) for row in drawn]
            kept = [(row[-1] - row[-2], spread) for row, spread in zip(drawn, found, strict=True) if spread is not None]
            alarms = sum(abs(moved) > stdtrit(s.df, 1 - ALPHA / 2) * s.sd * math.sqrt(2) for moved, s in kept)
            total = sum(spread.sd for _, spread in kept) / of.drift
            yield Counted("false alarm of one run a side", law, way, int(alarms), len(kept), total=total)


def _histories(runs: int) -> dict[str, History]:
    return {
        "no step": History(runs, 0.05),
        "15 % step": History(runs, 0.05, STEP, runs // 2),
        "30 % step": History(runs, 0.05, math.log(1.3), runs // 2),
        "one run in 20 a spike": History(runs, 0.05, spikes=0.05),
        "neighbours alike by 0.5": History(runs, 0.05, likeness=0.5),
    }


WAYS = {"one stretch": lambda found: between_runs((found,)), "between changes": spread_of, "successive": successive}
"""`spread_of` is the one that comparing and planning take."""
