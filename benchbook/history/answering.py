"""Answering questions: from what is kept for the runs that it covers, from the tables for the others.

What is asked of every run apart is computed a batch of runs at a time, so that memory does not grow with the history.
The rows of each run then stand in order of run id, as the question itself would have them.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import duckdb
import pyarrow as pa

from benchbook.history.opening import empty, over
from benchbook.history.sources import Sources
from benchbook.history.summaries import Kept, Marks, key, per_run, tables_of
from benchbook.history.views import ANSWERS, in_order, question_texts

BATCH_BYTES = 24 << 20
"""Of Parquet files that are computed with at once; a run is never cut."""


@dataclass(frozen=True, slots=True)
class Answering:
    """A history and how to ask it. variables: the settings, as SQL."""

    sources: Sources
    kept: Kept
    settings: Mapping[str, Any]
    variables: Sequence[str] = ()

    def answers(self, asked: Collection[str], last: int | None = None) -> dict[str, pa.Table]:
        """Question -> its rows; of many, the `last` ones."""
        marks = self.sources.marks()
        old = {question: self._kept(question, marks, last) for question in asked if per_run(question)}
        fresh = self._fresh({question: covered for question, (covered, _) in old.items()}, marks, last)
        answers = {question: self._together(question, old[question][1], fresh[question]) for question in old}
        answers |= {question: self._across(question, marks) for question in asked if question not in answers}
        if last is None:
            return answers
        return {question: table.slice(max(0, len(table) - last)) for question, table in answers.items()}

    def changed(self, asked: Collection[str]) -> Iterator[tuple[str, pa.Table | None]]:
        """Each question and its answer, one after another; None where what is kept is the whole of it."""
        marks = self.sources.marks()
        sound = {question for question in asked if self.kept.sound(question)}
        exact = {name for name in sound if self.kept.exact(name, key(name, self.settings), marks)}
        covered = {
            name: self.kept.covered(name, key(name, self.settings), marks) if name in sound else frozenset[str]()
            for name in asked
            if per_run(name) and name not in exact
        }
        fresh = self._fresh(covered, marks)
        behind = _named(name for name in asked if not per_run(name) and name not in exact)
        ready: dict[str, pa.Table] = {}
        for question, runs in covered.items():
            table = self.kept.table(question, runs) if runs else None
            if runs and table is None:
                found = replace(self, kept=Kept(self.kept.folder)).answers((question,))[question]
            else:
                found = self._together(question, table, fresh.pop(question))
            if question in behind:
                ready[question] = found
            yield question, found
        for question in asked:
            if question in exact:
                yield question, None
            elif question not in covered:
                yield question, self._across(question, marks, ready)

    def _kept(self, question: str, marks: Marks, last: int | None) -> tuple[frozenset[str], pa.Table | None]:
        """The runs that the kept answer covers, and its rows of them."""
        covered = self.kept.covered(question, key(question, self.settings), marks)
        table = self.kept.table(question, covered, last) if covered else None
        return (frozenset(), None) if table is None else (covered, table)

    def _fresh(
        self, covered: Mapping[str, frozenset[str]], marks: Marks, last: int | None = None
    ) -> dict[str, list[pa.Table]]:
        """Question -> its answers of the runs that are not covered. Those that need no calls take more runs at once."""
        todo: dict[tuple[frozenset[str], bool], list[str]] = {}
        for question, runs in covered.items():
            needed = tables_of(question)
            have = {run for run, tables in marks.items() if not tables.keys().isdisjoint(needed)}
            todo.setdefault((frozenset(have - runs), "calls" in needed), []).append(question)
        found: dict[str, list[pa.Table]] = {question: [] for question in covered}
        for (lacking, _), questions in todo.items():
            for question, table in self._computed(questions, sorted(lacking), last):
                found[question].append(table)
        return found

    def _together(self, question: str, old: pa.Table | None, fresh: Sequence[pa.Table]) -> pa.Table:
        tables = [*([] if old is None else [old]), *fresh]
        return in_run_order(tables) if tables else self._none(question)

    def _computed(
        self, questions: Sequence[str], runs: Sequence[str], last: int | None
    ) -> Iterator[tuple[str, pa.Table]]:
        """Each question's answer over batches of these runs; with `last`, no more batches than that takes."""
        tables = {table for question in questions for table in tables_of(question)}
        lacking = dict.fromkeys(questions, last or 0)
        for batch in self._batches(runs[::-1] if last else runs, tables):
            if last and all(rows <= 0 for rows in lacking.values()):
                return
            with self._open(self.sources.of(batch, tables), in_order(_named(questions))) as con:
                for question in questions:
                    table = con.sql(question_texts()[question]).to_arrow_table()
                    lacking[question] -= len(table)
                    yield question, table

    def _batches(self, runs: Iterable[str], tables: Collection[str]) -> Iterator[set[str]]:
        """Runs whose files of these tables are not too much at once."""
        sizes: dict[str, int] = {}
        for table in tables:
            for part in self.sources.parts.get(table, ()):
                sizes[part.run_id] = sizes.get(part.run_id, 0) + os.path.getsize(part.path)
        batch: set[str] = set()
        held = 0
        for run in runs:
            if batch and held + sizes[run] > BATCH_BYTES:
                yield batch
                batch, held = set(), 0
            batch.add(run)
            held += sizes[run]
        if batch:
            yield batch

    def _across(self, question: str, marks: Marks, ready: Mapping[str, pa.Table] = MappingProxyType({})) -> pa.Table:
        """A question whose answer is of several runs together; those that it asks in turn are ready, or may be kept."""
        if self.kept.exact(question, key(question, self.settings), marks):
            table = self.kept.table(question)
            if table is not None:
                return table
        with self._open(self.sources) as con:
            given(con, {**self.answers([part for part in _named([question]) if part not in ready]), **ready})
            return con.sql(question_texts()[question]).to_arrow_table()

    def _none(self, question: str) -> pa.Table:
        """The answer over no run."""
        with self._open(self.sources.of((), ()), in_order(_named([question]))) as con:
            return con.sql(question_texts()[question]).to_arrow_table()

    def _open(self, sources: Sources, questions: Collection[str] = ()) -> duckdb.DuckDBPyConnection:
        con = over(sources, questions)
        for statement in self.variables:
            con.execute(statement)
        return con


def _named(questions: Iterable[str]) -> list[str]:
    """The questions that these stand on."""
    return sorted({part for question in questions for part in in_order([question]) if part != question})


def given(con: duckdb.DuckDBPyConnection, answers: Mapping[str, pa.Table]) -> None:
    """Make the views `answers.QUESTION` of these tables."""
    for question, table in answers.items():
        con.register(f"kept_{question}", table)
        con.execute(f"create or replace view {ANSWERS}.{question} as from kept_{question}")


def in_run_order(tables: Sequence[pa.Table]) -> pa.Table:
    """Tables with disjoint runs, each in order of run id, as one."""
    if len(tables) == 1:
        return tables[0]
    stretches = sorted(stretch for place, table in enumerate(tables) for stretch in _stretches(table, place))
    schema = tables[0].schema
    return pa.concat_tables(
        [tables[place].slice(start, end - start).cast(schema) for _, place, start, end in stretches]
        or [tables[0].slice(0, 0)]
    )


def _stretches(table: pa.Table, place: int) -> Iterator[tuple[str, int, int, int]]:
    """(run id, place of the table, first row, row behind the last) of each run in it."""
    import pyarrow.compute as pc

    encoded = pc.run_end_encode(table["run_id"].combine_chunks())
    start = 0
    for run, end in zip(encoded.values.to_pylist(), encoded.run_ends.to_pylist(), strict=True):
        yield run, place, start, end
        start = end


def rows(tables: Sequence[pa.Table]) -> list[list[dict[str, Any]]]:
    """Each answer's rows, with values as DuckDB gives them."""
    with empty() as con:
        return [
            [dict(zip(table.column_names, row, strict=True)) for row in con.from_arrow(table).fetchall()]
            for table in tables
        ]
