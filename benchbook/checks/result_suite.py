"""The result suite: physics. What can't be true of a measurement is found here and decides the run's verdict."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from benchbook.checks import Part, Parts, ResultFacts
from benchbook.checks import census as counting
from benchbook.checks import prompt_frame as prompts
from benchbook.checks import result_frame as made
from benchbook.checks.census import Census
from benchbook.checks.engine import ROW, Outcome, Rule, evaluate
from benchbook.checks.result_words import MAX_FAILURES, Rows, Words
from benchbook.records import STATUSES, Check

if TYPE_CHECKING:
    import pandas as pd

_ANY_SIZE = 1e308


SLICE_ROWS = 200_000
"""Rows of the frames that are evaluated at a time. Rows are judged one by one, but for attempts, of which those of a
trial must stand in one slice: calls are stored in order of their trial, and no slice ends within one."""


def check(tables: Mapping[str, Parts], facts: ResultFacts, slice_rows: int = SLICE_ROWS) -> tuple[Check, ...]:
    """See `benchbook.checks.check_results`."""
    trials, calls = tables["trials"], tables["calls"]
    census = Census(
        (part(counting.TRIAL_COLUMNS) for part in trials()), (part(counting.CALL_COLUMNS) for part in calls()), facts
    )
    warm = prompts.warm_frame((part(prompts.WARM_COLUMNS) for part in calls()), facts)
    rows = [_trials(trials, census), _calls(calls, census), _planned(census, slice_rows)]
    few = [Rows(made.counts_frame(census)), Rows(warm)]
    told = [(rule, subject) for rule in _rules(Words([], census), facts) for subject in _SUBJECTS[rule.column]]
    tallies = {(rule.name, subject): _Tally() for rule, subject in told}
    for several in _slices(chain(*rows, few), slice_rows):
        _judge(several, census, tallies)
        if sum(len(one.frame) for one in several) * 2 > slice_rows:
            gc.collect()  # the package's results hold on to their frames in circles
    return tuple(tallies[rule.name, subject].check(rule, subject) for rule, subject in told)


@dataclass(slots=True)
class _Tally:
    """How one rule came out for one table, so far."""

    observed: int = 0
    broken: int = 0
    lines: list[str] = field(default_factory=list)
    fault: str | None = None

    def check(self, rule: Rule, subject: str) -> Check:
        lines = list(self.lines)
        if self.broken > MAX_FAILURES:
            lines.append(f"and {self.broken - MAX_FAILURES:,} more rows")
        if self.fault is not None:
            lines.append(f"the check could not be made: {self.fault}")
        counted = (self.observed, self.broken)
        return Check("result", subject, rule.name, not lines, rule.severity, *counted, tuple(lines))


def _trials(parts: Parts, census: Census) -> Iterator[Rows]:
    start = 0
    for part in parts():
        rows = part(made.TRIAL_COLUMNS)
        yield Rows(made.trials_frame(rows, _provenance(part), start, census), rows, start=start)
        start += len(rows)


def _calls(parts: Parts, census: Census) -> Iterator[Rows]:
    start = 0
    for part in parts():
        rows = part(made.CALL_COLUMNS)
        owners = census.owners[start : start + len(rows)]
        frame = made.calls_frame(rows, _provenance(part), owners, census)
        faulty = np.flatnonzero(frame["chunk_faults"].to_numpy())[:MAX_FAILURES]
        lists = rows.select(made.CHUNK_LISTS).take(pa.array(faulty)).to_pylist()
        by_place = {int(place): tuple(one.values()) for place, one in zip(faulty, lists, strict=True)}
        yield Rows(frame, rows.drop_columns(made.CHUNK_LISTS), owners, by_place)
        start += len(rows)


def _planned(census: Census, size: int) -> Iterator[Rows]:
    for start in range(0, len(census.planned), size):
        yield Rows(made.planned_frame(start, min(start + size, len(census.planned)), census))


def _provenance(part: Part) -> made.Provenance:
    return lambda places: part(("provenance",))["provenance"].take(pa.array(places)).to_pylist()


def _slices(rows: Iterable[Rows], size: int) -> Iterator[list[Rows]]:
    """As many as make up `size` rows; the calls of one trial stay together."""
    held: list[Rows] = []
    for one in rows:
        if held and sum(len(each.frame) for each in held) + len(one.frame) > size and not _same_trial(held[-1], one):
            yield held
            held = []
        held.append(one)
    if held:
        yield held


def _same_trial(one: Rows, other: Rows) -> bool:
    """Whether calls of one trial stand at the end of the one and at the beginning of the other."""
    if one.owners is None or other.owners is None or not len(one.frame) or not len(other.frame):
        return False
    return bool(one.frame["trial_id"].iloc[-1] == other.frame["trial_id"].iloc[0])


def _judge(several: Sequence[Rows], census: Census, tallies: Mapping[tuple[str, str], _Tally]) -> None:
    """Evaluate a slice, and add what was found."""
    frame = _joined([rows.frame for rows in several])
    if not len(frame):
        return
    rules = [one for one in _rules(Words(several, census, frame), census.facts) if one.column in frame.columns]
    outcomes = evaluate(frame, rules)
    for rule in rules:
        outcome = outcomes.get(rule.name, Outcome())
        there = frame["subject"][frame[rule.column].notna()].value_counts()
        subjects = frame["subject"].to_numpy()
        for subject in _SUBJECTS[rule.column]:
            tally = tallies[rule.name, subject]
            broken = [row for row in outcome.rows if subjects[row] == subject]
            told = broken[: max(0, MAX_FAILURES - tally.broken)]
            tally.observed += int(there.get(subject, 0))
            tally.broken += len(broken)
            tally.lines += [line for row in told for line in rule.explain(row)]
            tally.fault = tally.fault or outcome.fault


def _joined(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """All frames under one another, with their row numbers."""
    import pandas as pd

    joined = pd.concat([frame for frame in frames if len(frame)] or list(frames[:1]), ignore_index=True)
    joined[ROW] = range(len(joined))
    return joined


def _rules(words: Words, facts: ResultFacts) -> list[Rule]:
    """Rules by column; a rule holds for every table whose rows have the column."""
    absent = "critical" if facts.finished else "warning"
    return [
        _rule("stamps_monotone", "stamp_slack_ns", _at_least(0), words.stamps),
        _rule("latencies_ordered", "latency_slack_ms", _at_least(0), words.latencies),
        _rule("usage_consistent", "token_slack", _at_least(0), words.tokens),
        _rule("usage_told", "usage_told", _at_least(1), words.untold),
        _rule("breakdown_adds_up", "parts_slack_ms", _at_least(0), words.parts),
        _rule("status_known", "status", _statuses, words.status),
        _rule("status_agrees_with_error", "status_agrees", _at_least(1), words.contradiction),
        _rule("phase_as_planned", "phase_agrees", _at_least(1), words.phase),
        _rule("calls_counted", "calls_missing", _at_most(0), words.calls),
        _rule("attempt_once", "attempt", _once, words.attempt),
        _rule("chunks_consistent", "chunk_faults", _at_most(0), words.chunks),
        _rule("trial_of_call_known", "owner_known", _at_least(1), words.orphan),
        _rule("planned_once", "rows_beyond_one", _at_most(0), words.repeated),
        _rule("planned_present", "rows_missing", _at_most(0), words.absent, absent),
        _rule("counts_conserved", "count_off", _at_most(0), words.counts),
        _rule("prompt_size", "prompt_size_off", _at_most(prompts.SIZE_TOLERANCE), words.size, "warning"),
        _rule("cache_contamination", "cached_unasked", _at_most(0), words.contamination, "warning"),
        _rule("cache_warm", "cache_hits", _at_least(1), words.never_hit, "warning"),
    ]


def _rule(
    name: str,
    column: str,
    make: Callable[[str], Callable[[Any], Any]],
    explain: Callable[[int], Iterator[str]],
    severity: str = "critical",
) -> Rule:
    return Rule(name, column, make(column), explain, severity)


_BOTH = ("trials", "calls")
_SUBJECTS: Mapping[str, Sequence[str]] = {
    **dict.fromkeys(("stamp_slack_ns", "latency_slack_ms", "token_slack", "usage_told"), _BOTH),
    **dict.fromkeys(("parts_slack_ms", "status", "status_agrees", "phase_agrees", "calls_missing"), ("trials",)),
    **dict.fromkeys(("attempt", "chunk_faults", "owner_known", "prompt_size_off", "cached_unasked"), ("calls",)),
    "cache_hits": ("trials",),
    **dict.fromkeys(("rows_beyond_one", "rows_missing"), ("trials",)),
    "count_off": ("runs",),
}


def _at_least(least: float) -> Callable[[str], Callable[[Any], Any]]:
    return lambda column: lambda x: x.ExpectColumnValuesToBeBetween(column=column, min_value=least, max_value=_ANY_SIZE)


def _at_most(most: float) -> Callable[[str], Callable[[Any], Any]]:
    return lambda column: lambda x: x.ExpectColumnValuesToBeBetween(column=column, min_value=0, max_value=most)


def _statuses(column: str) -> Callable[[Any], Any]:
    return lambda x: x.ExpectColumnValuesToBeInSet(column=column, value_set=list(STATUSES))


def _once(column: str) -> Callable[[Any], Any]:
    return lambda x: x.ExpectCompoundColumnsToBeUnique(
        column_list=["trial_id", "turn", column], ignore_row_if="any_value_is_missing"
    )
