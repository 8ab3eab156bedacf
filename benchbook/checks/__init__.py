"""Data quality as Great Expectations suites: on datasets before a run, on results after it. The only door to that
package, whose import takes seconds: everything here is imported late, and `warm_up` can begin it early.

Rows of the `checks` table come out. They are a pure function of what was checked: no time, no duration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from benchbook.records import Case, Check, Dataset

if TYPE_CHECKING:
    import pyarrow as pa


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
    that trials which were never started are a warning and no contradiction; cache: the plan's `execute.cache`.
    """

    planned: Mapping[str, str]
    counts: Mapping[str, int] = field(default_factory=dict)
    finished: bool = True
    cache: str = "as_is"


class Reviewed(Protocol):
    """What is known of a case's scorer before any answer; `fault` None: it can judge. See `scoring.Review`."""

    @property
    def kind(self) -> str: ...
    @property
    def own(self) -> bool: ...
    @property
    def fault(self) -> str | None: ...
    @property
    def right(self) -> str: ...


Reviewer = Callable[[Case | None, Mapping[str, Any]], Reviewed | None]
"""A case (None: none in particular) and its dataset's defaults -> its scorer. `scoring.review` is one: this room
and that one stand side by side, so it is passed in."""


def check_datasets(paths: Sequence[str | Path], review: Reviewer | None = None) -> DatasetChecks:
    """Check dataset files (as `datasets.files` lists them). Never raises for what a file holds.

    review: without it nothing is said about scorers.
    """
    from benchbook.checks.dataset_suite import check

    return check(paths, review)


Part = Callable[[Sequence[str]], "pa.Table"]
"""Neighbouring rows of a stored table: names of columns -> these columns."""
Parts = Callable[[], Iterable[Part]]
"""A stored table from its beginning, a part at a time; it is asked for more than once."""


def check_results(tables: Mapping[str, Parts], facts: ResultFacts) -> tuple[Check, ...]:
    """Hold a run's `trials` and `calls`, in the order in which they are stored, against physics and the plan. Every row
    is looked at, in bounded memory."""
    from benchbook.checks.result_suite import check

    return check(tables, facts)


def write_data_docs(paths: Sequence[str | Path], folder: str | Path, review: Reviewer | None = None) -> Path:
    """Write Great Expectations' Data Docs on dataset files into `folder`; gives the page to open."""
    from benchbook.checks.docs import write

    return write(paths, Path(folder), review)


def warm_up() -> None:
    """Import Great Expectations; a thread may call this while something else goes on."""
    from benchbook.checks.engine import great_expectations

    great_expectations()


__all__ = [
    "DatasetChecks",
    "Part",
    "Parts",
    "ResultFacts",
    "Reviewed",
    "Reviewer",
    "check_datasets",
    "check_results",
    "warm_up",
    "write_data_docs",
]
