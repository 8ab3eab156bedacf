"""What may be said of a comparison, and what a gate makes of it. Pure.

CHANGED needs three things at once: an interval clear of no change, an effect beyond the margin, and run-level
evidence. EQUIVALENT needs the interval that holds all known spread inside the margin. Everything else is CANNOT TELL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchbook.errors import EXIT_CANNOT_TELL, EXIT_DONE, EXIT_REGRESSION

BETTER = "CHANGED better"
WORSE = "CHANGED worse"
EQUIVALENT = "EQUIVALENT"
CANNOT_TELL = "CANNOT TELL"
WORDS = (WORSE, CANNOT_TELL, BETTER, EQUIVALENT)
"""The verdicts of a comparison, the one that matters most first."""

MARGIN_MEDIAN = 0.05
MARGIN_P95 = 0.10
MARGIN_SHARE = 0.03
"""Changes smaller than these are called equivalent: a share of the median, a share of the p95, points of a share."""


def gate(rows: Iterable[Mapping[str, Any]]) -> int:
    """The exit code of gated rows, each with `gated` and `verdict`: 3 a regression, 4 cannot tell, 0 no regression."""
    said = {row["verdict"] for row in rows if row["gated"]}
    if WORSE in said:
        return EXIT_REGRESSION
    return EXIT_CANNOT_TELL if CANNOT_TELL in said or not said else EXIT_DONE


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's adjusted p of those that are known, in place: compare with 1 - confidence."""
    known = [p for p in p_values if p is not None]
    if not known:
        return [None] * len(p_values)
    from statsmodels.stats.multitest import multipletests

    adjusted = iter(multipletests(known, method="holm")[1].tolist())
    return [None if p is None else next(adjusted) for p in p_values]
