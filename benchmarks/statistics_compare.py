"""How often `compare` calls CHANGED what did not change, and what did. Prints nothing by itself.

Whole runs are drawn (cases, repetitions, noise, and a drift that a run's trials and metrics share), and go through the
very functions that the verb uses: `spread_of` for the stored runs, `effect`, `adjusted` and `judge`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from benchbook.stats.alike import likeness
from benchbook.stats.effects import MEDIAN, P95, Effect, Known, Run, effect
from benchbook.stats.spread import spread_of
from benchbook.stats.verdicts import BETTER, EQUIVALENT, WORSE, Margins, Question, adjusted, judge
from benchmarks.histories_drawn import Trials, case_effects, run_of
from benchmarks.statistics_coverage import Counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

Rng = np.random.Generator
DRIFTS = (0.0, 0.02, 0.05, 0.10, 0.15)
CALM = Trials(cases=20, repetitions=5, scale=0.4)
"""Trials that scatter by 20 %, as a TTFT may: what runs share decides, and not their size."""
METRICS = 3
"""Metrics of a run that are gated together: one drift for all of them, each with noise of its own."""


@dataclass(frozen=True, slots=True)
class Design:
    """runs: a side; stored: further runs of the same workload; drift: sd between runs; change: of B, in logs."""

    runs: int
    stored: int
    drift: float
    change: float = 0.0
    trials: Trials = field(default_factory=lambda: Trials(cases=12, repetitions=5))

    @property
    def words(self) -> str:
        stored = f", {self.stored} stored" if self.stored else ""
        return f"{self.runs} run{'s' if self.runs > 1 else ''} a side{stored}"


def false_alarms(rng: Rng, tries: int) -> Iterator[Counted]:
    """CHANGED for any of the gated metrics, where nothing changed but the drift of runs."""
    for runs, stored in ((1, 0), (1, 5), (1, 20), (3, 0), (5, 0), (3, 10)):
        for drift in DRIFTS:
            of = Design(runs, stored, drift)
            alarms = sum(alarmed(verdicts(rng, of)) for _ in range(tries))
            yield Counted("false alarm of compare", f"drift {drift:.0%}", of.words, alarms, tries)


def alarmed(said: Sequence[str]) -> bool:
    """Whether any metric is CHANGED."""
    return any(word in (BETTER, WORSE) for word in said)


def powers(rng: Rng, tries: int) -> Iterator[Counted]:
    """Power curve: how often a slower B is called CHANGED worse, and EQUIVALENT (which it should not)."""
    for runs, stored in ((1, 10), (3, 0), (5, 0), (5, 10)):
        for change in (0.0, 0.05, 0.10, 0.15, 0.20, 0.30):
            of = Design(runs, stored, 0.05, math.log1p(change), CALM)
            said = [verdicts(rng, of, metrics=1)[0] for _ in range(tries)]
            for word in (WORSE, EQUIVALENT):
                yield Counted(word, f"{change:.0%} slower", of.words, said.count(word), tries)


def verdicts(rng: Rng, of: Design, metrics: int = METRICS) -> list[str]:
    """What compare says of each metric of one drawn pair of sides."""
    drifts = of.drift * rng.standard_normal(of.stored + 2 * of.runs)
    drifts[of.stored + of.runs :] += of.change
    effects = [_effect(rng, of, drifts) for _ in range(metrics)]
    found = adjusted([one.p for one in effects])
    asked = Question(Margins().of(MEDIAN), higher_is_better=False, runs=of.runs)
    return [judge(one, p, asked).verdict for one, p in zip(effects, found, strict=True)]


def _effect(rng: Rng, of: Design, drifts: Array, what: str = MEDIAN) -> Effect:
    cases = case_effects(rng, of.trials)
    drawn = [run_of(rng, of.trials, cases, float(drift)) for drift in drifts]
    history = spread_of([_level(run) for run in drawn[: of.stored]])
    sides = [[_run(run) for run in part] for part in (drawn[of.stored :][: of.runs], drawn[of.stored + of.runs :])]
    return effect(what, *sides, Known(rng, history=history, inflation=_inflation(drawn[of.stored :])))


def _inflation(runs: Sequence[Array]) -> float:
    """As `history.neighbours` has it: of each run's log values less their cases' medians, in order of time."""
    found = [likeness((logs - np.median(logs, axis=1, keepdims=True)).T.ravel()) for logs in runs]
    return float(np.mean([1.0 if one is None else one.factor for one in found]))


def _level(logs: Array) -> float:
    """`case_level` of the question `levels`."""
    return float(np.median(logs, axis=1).mean())


def _run(logs: Array) -> Run:
    return {str(case): values for case, values in enumerate(np.exp(logs).tolist())}


def compared(rng: Rng, tries: int) -> Iterator[Counted]:
    """Coverage of a comparison's intervals: of the prompts alone without drift, and of runs and prompts with it."""
    for law in ("lognormal", "pareto", "ar1"):
        for cases in (6, 20):
            of = Trials(cases, 5, interaction=0.05, noise=law)
            hits = sum(holds(_effect(rng, Design(1, 0, 0.0, trials=of), np.zeros(2))) for _ in range(tries))
            yield Counted("ratio, paired by case", law, f"{cases} cases x 5, no drift", hits, tries)
    for runs, stored in ((1, 10), (3, 0), (5, 10)):
        of_runs = Design(runs, stored, 0.1, trials=Trials(12, 5))
        hits = sum(holds(drawn(rng, of_runs)) for _ in range(tries))
        yield Counted("ratio, with runs", "lognormal, drift 10 %", of_runs.words, hits, tries)
    for law in ("lognormal", "pareto"):
        of = Trials(20, 10, interaction=0.05, noise=law)
        few = max(20, tries // 4)
        hits = sum(holds(_effect(rng, Design(1, 0, 0.0, trials=of), np.zeros(2), P95)) for _ in range(few))
        yield Counted("ratio of p95, by case", law, "20 cases x 10, no drift", hits, few)


def drawn(rng: Rng, of: Design) -> Effect:
    """What compare finds in one metric of one pair of sides."""
    return _effect(rng, of, of.drift * rng.standard_normal(of.stored + 2 * of.runs))


def holds(found: Effect) -> bool:
    """Whether the interval holds 0, which is the truth."""
    return found.low is not None and found.high is not None and found.low <= 0 <= found.high
