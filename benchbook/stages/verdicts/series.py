"""Reasons out of latencies in order of time: enough of them, and a steady part among them?"""

from __future__ import annotations

from collections.abc import Iterator

from benchbook.config import VerdictSpec
from benchbook.stages.verdicts.evidence import Evidence, numbers
from benchbook.stages.verdicts.reasons import Reason
from benchbook.stats.quantiles import needs
from benchbook.stats.warmup import ALPHA, Steadiness, steadiness

METRICS = ("ttft_ms", "e2e_ms", "decode_ms_per_token")
"""Each is a series per target; a whole answer's time follows its length, which is drawn in random order."""


def series(evidence: Evidence, limits: VerdictSpec) -> Iterator[Reason]:
    """Too few samples; drift and warm-up of each metric, at one error rate for the run."""
    judged = len(evidence.targets) * len(METRICS)
    yield from _enough(evidence, limits)
    for target in evidence.targets:
        rows = evidence.good(target)
        if evidence.load.steady and limits.drift is not None:
            for metric in METRICS:
                found = steadiness(numbers(rows[metric]), margin=limits.drift, alpha=ALPHA / judged)
                yield from _unsteady(target, metric, found, limits.drift)


def _enough(evidence: Evidence, limits: VerdictSpec) -> Iterator[Reason]:
    """Targets with too few samples: the plan's size, nothing went wrong. The last one says what would do."""
    if limits.quantile is None:
        return
    wanted, quantile = needs(limits.quantile), f"p{100 * limits.quantile:g}"
    few = {target: n for target in evidence.targets if 0 < (n := len(evidence.good(target))) < wanted}
    for place, (target, n) in enumerate(few.items(), start=1):
        said = f"{quantile} needs {wanted} measured successes, there are {n}"
        if place == len(few):
            said += f" (the plan is small: {-(-wanted // min(few.values()))} times its trials would do, "
            said += f"or claim no {quantile}: store.verdict.quantile)"
        yield Reason("too_few_samples", said, n, wanted, target)


def _unsteady(target: str, metric: str, found: Steadiness, margin: float) -> Iterator[Reason]:
    if found.kind == "drifting" and found.change is not None:
        said = f"{metric} drifted by {found.change:+.0%} over the measured part, at most {margin:.0%} may be"
        yield Reason("no_steady_state", said, abs(found.change), margin, target)
    elif found.kind == "warm-up" and found.warm_up is not None:
        said = f"the first {found.cut} of {found.n} measured trials lie {found.warm_up:+.0%} off the rest in {metric}"
        yield Reason("warm_up_measured", said, abs(found.warm_up), margin, target)
