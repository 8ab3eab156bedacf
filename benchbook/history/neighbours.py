"""How alike neighbouring trials of stored runs are: by how much a comparison's interval over prompts must be wider.

Trials of different cases that follow one another share what the server was doing just then. Resampling whole cases
does not see that, since a case's trials lie far apart in a shuffled plan. So each trial's log value, less its case's
median, is put in order of start, and `stats.alike` says what n such values are worth.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from benchbook.history.questions import select
from benchbook.history.values import Where
from benchbook.metrics import AGENT_METRICS, LATENCY_METRICS
from benchbook.stats.alike import likeness

_RESIDUALS = f"""
select run_id, target, workload, metric, list(residual order by started, trial_id) as residuals
from (
    select
        run_id, target, workload, metric, trial_id, wall_offset_ns + started_ns as started,
        ln(value) - median(ln(value)) over (partition by run_id, target, workload, metric, dataset, test_id) as residual
    from (select * from trials where phase = 'measured' and status = 'success')
    unpivot (value for metric in ({", ".join((*LATENCY_METRICS, *AGENT_METRICS))}))
    where value > 0)
group by all
order by all
"""  # noqa: S608 (names of columns, all our own)


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Inflation of the variance of a run's trials by (run, whose, metric); 1 where nothing is known."""

    factors: Mapping[tuple[str, Where, str], float]

    @classmethod
    def of(cls, results: Path, runs: Collection[str]) -> Neighbours:
        """From the measured successes of these runs."""
        rows = select(results, _RESIDUALS, runs=runs)
        found = {}
        for row in rows:
            alike = likeness(row["residuals"])
            if alike is not None:
                found[row["run_id"], Where(row["target"], row["workload"]), row["metric"]] = alike.factor
        return cls(found)

    def inflation(self, sides: Iterable[tuple[Iterable[str], Where]], metric: str) -> float:
        """Over all runs of both sides."""
        return fmean(self.factors.get((run_id, where, metric), 1.0) for runs, where in sides for run_id in runs)
