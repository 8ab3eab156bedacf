"""Targets that take turns: who is under load when, as arithmetic on places.

A leg is so many trials of one target in a row. A block is every target's leg, and then every target's next leg in
reverse: A B B A, or A B C C B A. What drifts evenly over a block hits all of them alike, and the targets' legs of one
pass hold the same test cases in the same order. Which way a block runs first is drawn, from the plan's seed: so a
difference between targets that are the same is as likely to point one way as the other. Warm-up legs come before all
blocks, in an order that is drawn as well.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Leg:
    """Trials `start` to `stop` of the lane with this number; warm-up has neither block nor place."""

    lane: int
    start: int
    stop: int
    block: int | None = None
    place: int | None = None


@dataclass(frozen=True, slots=True)
class Turns:
    """lanes: how many targets; warmup, measured: trials of each; leg: measured trials in a row; reverse: a drawn byte
    for each block, odd where it begins with the last target; the first one's second bit is warm-up's."""

    lanes: int
    warmup: int
    measured: int
    leg: int
    reverse: bytes

    def legs(self) -> Iterator[Leg]:
        """Every leg, in order of time."""
        if self.warmup:
            yield from (Leg(self._warmed(rank), 0, self.warmup) for rank in range(self.lanes))
        for number, start in enumerate(range(0, self.measured, self.leg)):
            opens = self.warmup + start
            stop = self.warmup + min(start + self.leg, self.measured)
            for rank in range(self.lanes):
                yield Leg(self._lane(number, rank), opens, stop, number // 2, number % 2 * self.lanes + rank)

    def of(self, lane: int, place: int) -> tuple[int, int | None, int | None]:
        """A trial's position in the run, its block, and its leg's place in that block."""
        if place < self.warmup:
            return self._warmed(lane) * self.warmup + place, None, None
        number, inside = divmod(place - self.warmup, self.leg)
        long = min(self.leg, self.measured - number * self.leg)
        rank = self._lane(number, lane)  # a reversal undoes itself
        position = self.lanes * (self.warmup + number * self.leg) + rank * long + inside
        return position, number // 2, number % 2 * self.lanes + rank

    def at(self, position: int) -> tuple[int, int]:
        """The lane and the place in it of the trial with this position."""
        if position < self.lanes * self.warmup:
            rank, place = divmod(position, self.warmup)
            return self._warmed(rank), place
        number, rest = divmod(position - self.lanes * self.warmup, self.lanes * self.leg)
        long = min(self.leg, self.measured - number * self.leg)
        rank, inside = divmod(rest, long)
        return self._lane(number, rank), self.warmup + number * self.leg + inside

    def _warmed(self, rank: int) -> int:
        """Who is warmed up `rank`-th; and when a lane is."""
        return self.lanes - 1 - rank if self.reverse and self.reverse[0] & 2 else rank

    def _lane(self, number: int, rank: int) -> int:
        """Who comes `rank`-th in the pass with this number."""
        backwards = (number + self.reverse[number // 2]) % 2
        return self.lanes - 1 - rank if backwards else rank


def turns(lanes: int, warmup: int, measured: int, leg: int, seed: int) -> Turns:
    """Blocks of legs of `leg` trials, each block's first way drawn from the seed."""
    blocks = -(-measured // (2 * leg))
    return Turns(lanes, warmup, measured, leg, random.Random(seed).randbytes(blocks))  # noqa: S311


def whole_legs(measured: int, units: int) -> int:
    """How long a leg is where the plan does not say: about a pass over all test cases, so that all blocks are whole."""
    blocks = max(1, round(measured / (2 * max(1, units))))
    return max(1, -(-measured // (2 * blocks)))
