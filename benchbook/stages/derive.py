"""From a run's journal to the rows of its tables: metrics, tokens, cost, breakdown, scores. No file is touched.

A batch of trials at a time, so that a long run's tables are built in bounded memory. Same journal, same rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pyarrow as pa

from benchbook.datasets import rendered_case
from benchbook.measure.breakdown import api_spans, trial_breakdown
from benchbook.measure.cost import cost_usd, trial_cost_usd
from benchbook.measure.provenance import Known, Metrics, metrics_of, missing
from benchbook.measure.timing import call_metrics, connect_metrics, trial_metrics
from benchbook.measure.usage import trial_usage, usage_metrics
from benchbook.records import Answer, Call, Case, Score, Trial
from benchbook.results import rows
from benchbook.results.journal import JournalRun, Segment
from benchbook.results.rows import Computed, Row, RowFacts
from benchbook.runner.plan import Plan
from benchbook.runner.stored import stored_plan
from benchbook.scoring import judge

_BATCH = 512
_DERIVED = ("trials", "calls", "responses", "spans", "scores")


@dataclass(frozen=True, slots=True)
class Source:
    """A run's journal with what its rows need. cases: rendered, with their dataset's defaults, by dataset and id;
    bodies: which answers are kept (`all`, `failures`, `none`)."""

    run: JournalRun
    plan: Plan
    cases: Mapping[tuple[str, str], tuple[Case, Mapping[str, Any]]]
    bodies: str


def source(run: JournalRun, bodies: str) -> Source:
    """Read what a run's rows need from its manifest and its snapshot of the datasets."""
    plan = stored_plan(run)
    cases = {
        key: (rendered_case(prompt.dataset, prompt.case), prompt.dataset.defaults)
        for key, prompt in plan.prompts.items()
    }
    return Source(run, plan, cases, bodies)


def tables(found: Source) -> dict[str, pa.Table]:
    """The run's tables but `runs` and `checks`, every one of them, whatever the journal holds."""
    parts: dict[str, list[pa.Table]] = {name: [rows.table(name, [])] for name in _DERIVED}
    records = found.run.records()
    while batch := list(islice(records, _BATCH)):
        for name, made in _batch_rows(found, batch).items():
            parts[name].append(rows.table(name, made))
    events = [
        rows.event_row(found.run.run_id, segment.start.get("wall_offset_ns"), event)
        for segment, event in found.run.events()
    ]
    return {name: pa.concat_tables(made) for name, made in parts.items()} | {"events": rows.table("events", events)}


def _batch_rows(found: Source, batch: Sequence[tuple[Segment, Trial]]) -> dict[str, list[Row]]:
    made: dict[str, list[Row]] = {name: [] for name in _DERIVED}
    run_id = found.run.run_id
    for segment, trial in batch:
        facts = _facts(found, segment, trial)
        price = found.plan.targets[trial.planned.target].price
        spans = api_spans(trial)
        score = _score(found, trial)
        costs = (trial_cost_usd(price, trial.calls), trial_breakdown(trial, spans))
        made["trials"].append(rows.trial_row(facts, trial, _trial_columns(trial, score, *costs)))
        made["spans"] += [rows.span_row(run_id, trial.planned.trial_id, span) for span in spans]
        made["scores"] += [rows.score_row(run_id, score)] if score else []
        for call in trial.calls:
            cost = metrics_of({"cost_usd": cost_usd(price, call.usage)})
            columns = _merged(call_metrics(call), connect_metrics(call), usage_metrics(call.usage), cost)
            made["calls"].append(rows.call_row(facts, trial, call, columns))
        made["responses"] += [rows.response_row(facts, trial, call, answer) for call, answer in _kept(found, trial)]
    return made


def _facts(found: Source, segment: Segment, trial: Trial) -> RowFacts:
    target = found.plan.targets[trial.planned.target]
    known = found.cases.get((trial.planned.dataset, trial.planned.test_id))
    made = None if known is None else known[0].generated
    return RowFacts(
        run_id=found.run.run_id,
        wall_offset_ns=segment.start.get("wall_offset_ns"),
        provider=target.provider,
        model=target.model,
        streamed=target.stream,
        price_date=target.price.date if target.price else None,
        prompt_tokens_asked=None if made is None else made.prompt_tokens,
    )


def _trial_columns(trial: Trial, score: Score | None, cost: Known, breakdown: Metrics) -> Computed:
    judged: Known = (
        missing("no answer to score") if trial.status != "success" else missing("the case has nothing to score by")
    )
    if score is not None:
        judged = (score.value, "derived")
    return _merged(
        trial_metrics(trial),
        usage_metrics(trial_usage(trial.calls)),
        breakdown,
        metrics_of({"cost_usd": cost, "score": judged}),
    )


def _merged(*parts: Metrics) -> Computed:
    values: dict[str, float | None] = {}
    provenance: dict[str, str] = {}
    for part in parts:
        values |= part.values
        provenance |= part.provenance
    return Computed(values, provenance)


def _score(found: Source, trial: Trial) -> Score | None:
    """The judgement of a successful trial's answer, None where there is none to judge or nothing to judge by."""
    known = found.cases.get((trial.planned.dataset, trial.planned.test_id))
    if trial.status != "success" or not trial.answers or known is None:
        return None
    judgement = judge(*known, trial.answers[-1].text)
    if judgement is None:
        return None
    return Score(trial.planned.trial_id, judgement.scorer, judgement.value, judgement.passed, judgement.detail)


def _kept(found: Source, trial: Trial) -> Iterator[tuple[Call, Answer]]:
    """The calls whose answers `store.bodies` keeps."""
    for call, answer in zip(trial.calls, trial.answers, strict=True):
        if found.bodies == "all" or (found.bodies == "failures" and call.error_kind is not None):
            yield call, answer
