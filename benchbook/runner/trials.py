"""A plan's trials, each made when it is asked for: a million of them cost sixteen megabytes and no time.

Per target a lane: its order as numbers, its intended starts as numbers. The lanes are interleaved one by one, so
that drift hits all targets alike, or take turns (`turns`), so that only one target at a time is under load.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import overload

from benchbook.records import PlannedTrial
from benchbook.runner.turns import Leg, Turns

Make = Callable[[int, str, int, int, int | None], PlannedTrial]
"""(unit, phase, repetition, position, intended offset in ns) -> the trial; a unit is a prompt, workload and team."""


class _Indexed(Sequence[PlannedTrial]):
    """A sequence that makes its items: `_at` is asked for places from 0 on alone."""

    __slots__ = ()

    def _at(self, place: int) -> PlannedTrial:
        raise NotImplementedError

    @overload
    def __getitem__(self, index: int) -> PlannedTrial: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[PlannedTrial]: ...
    def __getitem__(self, index: int | slice) -> PlannedTrial | Sequence[PlannedTrial]:
        if isinstance(index, slice):
            return [self._at(place) for place in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return self._at(index % len(self))


@dataclass(frozen=True, slots=True)
class Lane(_Indexed):
    """One target's trials in order, warm-up first.

    order: per trial, repetition * units + unit; warmup: how many of them are warm-up; offsets_ns: intended starts,
    None for a closed loop; place: the lane's number among `lanes`; turns: None where lanes are interleaved.
    """

    target: str
    make: Make
    units: int
    order: array[int]
    warmup: int
    offsets_ns: array[int] | None
    place: int = 0
    lanes: int = 1
    turns: Turns | None = None

    def __len__(self) -> int:
        return len(self.order)

    def _at(self, place: int) -> PlannedTrial:
        repetition, unit = divmod(self.order[place], self.units)
        phase = "warmup" if place < self.warmup else "measured"
        offset_ns = None if self.offsets_ns is None else self.offsets_ns[place]
        if self.turns is None:
            return self.make(unit, phase, repetition, place * self.lanes + self.place, offset_ns)
        position, block, block_place = self.turns.of(self.place, place)
        made = self.make(unit, phase, repetition, position, offset_ns)
        return replace(made, block=block, block_place=block_place)


@dataclass(frozen=True, slots=True)
class Trials(_Indexed):
    """All lanes' trials, by position. Lanes are of one length."""

    lanes: tuple[Lane, ...] = ()
    turns: Turns | None = None

    @property
    def legs(self) -> Iterator[tuple[Leg, ...]]:
        """What is under load at the same time, in order of time: all lanes at once, or a leg alone."""
        if self.turns is None:
            yield tuple(Leg(number, 0, len(lane)) for number, lane in enumerate(self.lanes))
        else:
            yield from ((leg,) for leg in self.turns.legs())

    def begins(self, trial: PlannedTrial) -> tuple[int, int]:
        """A trial's place in its lane, and that of the first trial of its leg."""
        if self.turns is None:
            return trial.position // len(self.lanes), 0
        _, place = self.turns.at(trial.position)
        warmup, leg = self.turns.warmup, self.turns.leg
        return place, 0 if place < warmup else warmup + (place - warmup) // leg * leg

    def __len__(self) -> int:
        return sum(map(len, self.lanes))

    def __iter__(self) -> Iterator[PlannedTrial]:
        if self.turns is None:
            for row in zip(*self.lanes, strict=True):
                yield from row
        else:
            yield from (
                self.lanes[leg.lane][place] for leg in self.turns.legs() for place in range(leg.start, leg.stop)
            )

    def _at(self, place: int) -> PlannedTrial:
        if self.turns is None:
            row, lane = divmod(place, len(self.lanes))
        else:
            lane, row = self.turns.at(place)
        return self.lanes[lane][row]
