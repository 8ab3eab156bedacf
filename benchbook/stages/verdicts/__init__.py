"""A run's verdict: VALID, DEGRADED or INVALID, each reason with a code, a sentence, and the numbers behind it.

INVALID: the stored facts contradict themselves, nothing was measured, or the harness was so far beyond a limit
that the figures speak of it. DEGRADED: a limit of `store.verdict` is passed, trials failed or are missing, or a
warning check failed: the reason belongs beside every figure. VALID: none of these. Facts come in as an `Evidence`,
whole tables at a time; nothing here reads a file, and no row is visited in Python.
"""

from __future__ import annotations

from benchbook.config import StoreSection
from benchbook.stages.verdicts.answers import answers
from benchbook.stages.verdicts.counts import counted
from benchbook.stages.verdicts.evidence import Asked, Counts, Evidence, Loads
from benchbook.stages.verdicts.harness import harness
from benchbook.stages.verdicts.loads import loads
from benchbook.stages.verdicts.reasons import CODES, DEGRADED, INVALID, VALID, Reason, Verdict
from benchbook.stages.verdicts.series import series


def verdict(evidence: Evidence, section: StoreSection) -> Verdict:
    """The verdict on a run: the gravest reasons first, then in the order of CODES."""
    limits = section.verdict
    found = [
        *counted(evidence, section.max_failure_share),
        *harness(evidence, limits),
        *loads(evidence, limits),
        *answers(evidence, limits),
        *series(evidence, limits),
    ]
    places = {code: place for place, code in enumerate(CODES)}
    found.sort(key=lambda reason: (reason.severity != INVALID, places[reason.code], reason.target or ""))
    return Verdict(tuple(found))


__all__ = [
    "CODES",
    "DEGRADED",
    "INVALID",
    "VALID",
    "Asked",
    "Counts",
    "Evidence",
    "Loads",
    "Reason",
    "Verdict",
    "verdict",
]
