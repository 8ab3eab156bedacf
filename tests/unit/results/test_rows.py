"""Rows: every column of a table is a fact, a computed value or null, and nothing else gets in."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from benchbook.errors import RecordError
from benchbook.records import Answer, Event, ToolCall
from benchbook.results.rows import Computed, RowFacts, call_row, event_row, response_row, table, trial_row
from benchbook.results.schemas import AGENT_FIELDS, CONNECT_FIELDS, METRIC_FIELDS, TABLES, TOKEN_FIELDS

FACTS = RowFacts("r", 1_795_248_901_000_000_000, "openai", "m", streamed=True)
NONE = Computed({}, {})
COMPUTED = {name for name, _ in (*METRIC_FIELDS, *TOKEN_FIELDS)}
AGENTS = {name for name, _ in AGENT_FIELDS}
BREAKDOWN = {"model_ms", "tool_ms", "human_wait_ms", "rate_limit_wait_ms", "orchestration_ms"}


def test_rows_have_every_column_that_is_not_computed(make_trial) -> None:  # type: ignore[no-untyped-def]
    trial = make_trial(1)
    call, answer = trial.calls[0], trial.answers[0]
    computed = COMPUTED | BREAKDOWN | AGENTS | {"score", "answer_chars"}
    assert set(TABLES["trials"].names) - set(trial_row(FACTS, trial, NONE)) == computed
    assert set(TABLES["calls"].names) - set(call_row(FACTS, trial, call, NONE)) == COMPUTED | {name for name, _ in CONNECT_FIELDS}
    assert set(TABLES["responses"].names) == set(response_row(FACTS, trial, call, answer))


def test_a_trial_by_hand(make_trial) -> None:  # type: ignore[no-untyped-def]
    row = trial_row(FACTS, make_trial(1), Computed({"ttft_ms": 2.0}, {"ttft_ms": "measured"}))
    assert (row["trial_id"], row["calls"], row["cold"], row["ttft_ms"]) == ("t0001", 1, False, 2.0)
    assert row["wall_ms"] == 80e-6
    assert row["started_at"] == datetime(2026, 11, 21, 8, 15, 2, tzinfo=UTC)
    assert row["provenance"] == {"ttft_ms": "measured"}


def test_a_trial_without_calls_or_dates(make_trial) -> None:  # type: ignore[no-untyped-def]
    skipped = replace(make_trial(1), status="skipped", calls=(), answers=())
    row = trial_row(replace(FACTS, wall_offset_ns=None), skipped, NONE)
    assert (row["calls"], row["cold"], row["finish_reason"], row["started_at"]) == (0, None, None, None)


def test_offsets_count_from_the_dispatch_in_microseconds(make_trial) -> None:  # type: ignore[no-untyped-def]
    trial = make_trial(1)
    call = replace(trial.calls[0], sent_ns=trial.calls[0].chunks[0].at_ns - 1_500)
    row = call_row(FACTS, trial, call, NONE)
    assert (row["chunk_offsets_us"], row["chunk_sizes"]) == ([1, 1, 1], (5, 6, 1))
    assert row["chunk_kinds"] == ("text", "text", "tool")
    assert (row["first_output_ns"], row["first_reasoning_ns"]) == (call.chunks[0].at_ns, None)
    assert (row["first_chunk_ns"], row["last_chunk_ns"]) == (call.chunks[0].at_ns, call.chunks[-1].at_ns)
    unsent = call_row(FACTS, trial, replace(call, sent_ns=None, chunks=()), NONE)
    assert (unsent["chunk_offsets_us"], unsent["first_chunk_ns"], unsent["last_chunk_ns"]) == (None, None, None)


def test_an_answer(make_trial) -> None:  # type: ignore[no-untyped-def]
    trial = make_trial(1)
    answer = Answer("c", "hé", "hm", (ToolCall("1", "add", '{"a": 1}'),), b"\xff")
    row = response_row(FACTS, trial, trial.calls[0], answer)
    assert row["tool_calls"] == '[{"id": "1", "name": "add", "arguments": "{\\"a\\": 1}"}]'
    assert (row["text"], row["reasoning"], row["body"], row["piece_sizes"]) == ("hé", "hm", b"\xff", [])


def test_tables_are_built_in_batches() -> None:
    rows = table("scores", ({"run_id": "r", "trial_id": f"t{number}"} for number in range(3_000)))
    assert rows.schema.equals(TABLES["scores"])
    assert rows["trial_id"].to_pylist() == [f"t{number}" for number in range(3_000)]
    assert table("scores", []).num_rows == 0


def test_text_that_is_no_unicode_is_stored_all_the_same() -> None:
    half = "caf\u00e9 \ud83d"
    responses = table("responses", [{"run_id": "r", "trial_id": "t", "text": half, "reasoning": "fine"}])
    assert responses["text"].to_pylist() == ["caf\u00e9 \ufffd"]
    calls = table("calls", [{"run_id": "r", "trial_id": "t", "provenance": {"a": half}, "chunk_kinds": [half, "x"]}])
    assert calls["provenance"].to_pylist() == [[("a", "caf\u00e9 \ufffd")]]
    assert calls["chunk_kinds"].to_pylist() == [["caf\u00e9 \ufffd", "x"]]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"run_id": "r", "mood": 1}, "table scores has no column mood"),
        ({"run_id": "r", "value": "high"}, "column value can't hold its values"),
        ({"run_id": 7}, "column run_id can't hold its values"),
    ],
)
def test_what_does_not_fit_is_refused(row: dict[str, object], message: str) -> None:
    with pytest.raises(RecordError, match=message):
        table("scores", [row])


def test_an_event() -> None:
    event = Event(250, "breaker", "opened", "sim", {"value": 2, "of": "é"})
    row = event_row("r", FACTS.wall_offset_ns, event)
    assert set(row) == set(TABLES["events"].names)
    assert (row["at_ns"], row["kind"], row["target"], row["name"]) == (250, "breaker", "sim", "opened")
    assert (row["value"], row["detail"]) == (2.0, '{"value": 2, "of": "é"}')
    assert row["happened_at"] == datetime(2026, 11, 21, 8, 15, 1, tzinfo=UTC)
    assert table("events", [row]).schema.equals(TABLES["events"])


@pytest.mark.parametrize("value", [None, True, "inf"])
def test_an_event_without_a_number_or_a_date(value: object) -> None:
    row = event_row("r", None, Event(1, "load", "capped", fields={} if value is None else {"value": value}))
    assert (row["value"], row["happened_at"], row["wall_offset_ns"], row["target"]) == (None, None, None, "")
