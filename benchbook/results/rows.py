"""Records and computed numbers as rows of the stored tables.

What is computed (metrics, tokens, cost, breakdown, score) comes in as values by column, with its provenance:
this room stores numbers and computes none. Offsets of chunks and pieces are whole microseconds since the call
was sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, islice
from typing import Any

import pyarrow as pa

from benchbook.clock import utc
from benchbook.errors import RecordError
from benchbook.records import Answer, Call, Check, Event, Score, Span, Trial
from benchbook.results.schemas import TABLES

Row = dict[str, Any]

_NS_PER_MS = 1_000_000
_NS_PER_US = 1_000
_BATCH = 1_024


@dataclass(frozen=True, slots=True)
class RowFacts:
    """What a trial's rows say and its record does not: of the run, the session and the target.

    wall_offset_ns: of the session that took the stamps; None where its facts are lost.
    """

    run_id: str
    wall_offset_ns: int | None
    provider: str
    model: str
    streamed: bool
    price_date: str | None = None
    prompt_tokens_asked: int | None = None
    reference_chars: int | None = None


@dataclass(frozen=True, slots=True)
class Computed:
    """Computed columns of a row, and how each was obtained."""

    values: Mapping[str, Any]
    provenance: Mapping[str, str]


def trial_row(facts: RowFacts, trial: Trial, computed: Computed) -> Row:
    """A row of `trials`."""
    planned, last = trial.planned, trial.calls[-1] if trial.calls else None
    return {
        "run_id": facts.run_id,
        "trial_id": planned.trial_id,
        "dataset": planned.dataset,
        "dataset_version": planned.dataset_version,
        "test_id": planned.test_id,
        "category": planned.category,
        "target": planned.target,
        "provider": facts.provider,
        "model": facts.model,
        "workload": planned.workload,
        "team": planned.team,
        "streamed": facts.streamed,
        "repetition": planned.repetition,
        "position": planned.position,
        "block": planned.block,
        "block_place": planned.block_place,
        "phase": planned.phase,
        "prompt_sha256": planned.prompt_sha256,
        "prompt_tokens_asked": facts.prompt_tokens_asked,
        "seed": planned.seed,
        "intended_ns": trial.intended_ns,
        "started_ns": trial.started_ns,
        "ended_ns": trial.ended_ns,
        "wall_offset_ns": facts.wall_offset_ns,
        "started_at": None if facts.wall_offset_ns is None else utc(trial.started_ns + facts.wall_offset_ns),
        "status": trial.status,
        "error_kind": trial.error_kind,
        "error_message": trial.error_message,
        "calls": len(trial.calls),
        "cold": None if last is None else last.cold,
        "wall_ms": (trial.ended_ns - trial.started_ns) / _NS_PER_MS,
        "price_date": facts.price_date,
        "finish_reason": None if last is None else last.finish_reason,
        "end_state": _json(trial.end_state),
        "reference_chars": facts.reference_chars,
        **computed.values,
        "provenance": computed.provenance,
    }


def call_row(facts: RowFacts, trial: Trial, call: Call, computed: Computed) -> Row:
    """A row of `calls`."""
    chunks = call.columns
    return {
        "run_id": facts.run_id,
        "trial_id": trial.planned.trial_id,
        "call_id": call.call_id,
        "turn": call.turn,
        "attempt": call.attempt,
        "span_id": call.span_id or call.call_id,
        "agent": call.agent,
        "stamped_by": call.stamped_by,
        "target": call.target or trial.planned.target,
        "provider": facts.provider,
        "phase": trial.planned.phase,
        "model_requested": call.model_requested,
        "model_served": call.model_served,
        "streamed": call.streamed,
        "intended_ns": call.intended_ns,
        "taken_up_ns": call.taken_up_ns,
        "sent_ns": call.sent_ns,
        "first_byte_ns": call.first_byte_ns,
        "first_chunk_ns": chunks.at_ns[0] if chunks else None,
        "first_reasoning_ns": chunks.first_ns("reasoning"),
        "first_output_ns": chunks.first_ns("text"),
        "last_chunk_ns": chunks.at_ns[-1] if chunks else None,
        "last_byte_ns": call.last_byte_ns,
        "closed_ns": call.closed_ns,
        "wall_offset_ns": facts.wall_offset_ns,
        "cold": call.cold,
        "backoff_ms": call.backoff_ns / _NS_PER_MS,
        "http_status": call.http_status,
        "error_kind": call.error_kind,
        "error_message": call.error_message,
        "retry_after_s": call.retry_after_s,
        "request_id": call.request_id,
        "chunk_offsets_us": _offsets_us(call, chunks.at_ns),
        "chunk_sizes": chunks.sizes,
        "chunk_kinds": chunks.kinds,
        "finish_reason": call.finish_reason,
        "system_fingerprint": call.system_fingerprint,
        "reported": call.reported,
        **computed.values,
        "provenance": computed.provenance,
    }


def response_row(facts: RowFacts, trial: Trial, call: Call, answer: Answer) -> Row:
    """A row of `responses`: what the call brought back. `tool_calls` is JSON text."""
    tool_calls = [{"id": tool.id, "name": tool.name, "arguments": tool.arguments} for tool in answer.tool_calls]
    return {
        "run_id": facts.run_id,
        "trial_id": trial.planned.trial_id,
        "call_id": call.call_id,
        "turn": call.turn,
        "attempt": call.attempt,
        "text": answer.text,
        "reasoning": answer.reasoning,
        "tool_calls": json.dumps(tool_calls, ensure_ascii=False),
        "body": answer.body,
        "piece_offsets_us": _offsets_us(call, answer.piece_at_ns),
        "piece_sizes": list(answer.piece_sizes),
    }


def span_row(run_id: str, trial_id: str, span: Span, own_ns: int | None = None, critical_ns: int | None = None) -> Row:
    """A row of `spans`; own_ns and critical_ns: None where the span covers no time."""
    return {
        "run_id": run_id,
        "trial_id": trial_id,
        "span_id": span.span_id,
        "parent_id": span.parent_id,
        "kind": span.kind,
        "name": span.name,
        "agent": span.agent,
        "status": span.status,
        "error": span.error,
        "call_id": span.call_id,
        "started_ns": span.started_ns,
        "ended_ns": span.ended_ns,
        "duration_ms": (span.ended_ns - span.started_ns) / _NS_PER_MS,
        "own_ms": None if own_ns is None else own_ns / _NS_PER_MS,
        "critical_ms": None if critical_ns is None else critical_ns / _NS_PER_MS,
        "input": span.input,
        "output": span.output,
        "detail": _json(span.detail),
    }


def score_row(run_id: str, score: Score) -> Row:
    """A row of `scores`."""
    return {"run_id": run_id, **{name: getattr(score, name) for name in Score.__slots__}}


def check_row(run_id: str, check: Check) -> Row:
    """A row of `checks`."""
    return {"run_id": run_id, **{name: getattr(check, name) for name in Check.__slots__}}


def event_row(run_id: str, wall_offset_ns: int | None, event: Event) -> Row:
    """A row of `events`. `value` is the event's field of that name where it is a number; `detail` all fields as JSON."""
    value = event.fields.get("value")
    return {
        "run_id": run_id,
        "wall_offset_ns": wall_offset_ns,
        "at_ns": event.at_ns,
        "happened_at": None if wall_offset_ns is None else utc(event.at_ns + wall_offset_ns),
        "kind": event.kind,
        "target": event.target,
        "name": event.name,
        "value": float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None,
        "detail": json.dumps(dict(event.fields), ensure_ascii=False),
    }


def table(name: str, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """The rows as a table of this name, built in batches. Raises RecordError for a column that it does not have.

    A column that a row leaves out is null. Text that is no Unicode (half a surrogate pair) is stored as U+FFFD.
    """
    schema = TABLES[name]
    source = iter(rows)
    batches = []
    while batch := list(islice(source, _BATCH)):
        batches.append(_batch(name, schema, batch))
    return pa.Table.from_batches(batches, schema=schema)


def _batch(name: str, schema: pa.Schema, rows: Sequence[Mapping[str, Any]]) -> pa.RecordBatch:
    names = frozenset(schema.names)
    if unknown := {name for row in rows if not row.keys() <= names for name in row.keys() - names}:
        raise RecordError(f"table {name} has no column {', '.join(sorted(unknown))}")
    columns = [_column(field, [row.get(field.name) for row in rows]) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _column(field: pa.Field, values: list[Any]) -> pa.Array:
    try:
        if pa.types.is_map(field.type):
            return _maps(field.type, values)
        if pa.types.is_list(field.type):
            return _lists(field.type, values)
        return pa.array(values, field.type)
    except UnicodeEncodeError:
        return _column(field, [_unicode(value) for value in values])
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, TypeError) as error:
        raise RecordError(f"column {field.name} can't hold its values ({error})") from None


def _maps(kind: pa.DataType, values: list[Any]) -> pa.Array:
    """Many rows hold the same few maps: each is made once."""
    places: dict[Any, int] = {}
    rows = [places.setdefault(None if value is None else tuple(value.items()), len(places)) for value in values]
    distinct = [None if pairs is None else sorted(pairs) for pairs in places]
    return pa.array(distinct, kind).take(pa.array(rows, pa.int64()))


def _lists(kind: pa.DataType, values: list[Any]) -> pa.Array:
    """All elements at once: several times faster than a list at a time."""
    ends = accumulate((0 if value is None else len(value) for value in values), initial=0)
    starts = [None if value is None else start for value, start in zip(values, ends, strict=False)]
    elements = pa.array(list(chain.from_iterable(value for value in values if value is not None)), kind.value_type)
    return pa.ListArray.from_arrays(pa.array([*starts, len(elements)], pa.int32()), elements, kind)


def _unicode(value: Any) -> Any:
    """The value with every text in it made storable."""
    if isinstance(value, str):
        return "".join("\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in value)
    if isinstance(value, Mapping):
        return {_unicode(name): _unicode(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_unicode(item) for item in value)
    return value


def _json(facts: Mapping[str, Any]) -> str:
    """The facts as a JSON object."""
    return json.dumps(dict(facts), ensure_ascii=False, default=str) if facts else "{}"


def _offsets_us(call: Call, stamps: Iterable[int]) -> list[int] | None:
    sent_ns = call.sent_ns
    return None if sent_ns is None else [(stamp - sent_ns) // _NS_PER_US for stamp in stamps]
