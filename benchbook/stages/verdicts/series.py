"""Reasons out of latencies in order of time: enough of them, a steady part, and does each value speak for itself?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from benchbook.config import VerdictSpec
from benchbook.stages.verdicts.evidence import Evidence, numbers
from benchbook.stages.verdicts.reasons import Reason
from benchbook.stats.alike import likeness
from benchbook.stats.quantiles import needs
from benchbook.stats.warmup import ALPHA, NEEDED, steadiness

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Values = NDArray[np.float64]

Limits = tuple[float | None, float]
"""What may be, None for anything; and the error rate of the test."""

METRICS = ("ttft_ms", "e2e_ms", "decode_ms_per_token")
"""Each is a series per target; a whole answer's time follows its length, which is drawn in random order."""


def series(evidence: Evidence, limits: VerdictSpec) -> Iterator[Reason]:
    """Too few samples; drift, warm-up and likeness of neighbours of each metric, at one error rate for the run."""
    judged = len(evidence.targets) * len(METRICS)
    yield from _enough(evidence, limits)
    if not evidence.load.steady:
        return
    for target in evidence.targets:
        rows = evidence.good(target)
        for metric in METRICS:
            values = numbers(rows[metric])
            found = list(_unsteady(target, metric, values, (limits.drift, ALPHA / judged)))
            yield from found or _alike(target, metric, values, (limits.inflation, ALPHA / judged))


def _enough(evidence: Evidence, limits: VerdictSpec) -> Iterator[Reason]:
    """Targets with too few samples. Where all that was planned was tried and is not enough, the plan is small: the last
    of these says what would do."""
    if limits.quantile is None:
        return
    wanted, quantile = needs(limits.quantile), f"p{100 * limits.quantile:g}"
    few = {target: n for target in evidence.targets if 0 < (n := len(evidence.good(target))) < wanted}
    tried = {target: _measured(evidence, target) for target in few}
    small = [target for target in few if tried[target] < wanted and not evidence.counts.not_started]
    for target, n in few.items():
        said = f"{quantile} needs {wanted} measured successes, there are {n}"
        said += f" of {tried[target]} tried" if tried[target] > n else ""
        if target in small[-1:]:
            said += f" (the plan is small: {-(-wanted // min(few[each] for each in small))} times its trials would do, "
            said += f"or claim no {quantile}: store.verdict.quantile)"
        yield Reason("too_few_samples", said, n, wanted, target)


def _measured(evidence: Evidence, target: str) -> int:
    """How many of the target's measured trials were attempted."""
    return pc.sum(pc.equal(evidence.of(target)["phase"], "measured")).as_py() or 0


def _unsteady(target: str, metric: str, values: Values, limits: Limits) -> Iterator[Reason]:
    margin, alpha = limits
    if margin is None:
        return
    found = steadiness(values, margin=margin, alpha=alpha)
    if found.kind == "drifting" and found.change is not None:
        said = f"{metric} drifted by {found.change:+.0%} over the measured part, at most {margin:.0%} may be"
        yield Reason("no_steady_state", said, abs(found.change), margin, target)
    elif found.kind == "warm-up" and found.warm_up is not None:
        said = f"the first {found.cut} of {found.n} measured trials lie {found.warm_up:+.0%} off the rest in {metric}"
        yield Reason("warm_up_measured", said, abs(found.warm_up), margin, target)


def _alike(target: str, metric: str, values: Values, limits: Limits) -> Iterator[Reason]:
    """Where the values are steady: whether an interval may take them as independent."""
    most, alpha = limits
    found = likeness(values) if len(values) >= NEEDED else None
    if most is None or found is None or found.p >= alpha or found.factor <= most:
        return
    said = (
        f"{metric} of neighbouring trials is alike (rank correlation {found.r:.2f}): {found.n} values say as much as "
    )
    said += f"{found.n / found.factor:.0f} independent ones, and intervals here are too narrow"
    yield Reason("neighbours_alike", said, found.factor, most, target)
