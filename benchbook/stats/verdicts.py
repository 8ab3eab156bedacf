"""What may be said of a comparison, and what a gate makes of it. Pure.

CHANGED needs three things at once: an interval clear of no change, an effect beyond the margin, and run-level
evidence, a spread between runs that the change stands out from after the adjustment for how many metrics are looked
at. EQUIVALENT needs the interval that holds all known spread inside the margin. Everything else is CANNOT TELL, with
what it would take. A margin m of a ratio runs from 1 / (1 + m) to 1 + m, so that swapping the sides changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchbook.errors import EXIT_CANNOT_TELL, EXIT_DONE, EXIT_REGRESSION
from benchbook.stats.effects import FAILURES, P95, SCORE, Effect
from benchbook.stats.power import Design, runs_for_equivalence, runs_needed

BETTER = "CHANGED better"
WORSE = "CHANGED worse"
EQUIVALENT = "EQUIVALENT"
CANNOT_TELL = "CANNOT TELL"
WORDS = (WORSE, CANNOT_TELL, BETTER, EQUIVALENT)
"""The verdicts of a comparison, the one that matters most first."""

MARGIN_MEDIAN, MARGIN_P95, MARGIN_SHARE = 0.05, 0.10, 0.03

ONE_RUN = "one run each, and too few others are stored to know how runs differ"

HOLM, BENJAMINI_HOCHBERG = "holm", "fdr_bh"
"""Of the metrics of a gate; of those that are only reported."""


@dataclass(frozen=True, slots=True)
class Margins:
    """Changes smaller than these are called equivalent: a share of a median, a share of a p95, points of a share."""

    median: float = MARGIN_MEDIAN
    p95: float = MARGIN_P95
    share: float = MARGIN_SHARE

    def of(self, what: str) -> float:
        """The margin as a difference of logs, or of shares."""
        if what in (SCORE, FAILURES):
            return self.share
        return math.log1p(self.p95 if what == P95 else self.median)


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict, why it is no other, and about how many more runs a side would settle it (None: no number is known)."""

    verdict: str
    why: str = ""
    more_runs: int | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What a verdict depends on beside the effect. margin: in the effect's unit; higher_is_better: of the metric;
    runs: of the side that has fewer; alike: both sides are the same runs; barred: why nothing may be concluded, ""
    where something may."""

    margin: float
    higher_is_better: bool
    runs: int
    confidence: float = 0.95
    alike: bool = False
    barred: str = ""


def judge(effect: Effect, p_adjusted: float | None, question: Question) -> Judged:
    """The verdict of one metric; `p_adjusted` is None where there is no run-level evidence."""
    change, low, high = effect.change, effect.low, effect.high
    if effect.refused or change is None or low is None or high is None:
        return Judged(CANNOT_TELL, effect.refused or "no interval")
    if question.barred:
        return Judged(CANNOT_TELL, question.barred)
    if -question.margin < low and high < question.margin:
        return Judged(EQUIVALENT)
    clear = low > 0 or high < 0
    beyond = abs(change) > question.margin
    if clear and beyond and p_adjusted is not None and p_adjusted <= 1 - question.confidence:
        return Judged(BETTER if (change > 0) == question.higher_is_better else WORSE)
    return _undecided(effect, question, stands_out=clear and beyond)


def sense(effect: Effect, *, higher_is_better: bool) -> str | None:
    """Whether B is `better` or `worse` on these prompts in these runs; None where the prompts' interval holds 0."""
    low, high = effect.prompts_low, effect.prompts_high
    if low is None or high is None or low <= 0 <= high:
        return None
    return "better" if higher_is_better == (low > 0) else "worse"


def gate(rows: Iterable[Mapping[str, Any]]) -> int:
    """The exit code of gated rows, each with `gated` and `verdict`: 3 a regression, 4 cannot tell, 0 no regression."""
    said = {row["verdict"] for row in rows if row["gated"]}
    if WORSE in said:
        return EXIT_REGRESSION
    return EXIT_CANNOT_TELL if CANNOT_TELL in said or not said else EXIT_DONE


def adjusted(p_values: Sequence[float | None], method: str = HOLM) -> list[float | None]:
    """The p values that are known, adjusted for one another, in place: to be held against 1 - confidence."""
    known = [p for p in p_values if p is not None]
    if not known:
        return [None] * len(p_values)
    from statsmodels.stats.multitest import multipletests

    found = iter(multipletests(known, method=method)[1].tolist())
    return [None if p is None else min(1.0, next(found)) for p in p_values]


def _undecided(effect: Effect, question: Question, *, stands_out: bool) -> Judged:
    """CANNOT TELL, and what would settle it: runs, test cases, or fewer metrics at a time."""
    if effect.spread is None:
        return Judged(CANNOT_TELL, f"needs at least 1 more run a side: {ONE_RUN}", 1)
    more = _more_runs(effect, question)
    if more is not None and more > 0:
        runs = f"about {more} more run{'s' if more > 1 else ''} a side"
        return Judged(CANNOT_TELL, f"needs {runs}", more)
    if more is None and effect.spread.sd > 0:
        return Judged(CANNOT_TELL, "too close to the margin: no number of runs would tell")
    if stands_out:
        return Judged(CANNOT_TELL, "needs more runs: it stands out alone, not among so many metrics")
    return Judged(CANNOT_TELL, "needs more test cases: what the prompts leave open is too much by itself")


def _more_runs(effect: Effect, question: Question) -> int | None:
    """Runs to add on each side for the change seen to be called what it looks like; None where no number would do."""
    spread, change = effect.spread, abs(effect.change or 0.0)
    if spread is None or spread.sd <= 0:
        return None
    own, sd = (question.runs - 1, spread.sd / math.sqrt(2)) if question.alike else (2 * question.runs - 2, spread.sd)
    design = Design(sd, max(0.0, spread.df - own), question.margin, question.confidence)
    beyond = change > question.margin
    needed = runs_needed(design, change) if beyond else runs_for_equivalence(design, change)
    return None if needed is None else needed - question.runs
