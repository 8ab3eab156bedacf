"""How often every interval that is printed holds the truth, on values whose truth is known. Prints nothing by itself.

Each function takes a generator and how many times to try, calls the library's own function each time, and gives rows:
the interval, the law of the values, the design, and in how many tries the interval held the truth. `told` counts the
tries in which the run's verdict would have said that neighbours are alike and intervals too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbook.stages.verdicts.series import METRICS
from benchbook.stats.alike import likeness
from benchbook.stats.proportions import clustered, wilson
from benchbook.stats.quantiles import interval_ranks
from benchbook.stats.sequential import e_values
from benchbook.stats.spread import between_runs
from benchbook.stats.warmup import ALPHA, NEEDED
from benchmarks.histories_drawn import NOISES, History, Trials, case_effects, levels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

NOMINAL = 0.95
INFLATION = 2.0


@dataclass(frozen=True, slots=True)
class Counted:
    """hits of tries of one cell of a table: what was counted, under which law of the values, by which design.

    told: tries in which the product warns of values that are alike in time; total: the sum over tries of another
    number (what it is, the table says).
    """

    what: str
    law: str
    design: str
    hits: int
    tries: int
    told: int | None = None
    total: float | None = None

    def __add__(self, other: Counted) -> Counted:
        """The same cell with further tries."""
        added = {name: _sum(getattr(self, name), getattr(other, name)) for name in ("hits", "tries", "told", "total")}
        return replace(self, **added)

    @property
    def mean(self) -> float | None:
        return None if self.total is None else self.total / self.tries

    @property
    def share(self) -> float:
        return self.hits / self.tries

    @property
    def error(self) -> float:
        """Monte Carlo's standard error; of a share of 0 or 1, that of one try the other way."""
        share = min(max(self.share, 1 / self.tries), 1 - 1 / self.tries)
        return math.sqrt(share * (1 - share) / self.tries)


Rng = np.random.Generator
Draw = Callable[[Rng, int], Iterator["Counted"]]
"""What draws the cells of a table: a generator, and how many tries of each."""

TRUE: dict[str, Callable[[float], float]] = {
    "lognormal": lambda q: 0.5 * NormalDist().inv_cdf(q),
    "pareto": lambda q: -math.log(1 - q) / 1.5,
    "ar1": lambda q: 0.5 * NormalDist().inv_cdf(q),
}
"""The quantiles of the laws that `histories_drawn.NOISES` draws from."""


def _sum(one: Any, other: Any) -> Any:
    return None if one is None or other is None else one + other


def quantiles(rng: Rng, tries: int) -> Iterator[Counted]:
    """Order statistics of one run's trials, of independent values and of values that are alike in time."""
    for law in NOISES:
        for n, q in ((20, 0.5), (100, 0.5), (400, 0.5), (100, 0.95), (400, 0.95), (400, 0.99)):
            drawn = NOISES[law](rng, (tries, n))
            ranks = interval_ranks(n, q)
            assert ranks is not None
            ordered = np.sort(drawn, axis=1)
            true = TRUE[law](q)
            hits = (ordered[:, ranks[0] - 1] <= true) & (true <= ordered[:, ranks[1] - 1])
            told = 4 * sum(map(_told, drawn[: tries // 4])) if law == "ar1" else None
            yield Counted(f"p{100 * q:g} of trials", law, f"n={n}", int(hits.sum()), tries, told)


def fixed_prompts(rng: Rng, tries: int) -> Iterator[Counted]:
    """The same interval over repeats of a fixed set of prompts, which is what it speaks of."""
    for law in ("lognormal", "pareto"):
        cases = case_effects(rng, Trials(cases=20))
        many = np.sort((NOISES[law](rng, (100_000, 20)) + cases).ravel())
        for q in (0.5, 0.95):
            ranks = interval_ranks(100, q)
            assert ranks is not None
            ordered = np.sort((NOISES[law](rng, (tries * 5, 20)) + cases).reshape(tries, 100), axis=1)
            true = many[int(q * len(many))]
            hits = (ordered[:, ranks[0] - 1] <= true) & (true <= ordered[:, ranks[1] - 1])
            yield Counted(f"p{100 * q:g} of trials", law, "20 prompts x 5", int(hits.sum()), tries)


def _told(values: Array) -> bool:
    """Whether `neighbours_alike` would stand in the verdict of a run of one target."""
    found = likeness(values) if len(values) >= NEEDED else None
    return found is not None and found.p < ALPHA / len(METRICS) and found.factor > INFLATION


def shares(rng: Rng, tries: int) -> Iterator[Counted]:
    """Wilson's interval of independent trials, and the one of clusters where prompts differ (beta, likeness 0.3)."""
    for p in (0.01, 0.05, 0.3, 0.8):
        for n in (20, 100, 400):
            bounds = [wilson(k, n) for k in range(n + 1)]
            held = np.array([b.low <= p <= b.high for b in bounds if b.low is not None and b.high is not None])
            yield Counted(
                "share (Wilson)", "independent", f"p={p:g} n={n}", int(held[rng.binomial(n, p, tries)].sum()), tries
            )
    likely = 0.3
    for prompts, repeats in ((10, 5), (50, 10)):
        for p in (0.05, 0.5, 0.9):
            of = rng.beta(p * (1 - likely) / likely, (1 - p) * (1 - likely) / likely, (tries, prompts))
            passed = rng.binomial(repeats, of) / repeats
            found = [clustered(row.tolist(), prompts * repeats) for row in passed]
            hits = sum(bounds is not None and bounds[0] <= p <= bounds[1] for bounds in found)
            yield Counted("share over prompts", "prompts differ", f"p={p:g} {prompts} x {repeats}", hits, tries)


def run_levels(rng: Rng, tries: int) -> Iterator[Counted]:
    """The run-level interval: mean difference of run levels with t of the pooled spread between runs."""
    from scipy.special import stdtrit

    for law, spikes in (("normal drift", 0.0), ("5 % of runs spike", 0.05)):
        for a, b in ((2, 2), (3, 3), (5, 5), (10, 3)):
            drawn = levels(rng, History(a + b, 0.1, spikes=spikes), tries)
            hits = 0
            for row in drawn:
                found = between_runs((row[:a].tolist(), row[a:].tolist()))
                assert found is not None
                reach = stdtrit(found.df, (1 + NOMINAL) / 2) * found.sd * math.sqrt(1 / a + 1 / b)
                hits += abs(row[:a].mean() - row[a:].mean()) <= reach
            yield Counted("run level (t)", law, f"{a} and {b} runs", hits, tries)


SHAPES: dict[str, Callable[[Rng, tuple[int, int]], Array]] = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "Cauchy": lambda rng, shape: rng.standard_cauchy(shape),
    "sizes alike in time": lambda rng, shape: (
        rng.choice((-1.0, 1.0), shape) * np.exp(np.cumsum(rng.normal(0, 0.3, shape), 1))
    ),
}
"""Symmetric about 0, however wild: all that the sequential test asks for."""


def looked_at_always(rng: Rng, tries: int, blocks: int = 40) -> Iterator[Counted]:
    """The confidence sequence holds the truth at every one of 40 looks, and so does the test's error rate."""
    for law, draw in SHAPES.items():
        crossed = (e_values(draw(rng, (tries, blocks))) >= 1 / (1 - NOMINAL)).any(axis=1)
        yield Counted("sequential, all looks", law, f"{blocks} blocks", int((~crossed).sum()), tries)
