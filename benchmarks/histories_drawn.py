"""Histories, latencies and experiments out of a seed, whose truth is known: what the statistics are tried on.

Only numpy, and the generator is passed in. Levels are natural logs of run medians; `drift` is the standard deviation
of what a whole run shares and the next one does not (0.10 is "10 % run-to-run drift").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class History:
    """drift: sd between runs; step: log change from run `step_at` on; spikes: share of runs that are off alone.

    spike: how far a spike lies off, in logs (up); likeness: lag-one correlation of the drift of neighbouring runs.
    """

    runs: int
    drift: float
    step: float = 0.0
    step_at: int = 0
    spikes: float = 0.0
    spike: float = 0.4
    likeness: float = 0.0


def levels(rng: np.random.Generator, of: History, histories: int) -> Array:
    """Log levels, a history a row: shape (histories, runs)."""
    drawn = of.drift * ar1(rng, (histories, of.runs), of.likeness)
    if of.step:
        drawn[:, of.step_at :] += of.step
    if of.spikes:
        drawn += of.spike * (rng.random(drawn.shape) < of.spikes)
    return drawn


def ar1(rng: np.random.Generator, shape: tuple[int, int], likeness: float) -> Array:
    """Standard normal values whose neighbours along the last axis correlate by `likeness`."""
    fresh = rng.standard_normal(shape)
    if likeness:
        for at in range(1, shape[-1]):
            fresh[:, at] = likeness * fresh[:, at - 1] + np.sqrt(1 - likeness**2) * fresh[:, at]
    return fresh


def lognormal(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Log latencies with a log sd of 0.5: a right tail as answers of unequal length have."""
    return 0.5 * rng.standard_normal(shape)


def pareto(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Log latencies of a Pareto law with index 1.5: no variance on the latencies' own scale."""
    return rng.standard_exponential(shape) / 1.5


def autocorrelated(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Log latencies with log sd 0.5 whose neighbours in time correlate by 0.5."""
    return 0.5 * ar1(rng, shape, 0.5)


NOISES: dict[str, Callable[[np.random.Generator, tuple[int, int]], Array]] = {
    "lognormal": lognormal,
    "pareto": pareto,
    "ar1": autocorrelated,
}
"""Laws of a trial's log latency about its case: shape in, values out, time along the last axis."""


@dataclass(frozen=True, slots=True)
class Trials:
    """What a run measures: cases with effects of sd `between_cases`, each repeated, with a law of noise.

    interaction: sd of what one case shares within one run only (a prompt that one day's server likes less);
    scale: what the noise's logs are multiplied by.
    """

    cases: int = 20
    repetitions: int = 5
    between_cases: float = 0.5
    interaction: float = 0.0
    noise: str = "lognormal"
    scale: float = 1.0


def run_of(rng: np.random.Generator, of: Trials, cases: Array, shift: float = 0.0) -> Array:
    """One run's log latencies, shape (cases, repetitions). cases: the effect of each, the same for every run.

    The trials' noise is drawn in order of time: repetition by repetition over all cases, as a shuffled plan has them.
    """
    drawn = of.scale * NOISES[of.noise](rng, (1, of.cases * of.repetitions))
    noise = drawn.reshape(of.repetitions, of.cases).T
    own = of.interaction * rng.standard_normal(of.cases) if of.interaction else np.zeros(of.cases)
    found: Array = cases[:, None] + own[:, None] + noise + shift
    return found


def case_effects(rng: np.random.Generator, of: Trials) -> Array:
    """The cases' own levels."""
    return of.between_cases * rng.standard_normal(of.cases)
