"""Any trial survives its line; any harmed line is known for one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchbook.records import (
    CONNECT_PARTS,
    CHUNK_KINDS,
    ERROR_KINDS,
    PHASES,
    SPAN_KINDS,
    SPAN_STATUSES,
    STAMPED_BY,
    STATUSES,
    Answer,
    Call,
    Chunk,
    PlannedTrial,
    Span,
    ToolCall,
    Trial,
    Usage,
)
from benchbook.results.encoding import decode_trial, encode_trial
from benchbook.results.frame import FrameError, framed, frames_in, unframed

text = st.text(st.characters(), max_size=12)
words = st.none() | text
stamps = st.integers(-(2**40), 2**62)
tokens = st.none() | st.integers(0, 2**40)
floats = st.floats(allow_nan=False)
usages = st.builds(Usage, tokens, tokens, tokens, tokens, tokens)
chunks = st.builds(Chunk, stamps, st.integers(0, 2**31), st.sampled_from(CHUNK_KINDS))
tool_calls = st.builds(ToolCall, text, text, text)
calls = st.builds(
    Call,
    call_id=text,
    attempt=st.integers(1, 9),
    model_requested=text,
    streamed=st.booleans(),
    intended_ns=stamps,
    taken_up_ns=stamps,
    sent_ns=st.none() | stamps,
    closed_ns=stamps,
    first_byte_ns=st.none() | stamps,
    last_byte_ns=st.none() | stamps,
    chunks=st.lists(chunks, max_size=4).map(tuple),
    connect_ns=st.none() | stamps,
    connect_parts=st.dictionaries(st.sampled_from(CONNECT_PARTS), stamps),
    cold=st.booleans(),
    backoff_ns=stamps,
    http_status=st.none() | st.integers(100, 599),
    retry_after_s=st.none() | floats,
    error_kind=st.none() | st.sampled_from(sorted(ERROR_KINDS)),
    error_message=words,
    model_served=words,
    system_fingerprint=words,
    request_id=words,
    finish_reason=words,
    usage=usages,
    reported=st.dictionaries(text, floats, max_size=2),
    agent=text,
    target=text,
    span_id=words,
    stamped_by=st.sampled_from(STAMPED_BY),
)
facts = st.dictionaries(text, st.none() | st.booleans() | st.integers(-9, 9) | text | st.lists(text, max_size=2), max_size=2)
spans = st.builds(
    Span,
    span_id=text,
    parent_id=words,
    kind=st.sampled_from(SPAN_KINDS),
    name=text,
    started_ns=stamps,
    ended_ns=stamps,
    agent=text,
    status=st.sampled_from(SPAN_STATUSES),
    error=words,
    call_id=words,
    input=text,
    output=text,
    detail=facts,
)
answers = st.builds(
    Answer,
    text,
    text,
    text,
    st.lists(tool_calls, max_size=2).map(tuple),
    st.binary(max_size=20) | text.map(lambda body: body.encode(errors="replace")),
    st.lists(stamps, max_size=3).map(tuple),
    st.lists(st.integers(0, 2**31), max_size=3).map(tuple),
)
plans = st.builds(
    PlannedTrial,
    trial_id=text,
    position=st.integers(0, 2**31),
    dataset=text,
    dataset_version=text,
    test_id=text,
    category=text,
    target=text,
    workload=text,
    repetition=st.integers(0, 99),
    phase=st.sampled_from(PHASES),
    prompt_sha256=text,
    seed=st.integers(0, 2**63 - 1),
    intended_offset_ns=st.none() | stamps,
    team=text,
)
trials = st.builds(
    lambda length, **fields: Trial(ended_ns=fields["started_ns"] + length, **fields),
    st.integers(0, 2**40),
    planned=plans,
    status=st.sampled_from(STATUSES),
    intended_ns=stamps,
    started_ns=stamps,
    calls=st.lists(calls, max_size=2).map(tuple),
    answers=st.lists(answers, max_size=2).map(tuple),
    error_kind=words,
    error_message=words,
    spans=st.lists(spans, max_size=2).map(tuple),
    output=words,
    reported=st.dictionaries(text, floats, max_size=2),
    end_state=facts,
)


@settings(max_examples=150)
@given(trials)
def test_a_trial_survives_its_line(trial: Trial) -> None:
    line = framed("trial", encode_trial(trial))
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    assert decode_trial(unframed("trial", line)) == trial
    assert list(frames_in(line)) == [line]


def test_what_json_has_no_word_for(make_trial) -> None:  # type: ignore[no-untyped-def]
    trial = make_trial(1)
    call = replace(trial.calls[0], retry_after_s=float("inf"), error_message="half a pair: \ud800")
    odd = replace(trial, calls=(call,), answers=(Answer("c", "\udfff", body=b"\xff\x00"),))
    assert decode_trial(unframed("trial", framed("trial", encode_trial(odd)))) == odd


def test_fields_of_a_newer_journal_are_passed_over(make_trial) -> None:  # type: ignore[no-untyped-def]
    data = encode_trial(make_trial(2))
    data["mood"] = "good"
    data["planned"]["mood"] = data["calls"][0]["mood"] = data["answers"][0]["mood"] = 1
    assert decode_trial(data) == make_trial(2)


def test_a_trial_of_plain_calls_is_written_as_ever(make_trial) -> None:  # type: ignore[no-untyped-def]
    data = encode_trial(make_trial(2))
    assert not {"spans", "output", "reported", "end_state"} & data.keys()
    assert not {"agent", "target", "span_id", "stamped_by"} & data["calls"][0].keys()
    assert "team" not in data["planned"]


@settings(max_examples=150)
@given(st.data())
def test_no_flipped_bit_goes_unseen(data: st.DataObject) -> None:
    line = framed("trial", {"text": "ä{}\n", "n": [1, 2, 3]})
    bit = data.draw(st.integers(0, 8 * len(line) - 1))
    harmed = bytearray(line)
    harmed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(FrameError):
        unframed("trial", bytes(harmed))


@given(st.integers(0, 60))
def test_a_cut_line_is_known(size: int) -> None:
    line = framed("trial", {"text": "abc"})
    if size < len(line):
        with pytest.raises(FrameError):
            unframed("trial", line[:size])


def test_records_whose_newline_was_lost_are_found_again() -> None:
    first, second = framed("trial", {"a": '{"crc32":"'}), framed("trial", {"b": 2})
    assert list(frames_in(first[:-1] + b"\x00" + second)) == [first, second]
    assert list(frames_in(first[:-1])) == [first]
    assert list(frames_in(first[:-1] + b"\x0b")) == [first]
    assert list(frames_in(b"garbage" + second)) == [b"garbage", second]
    assert list(frames_in(b"\n")) == [b"\n"]


def test_a_document_of_another_name_is_no_record() -> None:
    with pytest.raises(FrameError, match="not a record"):
        unframed("trial", framed("content", 1))


def test_a_right_checksum_over_no_json() -> None:
    import zlib

    payload = b"{nope"
    line = b'{"crc32":"%08x","trial":%s}\n' % (zlib.crc32(payload), payload)
    with pytest.raises(FrameError, match="not JSON"):
        unframed("trial", line)
