"""What a verdict is founded on: the run's tables as they are stored, its counts and checks, and what was asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from benchbook.records import Check

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_NS_PER_S = 1e9


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the planned trials, warm-up included. time_up: of the skipped ones, those that the load's own time
    left over, as its plan says it may."""

    planned: int
    succeeded: int
    failed: int
    timed_out: int
    skipped: int
    time_up: int = 0

    @property
    def not_started(self) -> int:
        return self.planned - self.succeeded - self.failed - self.timed_out - self.skipped

    @property
    def attempted(self) -> int:
        return self.succeeded + self.failed + self.timed_out

    @property
    def failure_share(self) -> float | None:
        """Failed and timed-out trials over attempted ones; None where none was attempted."""
        return (self.failed + self.timed_out) / self.attempted if self.attempted else None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a call was asked for: the most and the fewest output tokens, where the plan says so."""

    most: int | None = None
    fewest: int | None = None


@dataclass(frozen=True, slots=True)
class Loads:
    """The load's shape. open: intended starts are fixed; slots: of a closed loop; steady: the load itself asks for a
    level flow, so that latencies may be expected to be level; paused: slots rest between trials; capped: trials of an
    open loop wait for room, as the plan asks."""

    open: bool = False
    slots: int | None = None
    steady: bool = True
    paused: bool = False
    capped: bool = False


@dataclass(frozen=True)
class Evidence:
    """trials, calls: all rows, of the columns that `narrow` gives; harness: `Summary` fields of the run's harness;
    dead_workers: names; profiled: profilers ran in the measuring process; openings: of each target's breaker, how often
    it opened.

    asked: by target, dataset and test case.
    """

    counts: Counts
    checks: Sequence[Check]
    trials: pa.Table
    calls: pa.Table
    load: Loads = field(default_factory=Loads)
    asked: Callable[[str, str, str], Asked] = lambda _target, _dataset, _test: Asked()
    harness: Mapping[str, float | None] = field(default_factory=dict)
    dead_workers: Sequence[str] = ()
    profiled: bool = False
    openings: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def attempted(self) -> pa.Table:
        """Trials that were attempted, in order of their start in wall time."""
        rows = self.trials.filter(pc.not_equal(self.trials["status"], "skipped"))
        wall = pc.add(rows["started_ns"], pc.fill_null(rows["wall_offset_ns"], 0))
        return rows.take(pc.sort_indices(pa.table({"wall": wall}), [("wall", "ascending")]))

    @cached_property
    def targets(self) -> list[str]:
        """Targets with attempted trials, sorted."""
        return sorted(pc.unique(self.attempted["target"]).to_pylist())

    def of(self, target: str) -> pa.Table:
        """The target's attempted trials, in order of their start."""
        return self.attempted.filter(pc.equal(self.attempted["target"], target))

    def good(self, target: str) -> pa.Table:
        """The target's measured successes, in order of their start."""
        rows = self.of(target)
        return rows.filter(pc.and_(pc.equal(rows["phase"], "measured"), pc.equal(rows["status"], "success")))


def numbers(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """A column without its nulls, as floats."""
    values: NDArray[np.float64] = column.drop_null().cast(pa.float64()).to_numpy()
    return values


@dataclass(frozen=True, slots=True)
class Flow:
    """One target's attempted trials of one stretch of work, in seconds from the first start, by start."""

    intended: NDArray[np.float64]
    started: NDArray[np.float64]
    ended: NDArray[np.float64]


def flows(rows: pa.Table) -> list[Flow]:
    """A target's trials by stretch of work: sessions that overlap in wall time (workers) are one, others apart, and so
    are its legs where targets take turns."""
    return [flow for leg in _legs(rows) for flow in _stretches(leg)]


def _legs(rows: pa.Table) -> list[pa.Table]:
    """The trials of each leg; all of them where targets don't take turns. Warm-up is a leg without a block."""
    if rows["block"].null_count == len(rows):
        return [rows]
    block, place = (pc.fill_null(rows[name], -1) for name in ("block", "block_place"))
    keys = pc.binary_join_element_wise(block.cast(pa.string()), place.cast(pa.string()), ".")
    return [rows.filter(pc.equal(keys, leg)) for leg in pc.unique(keys)]


def _stretches(rows: pa.Table) -> list[Flow]:
    import numpy as np

    offset = pc.fill_null(rows["wall_offset_ns"], 0).to_numpy()
    intended, started, ended = (rows[name].to_numpy() + offset for name in ("intended_ns", "started_ns", "ended_ns"))
    spans = [
        (int(started[offset == one].min()), int(ended[offset == one].max()), int(one)) for one in np.unique(offset)
    ]
    found = []
    for block in _merged(sorted(spans)):
        inside = np.isin(offset, block)
        zero = started[inside].min()
        found.append(Flow(*((stamps[inside] - zero) / _NS_PER_S for stamps in (intended, started, ended))))
    return found


def _merged(spans: Sequence[tuple[int, int, int]]) -> list[list[int]]:
    """Offsets of spans that overlap, together."""
    blocks: list[list[int]] = []
    end = None
    for opens, closes, offset in spans:
        if end is None or opens > end:
            blocks.append([])
            end = closes
        blocks[-1].append(offset)
        end = max(end, closes)
    return blocks
