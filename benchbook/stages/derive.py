"""From a run's journal to the rows of its tables: metrics, tokens, cost, breakdown, scores. No file is touched.

A batch of trials at a time, so that a long run's tables are built in bounded memory. Same journal, same rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from statistics import median_low

import pyarrow as pa

from benchbook.datasets import rendered_case
from benchbook.measure.agents import Work, work
from benchbook.measure.breakdown import api_spans
from benchbook.measure.cost import cost_usd, summed_usd
from benchbook.measure.provenance import MEASURED, Known, Metrics, metrics_of, missing
from benchbook.measure.timing import call_metrics, connect_metrics, trial_metrics
from benchbook.measure.trace import steps
from benchbook.measure.usage import trial_usage, usage_metrics
from benchbook.records import Answer, Call, Event, PlannedTrial, Score, Span, Target, Trial
from benchbook.results import rows
from benchbook.results.journal import JournalRun, Segment
from benchbook.results.rows import Computed, Row, RowFacts
from benchbook.runner.plan import Plan
from benchbook.runner.stored import stored_plan
from benchbook.scoring import Done, Judged, judging

BATCH = 512
_NS_PER_MS = 1_000_000
DERIVED = ("trials", "calls", "responses", "spans", "scores", "events")


_Judging = tuple[Callable[[Done], Judged | None] | None, int | None, int | None]
_UNKNOWN: _Judging = (None, None, None)


@dataclass(frozen=True, slots=True)
class Source:
    """A run's journal with what its rows need. cases: by dataset and id, what judges a trial (None: there is nothing
    to judge by), the tokens that its prompt was made to and the characters of its references; bodies: which answers are
    kept (`all`, `failures`, `none`).
    """

    run: JournalRun
    plan: Plan
    cases: Mapping[tuple[str, str], _Judging]
    bodies: str


def source(run: JournalRun, bodies: str) -> Source:
    """Read what a run's rows need from its manifest and its snapshot of the datasets."""
    plan = stored_plan(run)
    cases = {}
    for key, prompt in plan.prompts.items():
        case = rendered_case(prompt.dataset, prompt.case)
        tokens = None if case.generated is None else case.generated.prompt_tokens
        references = [len(text) for text in case.references if text.strip()]
        length = median_low(references) if references else None
        cases[key] = judging(case, prompt.dataset.defaults), tokens, length
    return Source(run, plan, cases, bodies)


def batches(found: Source, size: int = BATCH) -> Iterator[tuple[int, Mapping[str, pa.Table]]]:
    """The rows of DERIVED tables, so many trials and events at a time, and how many trials there were.

    The same journal gives the same rows, wherever batches end.
    """
    entries = found.run.entries()
    facts = _Facts(found)
    while batch := list(islice(entries, size)):
        finished = [(facts.of(segment, entry), entry) for segment, entry in batch if isinstance(entry, Trial)]
        made = _batch_rows(found, finished)
        made["events"] = [
            rows.event_row(found.run.run_id, facts.offsets_ns[segment.number], entry)
            for segment, entry in batch
            if isinstance(entry, Event)
        ]
        yield len(finished), {name: rows.table(name, part) for name, part in made.items() if part}


def _batch_rows(found: Source, batch: Sequence[tuple[RowFacts, Trial]]) -> dict[str, list[Row]]:
    made: dict[str, list[Row]] = {name: [] for name in DERIVED}
    for facts, trial in batch:
        spans, judged = trial.spans if trial.by_agents else api_spans(trial), _judged(found, trial)
        done = work(trial, spans)
        latencies = [call_metrics(call) for call in trial.calls]
        costs = [cost_usd(_target(found, trial, call).price, call.usage) for call in trial.calls]
        columns = _merged(
            trial_metrics(trial, latencies[-1] if latencies else None),
            usage_metrics(trial_usage(trial.calls)),
            done.columns,
            metrics_of({"cost_usd": summed_usd(trial.calls, costs), "score": _score(trial, judged)}),
            metrics_of({"answer_chars": _answer_chars(trial)}),
        )
        made["trials"].append(rows.trial_row(facts, trial, _with_active(columns, done)))
        made["spans"] += [_span_row(facts, trial, span, done) for span in spans]
        made["scores"] += [rows.score_row(facts.run_id, score) for score in _scores(trial, judged)]
        for call, times, cost in zip(trial.calls, latencies, costs, strict=True):
            known = metrics_of({"cost_usd": cost})
            columns = _merged(times, connect_metrics(call), usage_metrics(call.usage), known)
            made["calls"].append(rows.call_row(_of_call(found, facts, call), trial, call, columns))
        made["responses"] += [rows.response_row(facts, trial, call, answer) for call, answer in _kept(found, trial)]
    return made


def offsets_ns(sessions: Sequence[Sequence[Segment]]) -> dict[int, int | None]:
    """The offset to wall time of each segment, by its number: one for all of a session and no other session's.

    Rows tell sessions apart by it, and on a host whose clock is not slewed two may have measured the same: the later
    one's is raised by a nanosecond then, far below what an offset is good for.
    """
    found: dict[int, int | None] = {}
    for session in sessions:
        known = [one.start["wall_offset_ns"] for one in session if one.start.get("wall_offset_ns") is not None]
        offset = known[0] if known else None
        while offset is not None and offset in found.values():
            offset += 1
        found |= {one.number: offset for one in session}
    return found


class _Facts:
    """What a trial's rows say and its record does not; the same for many trials."""

    def __init__(self, found: Source) -> None:
        self._found = found
        self.offsets_ns = offsets_ns(found.run.sessions)
        self._known: dict[tuple[int, str, str, str], RowFacts] = {}

    def of(self, segment: Segment, trial: Trial) -> RowFacts:
        planned = trial.planned
        key = (segment.number, planned.target, planned.dataset, planned.test_id)
        if key not in self._known:
            self._known[key] = self._made(segment, planned)
        return self._known[key]

    def _made(self, segment: Segment, planned: PlannedTrial) -> RowFacts:
        target = self._found.plan.targets[planned.target]
        _, prompt_tokens, reference_chars = self._found.cases.get((planned.dataset, planned.test_id), _UNKNOWN)
        return RowFacts(
            run_id=self._found.run.run_id,
            wall_offset_ns=self.offsets_ns[segment.number],
            provider=target.provider,
            model=target.model,
            streamed=target.stream,
            price_date=target.price.date if target.price else None,
            prompt_tokens_asked=prompt_tokens,
            reference_chars=reference_chars,
        )


def _score(trial: Trial, judged: Judged | None) -> Known:
    if judged is not None:
        return judged.value, "derived"
    return missing("no answer to score" if trial.status != "success" else "the case has nothing to score by")


def _answer_chars(trial: Trial) -> Known:
    answer = trial.answer
    return missing("no answer") if answer is None else (len(answer), "derived")


def _scores(trial: Trial, judged: Judged | None) -> list[Score]:
    """One score a scorer."""
    parts = judged.parts if judged else ()
    return [Score(trial.planned.trial_id, part.scorer, part.value, part.passed, part.detail) for part in parts]


def _merged(*parts: Metrics) -> Computed:
    known: dict[str, Known] = {}
    for part in parts:
        known |= part.known
    return Computed(
        {name: value for name, (value, _) in known.items()}, {name: how for name, (_, how) in known.items()}
    )


def _judged(found: Source, trial: Trial) -> Judged | None:
    """What a successful trial's scorers make of it, None where there is no answer or nothing to judge by."""
    answer = trial.answer if trial.status == "success" else None
    judge = found.cases.get((trial.planned.dataset, trial.planned.test_id), _UNKNOWN)[0]
    if answer is None or judge is None:
        return None
    return judge(Done(answer, trial.planned.workload, steps(trial.spans), trial.end_state))


def _target(found: Source, trial: Trial, call: Call) -> Target:
    """Whom a call asked: a team's members may have targets of their own."""
    return found.plan.targets[call.target or trial.planned.target]


def _span_row(facts: RowFacts, trial: Trial, span: Span, done: Work) -> Row:
    own, critical = done.own_ns.get(span.span_id), done.critical_ns.get(span.span_id)
    return rows.span_row(facts.run_id, trial.planned.trial_id, span, own, critical)


def _with_active(columns: Computed, done: Work) -> Computed:
    if not done.active_ns:  # for the reason that there is no handoff: no agent, or a contradiction
        why = columns.provenance["handoff_ms"]
        return Computed(columns.values, {**columns.provenance, "agent_active_ms": why})
    active = {agent: time_ns / _NS_PER_MS for agent, time_ns in done.active_ns.items()}
    return Computed({**columns.values, "agent_active_ms": active}, {**columns.provenance, "agent_active_ms": MEASURED})


def _of_call(found: Source, facts: RowFacts, call: Call) -> RowFacts:
    return replace(facts, provider=found.plan.targets[call.target].provider) if call.target else facts


def _kept(found: Source, trial: Trial) -> Iterator[tuple[Call, Answer]]:
    """The calls whose answers `store.bodies` keeps."""
    for call, answer in zip(trial.calls, trial.answers, strict=True):
        if found.bodies == "all" or (found.bodies == "failures" and call.error_kind is not None):
            yield call, answer
