"""What the result suite says about a row that breaks a law: where it is, what is wrong, what would be right."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from benchbook.checks import prompt_frame as prompts
from benchbook.checks import result_frame as made
from benchbook.checks.census import Census
from benchbook.records import STATUSES

if TYPE_CHECKING:
    import pandas as pd


MAX_FAILURES = 1_000
"""Failures listed per check; a last line counts the rest."""


@dataclass(frozen=True, slots=True)
class Rows:
    """A frame and what it was made of. source: the stored rows, without chunks; owners: of calls, their trials' places
    in the census; lists: of calls with faulty chunks, the first MAX_FAILURES, these by place; start: of trials, how
    many stand before them."""

    frame: pd.DataFrame
    source: pa.Table | None = None
    owners: Any = None
    lists: Mapping[int, Sequence[Any]] = field(default_factory=dict)
    start: int = 0


class Words:
    """What to say about a row of a slice that breaks a law."""

    def __init__(self, several: Sequence[Rows], census: Census, frame: pd.DataFrame | None = None) -> None:
        self.frame, self.census, self.facts = frame, census, census.facts
        self.several = [rows for rows in several if len(rows.frame)]
        self.firsts = list(accumulate((len(rows.frame) for rows in self.several), initial=0))

    def place(self, row: int) -> tuple[Rows, int]:
        """Where a row comes from."""
        number = bisect_right(self.firsts, row) - 1
        return self.several[number], row - self.firsts[number]

    def source(self, row: int) -> Mapping[str, Any]:
        """The stored row."""
        rows, place = self.place(row)
        found: Mapping[str, Any] = {} if rows.source is None else rows.source.slice(place, 1).to_pylist()[0]
        return found

    def cell(self, row: int, column: str) -> Any:
        return None if self.frame is None else self.frame.at[row, column]

    def name(self, row: int) -> str:
        trial = self.cell(row, "trial_id")
        if self.cell(row, "subject") == "calls":
            source = self.source(row)
            return f"trial {trial}, call {source['call_id']}"
        return f"trial {trial}"

    def chain(self, row: int, chains: made.Chains, floor: float | None) -> Iterator[str]:
        source = self.source(row)
        for members in chains:
            before: tuple[str, Any] | None = None if floor is None else ("zero", floor)
            for column in members:
                value = source[column]
                if value is None:
                    continue
                if before is not None and value < before[1]:
                    law = " <= ".join(members if floor is None else ("0", *members))
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
        if any(source[name] is None for name in made.PARTS):
            yield f"{self.name(row)}: its spans contradict themselves, so wall_ms has no parts; `provenance` says which"
            return
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
        rows, place = self.place(row)
        found = int(self.census.calls_of[rows.start + place])
        yield f"{self.name(row)}: says {source['calls']} calls, has {found}"

    def attempt(self, row: int) -> Iterator[str]:
        yield f"{self.name(row)}: attempt {self.source(row)['attempt']} stands more than once; one row per attempt"

    def chunks(self, row: int) -> Iterator[str]:
        rows, place = self.place(row)
        for fault in made.chunk_faults(rows.lists[place]):
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
        found = self.census.counts[name]
        yield f"{name} is {self.facts.counts[name]:,} by the run and {found:,} by its rows"

    def size(self, row: int) -> Iterator[str]:
        counted = int(self.source(row)["tokens_in"])
        rows, place = self.place(row)
        asked = int(self.census.asked(rows.owners[place : place + 1])[0])
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
