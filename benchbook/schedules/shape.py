"""What every load shape can say of itself, and what open and closed ones have in common."""

from __future__ import annotations

from array import array
from typing import NamedTuple

SECOND_NS = 1_000_000_000


class Level(NamedTuple):
    """From `from_ns` after the load's start on, `slots` trials may be in flight."""

    from_ns: int
    slots: int


class Load:
    """A load shape, for one target. What a kind leaves as it is here does not apply to it."""

    __slots__ = ()

    @property
    def slots(self) -> int | None:
        """Trials in flight at most (closed loop), or None (open loop)."""
        return None

    @property
    def levels(self) -> tuple[Level, ...]:
        """How many slots there are when (closed loop), ascending from 0; empty for an open loop."""
        return () if self.slots is None else (Level(0, self.slots),)

    @property
    def rate_per_s(self) -> float | None:
        """Offered trials per second, in the mean over the shape (open loop), or None (closed loop)."""
        return None

    @property
    def opening_per_s(self) -> float | None:
        """The rate that the shape begins with; the mean where it begins with none."""
        return self.rate_per_s

    @property
    def lasts_s(self) -> float | None:
        """When the shape ends, or None where the number of trials ends it."""
        return None

    @property
    def count(self) -> int | None:
        """The measured trials that the shape itself holds, or None where the plan says how many there are."""
        return None

    def offsets_ns(self, count: int, seed: int) -> array[int] | None:  # noqa: ARG002
        """Intended starts of `count` trials, ascending from 0 or later; None for a closed loop."""
        return None
