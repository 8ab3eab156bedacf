"""Arrivals as they once were: starts, and lengths, that somebody recorded."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from benchbook.schedules.shape import SECOND_NS, Load

Length = tuple[int | None, int | None]
"""Tokens in and tokens out of one recorded request; None where the trace does not say."""


@dataclass(frozen=True, slots=True)
class Trace(Load):
    """The requests of a `file`, `speed` times as fast. at_ns: their recorded starts, ascending from 0."""

    file: str
    at_ns: Sequence[int]
    input_tokens: Sequence[int | None] = ()
    output_tokens: Sequence[int | None] = ()
    speed: float = 1.0

    @property
    def rate_per_s(self) -> float | None:
        last_s = self._last_s
        return (len(self.at_ns) - 1) / last_s if last_s > 0 else float(len(self.at_ns))

    @property
    def lasts_s(self) -> float | None:
        return self._last_s

    @property
    def count(self) -> int | None:
        return len(self.at_ns)

    def offsets_ns(self, count: int, seed: int) -> array[int]:  # noqa: ARG002
        return array("q", (round(at / self.speed) for at in self.at_ns[:count]))

    def lengths(self) -> list[Length]:
        """(tokens in, tokens out) of each request in its order: measured trial i stands for request i."""
        missing = [None] * len(self.at_ns)
        return list(zip(self.input_tokens or missing, self.output_tokens or missing, strict=True))

    @property
    def _last_s(self) -> float:
        return self.at_ns[-1] / self.speed / SECOND_NS
