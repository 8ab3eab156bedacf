"""The result suite: physics. What can't be true of a measurement is found here and decides the run's verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from benchbook.checks import ResultFacts
from benchbook.checks import prompt_frame as prompts
from benchbook.checks import result_frame as made
from benchbook.checks.engine import Outcome, Rule, evaluate
from benchbook.records import STATUSES, Check

if TYPE_CHECKING:
    import pandas as pd

MAX_FAILURES = 1_000
"""Failures listed per check; a last line counts the rest."""

_ANY_SIZE = 1e308


def check(tables: Mapping[str, pd.DataFrame], facts: ResultFacts) -> tuple[Check, ...]:
    """See `benchbook.checks.check_results`."""
    trials, calls = tables["trials"].reset_index(drop=True), tables["calls"].reset_index(drop=True)
    frames = (
        made.trials_frame(trials, calls, facts),
        made.calls_frame(calls, trials, facts),
        made.planned_frame(trials, facts),
        made.counts_frame(trials, facts),
        prompts.warm_frame(calls, facts),
    )
    frame = made.joined(frames)
    words = _Words(frame, (trials, calls), facts)
    rules = _rules(words, facts)
    usable = [rule for rule in rules if rule.column in frame.columns]
    outcomes = evaluate(frame, usable) if len(frame) else {}
    return tuple(one for rule in rules for one in _checks(frame, rule, outcomes.get(rule.name, Outcome())))


def _rules(words: _Words, facts: ResultFacts) -> list[Rule]:
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


def _checks(frame: pd.DataFrame, rule: Rule, outcome: Outcome) -> Iterator[Check]:
    """One check per table that the rule speaks of, in the tables' order."""
    there = frame["subject"][frame[rule.column].notna()] if rule.column in frame.columns else frame["subject"].head(0)
    observed = there.value_counts()
    for subject in _SUBJECTS[rule.column]:
        broken = [row for row in outcome.rows if frame.at[row, "subject"] == subject]
        lines = [line for row in broken[:MAX_FAILURES] for line in rule.explain(row)]
        if len(broken) > MAX_FAILURES:
            lines.append(f"and {len(broken) - MAX_FAILURES:,} more rows")
        if outcome.fault is not None:
            lines.append(f"the check could not be made: {outcome.fault}")
        count = int(observed.get(subject, 0))
        yield Check("result", subject, rule.name, not lines, rule.severity, count, len(broken), tuple(lines))


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


class _Words:
    """What to say about a row that breaks a law; rows of the joined frame, trials first, then calls."""

    def __init__(self, frame: pd.DataFrame, tables: tuple[pd.DataFrame, pd.DataFrame], facts: ResultFacts) -> None:
        self.frame, self.facts = frame, facts
        self.trials, self.calls_table = tables
        self.asked = prompts.asked_tokens(self.calls_table, self.trials)

    def source(self, row: int) -> Any:
        """The stored row."""
        first_call = len(self.trials)
        return self.trials.iloc[row] if row < first_call else self.calls_table.iloc[row - first_call]

    def cell(self, row: int, column: str) -> Any:
        return self.frame.at[row, column]

    def name(self, row: int) -> str:
        trial = self.cell(row, "trial_id")
        if self.cell(row, "subject") == "calls":
            source = self.source(row)
            return f"trial {trial}, call {source['call_id']}"
        return f"trial {trial}"

    def chain(self, row: int, chains: made.Chains, floor: float | None) -> Iterator[str]:
        import pandas as pd

        source = self.source(row)
        for chain in chains:
            before: tuple[str, Any] | None = None if floor is None else ("zero", floor)
            for column in chain:
                value = source[column]
                if pd.isna(value):
                    continue
                if column.endswith("_ns") or column.startswith("tokens"):
                    value = int(value)  # a column with nulls holds floats
                if before is not None and value < before[1]:
                    law = " <= ".join(chain if floor is None else ("0", *chain))
                    yield f"{self.name(row)}: {column} {value} is below {before[0]} {before[1]}; right is {law}"
                before = (column, value)

    def stamps(self, row: int) -> Iterator[str]:
        trial = self.cell(row, "subject") == "trials"
        yield from self.chain(row, made.TRIAL_STAMPS if trial else made.CALL_STAMPS, None)

    def latencies(self, row: int) -> Iterator[str]:
        yield from self.chain(row, made.LATENCIES, 0)
        if self.source(row)["e2e_ms"] == 0:
            yield f"{self.name(row)}: e2e_ms is 0; an answer takes time"

    def tokens(self, row: int) -> Iterator[str]:
        yield from self.chain(row, made.TOKENS, 0)

    def untold(self, row: int) -> Iterator[str]:
        yield f"{self.name(row)}: a success without tokens_out; right is a count, or `missing: reason` in provenance"

    def parts(self, row: int) -> Iterator[str]:
        source = self.source(row)
        parts = " + ".join(f"{name} {source[name]}" for name in made.PARTS)
        yield f"{self.name(row)}: {parts} is not wall_ms {source['wall_ms']}, or a part is negative"

    def status(self, row: int) -> Iterator[str]:
        yield f"{self.name(row)}: status is {self.cell(row, 'status')!r}; right is one of {', '.join(STATUSES)}"

    def contradiction(self, row: int) -> Iterator[str]:
        source = self.source(row)
        yield (
            f"{self.name(row)}: status {source['status']} with error_kind {source['error_kind']}; "
            "a success has none, a failure or timeout has one, a skipped trial has its reason in error_message"
        )

    def phase(self, row: int) -> Iterator[str]:
        trial = self.cell(row, "trial_id")
        planned = self.facts.planned.get(trial)
        if planned is None:
            yield f"{self.name(row)}: is not in the plan"
        else:
            yield f"{self.name(row)}: phase is {self.source(row)['phase']}; planned as {planned}"

    def calls(self, row: int) -> Iterator[str]:
        source = self.source(row)
        found = int((self.calls_table["trial_id"] == source["trial_id"]).sum())
        yield f"{self.name(row)}: says {source['calls']} calls, has {found}"

    def attempt(self, row: int) -> Iterator[str]:
        yield f"{self.name(row)}: attempt {self.source(row)['attempt']} stands more than once; one row per attempt"

    def chunks(self, row: int) -> Iterator[str]:
        source = self.source(row)
        lists = (source["chunk_offsets_us"], source["chunk_sizes"], source["chunk_kinds"])
        for fault in made.chunk_faults(lists):
            yield f"{self.name(row)}: {fault}"

    def orphan(self, row: int) -> Iterator[str]:
        yield f"{self.name(row)}: no row of trials has this trial_id"

    def repeated(self, row: int) -> Iterator[str]:
        beyond = int(self.cell(row, "rows_beyond_one"))
        yield f"{self.name(row)}: stands in {beyond + 1} rows; right is one"

    def absent(self, row: int) -> Iterator[str]:
        why = "right is one row per planned trial" if self.facts.finished else "the run ended before it was started"
        yield f"{self.name(row)}: planned, and in no row; {why}"

    def counts(self, row: int) -> Iterator[str]:
        name = self.cell(row, "trial_id")
        found = made.recount(self.trials, self.facts)[name]
        yield f"{name} is {self.facts.counts[name]:,} by the run and {found:,} by its rows"

    def size(self, row: int) -> Iterator[str]:
        counted = int(self.source(row)["tokens_in"])
        asked = int(self.asked[row - len(self.trials)])
        yield (
            f"{self.name(row)}: the provider counts {counted:,} prompt tokens, {asked:,} were asked for; right is "
            f"within {prompts.SIZE_TOLERANCE:.0%}: multiply synthetic.calibration by {counted / asked:.3g}"
        )

    def contamination(self, row: int) -> Iterator[str]:
        source = self.source(row)
        cached, whole = int(source["tokens_cached"]), source["tokens_in"]
        share = f" of {int(whole):,} ({cached / whole:.0%})" if whole else ""
        yield f"{self.name(row)}: {cached:,}{share} prompt tokens came from the provider's cache; the plan is cold"

    def never_hit(self, row: int) -> Iterator[str]:
        target = self.cell(row, "trial_id")
        yield f"target {target}: no measured answer was served from the provider's cache; the plan is warm"
