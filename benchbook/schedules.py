"""Load shapes as pure arithmetic: when trials start, in nanoseconds after the load's own start.

One class a shape, one line in `LOADS`. A closed loop has no schedule, it has slots; an open loop fixes every
intended start in advance, so that a slow answer can't push later trials back unseen (coordinated omission).
No clock is read here; randomness comes from a seed.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

_SECOND_NS = 1_000_000_000


class Load(Protocol):
    """A load shape, for one target."""

    @property
    def slots(self) -> int | None:
        """Trials in flight at most (closed loop), or None (open loop)."""
        ...

    @property
    def rate_per_s(self) -> float | None:
        """Offered trials per second (open loop), or None (closed loop)."""
        ...

    def offsets_ns(self, count: int, seed: int) -> list[int] | None:
        """Intended starts of `count` trials, ascending from 0; None for a closed loop."""
        ...


@dataclass(frozen=True, slots=True)
class Closed:
    """`concurrency` slots; each takes the next trial when its last one has ended."""

    concurrency: int

    @property
    def slots(self) -> int | None:
        return self.concurrency

    @property
    def rate_per_s(self) -> float | None:
        return None

    def offsets_ns(self, count: int, seed: int) -> list[int] | None:  # noqa: ARG002
        return None


@dataclass(frozen=True, slots=True)
class Constant:
    """Evenly spaced: trial i starts at i / rate."""

    rate: float

    @property
    def slots(self) -> int | None:
        return None

    @property
    def rate_per_s(self) -> float | None:
        return self.rate

    def offsets_ns(self, count: int, seed: int) -> list[int] | None:  # noqa: ARG002
        return [round(index * _SECOND_NS / self.rate) for index in range(count)]


@dataclass(frozen=True, slots=True)
class Poisson:
    """Independent exponential gaps of mean 1 / rate; `seed` overrides the run's."""

    rate: float
    seed: int | None = None

    @property
    def slots(self) -> int | None:
        return None

    @property
    def rate_per_s(self) -> float | None:
        return self.rate

    def offsets_ns(self, count: int, seed: int) -> list[int] | None:
        chance = random.Random(seed if self.seed is None else self.seed)  # noqa: S311
        at, offsets = 0.0, []
        for _ in range(count):
            offsets.append(round(at * _SECOND_NS))
            at += chance.expovariate(self.rate)
        return offsets


LOADS: Mapping[str, type[Closed | Constant | Poisson]] = {
    "closed": Closed,
    "constant": Constant,
    "poisson": Poisson,
}


def load_of(fields: Mapping[str, object]) -> Load:
    """The shape that a plan's `load` mapping (kind and its fields) describes."""
    rest = {name: value for name, value in fields.items() if name != "kind"}
    return LOADS[str(fields["kind"])](**rest)  # type: ignore[arg-type]
