"""How a number was obtained, and the shape in which measured numbers travel.

Words: `measured` (our own stamps), `reported` (the provider's own figure), `derived` (computed from measured
and reported), `estimated`, and `missing: REASON` for every None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MEASURED = "measured"
REPORTED = "reported"
DERIVED = "derived"
ESTIMATED = "estimated"

Known = tuple[float | None, str]
"""A value and its provenance; the value is None exactly where the provenance says `missing`."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """Column -> value and how it was obtained."""

    known: Mapping[str, Known]

    @property
    def values(self) -> dict[str, float | None]:
        """Values by column."""
        return {name: value for name, (value, _) in self.known.items()}

    @property
    def provenance(self) -> dict[str, str]:
        """By the same names, how each was obtained."""
        return {name: how for name, (_, how) in self.known.items()}


def missing(reason: str) -> Known:
    """No value, and why."""
    return None, f"missing: {reason}"


def is_missing(provenance: str) -> bool:
    """Whether a provenance text says that there is no value."""
    return provenance.startswith("missing")


def metrics_of(known: Mapping[str, Known]) -> Metrics:
    """Column -> (value, provenance) as `Metrics`."""
    return Metrics(known)
