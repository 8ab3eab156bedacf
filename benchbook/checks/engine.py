"""Runs expectations over a frame and says which rows break which: all of Great Expectations that the suites need.

Quiet: no progress bars, no warnings, no analytics. An expectation that could not be evaluated is a failure with
its reason, never a pass. Frames have an integer column `row`, by which failures are named.
"""

from __future__ import annotations

import gc
import os
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

ROW = "row"
_IMPORT = threading.Lock()


@dataclass(frozen=True, slots=True)
class Rule:
    """A named expectation. column: its null cells are not judged; make: builds it from the expectations' module;
    explain: the failure lines of a row; severity: `critical` or `warning`."""

    name: str
    column: str
    make: Callable[[Any], Any]
    explain: Callable[[int], Iterator[str]]
    severity: str = "critical"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Rows that break a rule, in order; fault: why it could not be evaluated."""

    rows: tuple[int, ...] = ()
    fault: str | None = None


def great_expectations() -> Any:
    """The package, imported once, with its analytics off."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    with _IMPORT, quiet(), unhurried_gc():
        import great_expectations as gx

    return gx


def evaluate(frame: pd.DataFrame, rules: Sequence[Rule]) -> Mapping[str, Outcome]:
    """What each rule finds, by name."""
    gx = great_expectations()
    with quiet():
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}
        definition = define(context, rules, "suite")
        result = definition.run(
            batch_parameters={"dataframe": frame},
            result_format={"result_format": "COMPLETE", "unexpected_index_column_names": [ROW]},
        )
    return {one.expectation_config.meta["rule"]: _outcome(one) for one in result.results}


def define(context: Any, rules: Sequence[Rule], name: str) -> Any:
    """A validation definition of `rules` over a data frame that is given when it runs."""
    gx = great_expectations()
    from benchbook.checks import expectations

    source = context.data_sources.add_pandas(name)
    batch = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("all")
    made = []
    for rule in rules:
        expectation = rule.make(expectations)
        expectation.meta = {"rule": rule.name}
        made.append(expectation)
    suite = context.suites.add(gx.ExpectationSuite(name=name, expectations=made))
    return context.validation_definitions.add(gx.ValidationDefinition(name=name, data=batch, suite=suite))


@contextmanager
def quiet() -> Iterator[None]:
    """Without the warnings of a package that is not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def unhurried_gc() -> Iterator[None]:
    """Without garbage collection: while many objects come to stay, it only re-reads them."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _outcome(result: Any) -> Outcome:
    raised = [info for info in _infos(result.exception_info) if info.get("raised_exception")]
    if raised:
        return Outcome(fault=str(raised[0].get("exception_message")))
    rows = {int(place[ROW]) for place in result.result.get("unexpected_index_list") or ()}
    if not rows and not result.success:
        return Outcome(fault="it failed without naming a row")
    return Outcome(tuple(sorted(rows)))


def _infos(info: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """One mapping, or one per metric: both shapes occur."""
    return [info] if "raised_exception" in info else [one for one in info.values() if isinstance(one, Mapping)]
