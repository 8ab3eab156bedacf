"""Data quality as Great Expectations suites: on datasets before a run, on results after it. The only door to that
package, whose import takes seconds: everything here is imported late, and `warm_up` can begin it early.

Rows of the `checks` table come out. They are a pure function of what was checked: no time, no duration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchbook.records import Check, Dataset

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class DatasetChecks:
    """What the checks of dataset files found. datasets: those that could be read, problems or not;
    problems: every critical failure as one line; notes: every warning as one line."""

    checks: tuple[Check, ...]
    datasets: tuple[Dataset, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ResultFacts:
    """What a run's tables must agree with.

    planned: trial id -> phase, of every planned trial; counts: what the run says of itself (planned, succeeded,
    failed, timed_out, skipped, not_started); finished: False when the run was interrupted or out of budget, so
    that trials which were never started are a warning and no contradiction.
    """

    planned: Mapping[str, str]
    counts: Mapping[str, int] = field(default_factory=dict)
    finished: bool = True


def check_datasets(paths: Sequence[str | Path]) -> DatasetChecks:
    """Check dataset files (as `datasets.files` lists them). Never raises for what a file holds."""
    from benchbook.checks.dataset_suite import check

    return check(paths)


def check_results(tables: Mapping[str, pd.DataFrame], facts: ResultFacts) -> tuple[Check, ...]:
    """Hold a run's `trials` and `calls` against physics and the plan."""
    from benchbook.checks.result_suite import check

    return check(tables, facts)


def write_data_docs(paths: Sequence[str | Path], folder: str | Path) -> Path:
    """Write Great Expectations' Data Docs on dataset files into `folder`; gives the page to open."""
    from benchbook.checks.docs import write

    return write(paths, Path(folder))


def warm_up() -> None:
    """Import Great Expectations; a thread may call this while something else goes on."""
    from benchbook.checks.engine import great_expectations

    great_expectations()


__all__ = ["DatasetChecks", "ResultFacts", "check_datasets", "check_results", "warm_up", "write_data_docs"]
