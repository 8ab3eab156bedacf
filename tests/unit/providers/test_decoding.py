"""From stamped bytes to facts: which stamp a chunk takes, what counts as which failure, how slices are paced."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchbook.providers.calls import Asked, RawCall
from benchbook.providers.decoding import Decoding, decode
from benchbook.providers.gathering import Gathering, merged
from benchbook.providers.http import Exchange
from benchbook.records import Call, Chunk, ToolCall, Usage
from benchbook.wire import events, wire

SSE = {"content-type": "text/event-stream"}
JSON = {"content-type": "application/json"}


def delta(**fields: object) -> bytes:
    return b"data: " + orjson.dumps({"id": "a", "model": "m-1", "choices": [{"index": 0, "delta": fields}]}) + b"\n\n"


FINISH = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\n'
DONE = b"data: [DONE]\n\n"
STREAM = [delta(role="assistant", content=""), delta(content="Hi "), delta(content="\u00fc!"), FINISH, USAGE, DONE]
WHOLE = orjson.dumps(
    {
        "id": "a",
        "model": "m-1",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi!"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2},
    }
)


def raw(
    *pieces: bytes, streamed: bool = True, secrets: tuple[str, ...] = (), wire_name: str = "openai_chat", **more: object
) -> RawCall:
    """A call whose n-th piece (from 1) arrived at n x 100 ns."""
    stamps = [100 * number for number in range(1, len(pieces) + 1)]
    last = stamps[-1] if stamps else None
    facts: dict[str, object] = {
        "closed_ns": (last or 0) + 50,
        "sent_ns": 10,
        "first_byte_ns": stamps[0] if stamps else None,
        "last_byte_ns": last,
        "status": 200,
        "headers": SSE if streamed else JSON,
        "piece_at_ns": stamps,
        "piece_bodies": pieces,
    }
    exchange = Exchange(**{**facts, **more})  # type: ignore[arg-type]
    asked = Asked("c-1", 1, intended_ns=0, taken_up_ns=5, deadline_ns=10**12)
    return RawCall(asked, "m", streamed, exchange, wire(wire_name), secrets)


def call_of(*pieces: bytes, streamed: bool = True, **more: object) -> Call:
    return decode(raw(*pieces, streamed=streamed, **more))[0]  # type: ignore[arg-type]


def said(call: Call) -> tuple[str | None, str]:
    return call.error_kind, call.error_message or ""


# ---------------------------------------------------------------- answers that are whole


def test_a_stream_becomes_a_call_and_an_answer() -> None:
    call, answer = decode(raw(*STREAM, headers={**SSE, "x-request-id": "r-1"}))
    assert call.error_kind is None
    assert call.chunks == (Chunk(200, 3, "text"), Chunk(300, 3, "text"))
    assert (call.finish_reason, call.usage, call.model_served) == ("stop", Usage(input=3, output=2), "m-1")
    assert (call.request_id, call.http_status, call.attempt, call.call_id) == ("r-1", 200, 1, "c-1")
    assert (call.intended_ns, call.taken_up_ns, call.sent_ns, call.closed_ns) == (0, 5, 10, 650)
    assert (answer.text, answer.body) == ("Hi \u00fc!", b"".join(STREAM))
    assert answer.piece_at_ns == (100, 200, 300, 400, 500, 600)
    assert sum(answer.piece_sizes) == len(answer.body)


def test_events_of_one_piece_share_its_stamp_and_a_cut_event_takes_the_stamp_that_completes_it() -> None:
    body = b"".join(STREAM)
    middle = body.index(b"Hi ") + 1
    assert [chunk.at_ns for chunk in call_of(body).chunks] == [100, 100]
    assert [chunk.at_ns for chunk in call_of(body[:middle], body[middle:]).chunks] == [200, 200]


@given(st.lists(st.integers(1, sum(map(len, STREAM)) - 1), max_size=12).map(sorted), st.integers(1, 3))
def test_cuts_change_no_text_and_stamps_never_go_back(cuts: list[int], budget_ns: int) -> None:
    body = b"".join(STREAM)
    pieces = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    decoding = Decoding(raw(*pieces))
    while not decoding.step(budget_ns):
        pass
    call, answer = decoding.result
    assert (answer.text, call.error_kind, [chunk.size for chunk in call.chunks]) == ("Hi \u00fc!", None, [3, 3])
    stamps = [
        call.sent_ns,
        call.first_byte_ns,
        *(chunk.at_ns for chunk in call.chunks),
        call.last_byte_ns,
        call.closed_ns,
    ]
    assert stamps == sorted(stamps, key=lambda stamp: stamp or 0)


def test_pieces_of_one_segment_are_one_piece_in_the_answer() -> None:
    _, answer = decode(raw(STREAM[0], STREAM[1], b"".join(STREAM[2:]), piece_at_ns=[100, 100, 200]))
    assert answer.piece_at_ns == (100, 200)
    assert answer.piece_sizes == (len(STREAM[0] + STREAM[1]), len(b"".join(STREAM[2:])))


def test_an_answer_that_is_not_streamed_has_no_chunks() -> None:
    call, answer = decode(raw(WHOLE[:40], WHOLE[40:], streamed=False))
    assert (call.error_kind, call.chunks, call.last_byte_ns) == (None, (), 200)
    assert (answer.text, call.usage.output) == ("Hi!", 2)


def test_tool_calls_and_reasoning_are_content() -> None:
    started = {"index": 0, "id": "t-1", "function": {"name": "look", "arguments": ""}}
    arguments = {"index": 0, "function": {"arguments": '{"a":1}'}}
    call, answer = decode(
        raw(delta(reasoning_content="hm"), delta(tool_calls=[started]), delta(tool_calls=[arguments]), FINISH, DONE)
    )
    assert call.error_kind is None
    assert [chunk.kind for chunk in call.chunks] == ["reasoning", "tool"]
    assert answer.tool_calls == (ToolCall("t-1", "look", '{"a":1}'),)
    assert answer.reasoning == "hm"


def test_a_tool_call_without_arguments_is_an_answer() -> None:
    started = {"index": 0, "id": "t-1", "function": {"name": "look", "arguments": ""}}
    call, answer = decode(raw(delta(tool_calls=[started]), FINISH, DONE))
    assert (call.error_kind, call.chunks) == (None, ())
    assert answer.tool_calls == (ToolCall("t-1", "look", ""),)


def test_usage_reported_in_parts_adds_up_by_field() -> None:
    gathering = Gathering(streamed=True)
    gathering.take(events.UsageReported(Usage(input=5, output=1)), 1)
    gathering.take(events.UsageReported(Usage(output=7, reasoning=2)), 2)
    assert gathering.usage == Usage(input=5, output=7, reasoning=2)
    assert merged(Usage(cached=1), Usage()) == Usage(cached=1)


def test_what_a_server_says_of_itself_is_kept() -> None:
    gathering = Gathering(streamed=True)
    gathering.take(events.Started(model="m", system_fingerprint="fp"), 1)
    gathering.take(events.Started(), 2)
    gathering.take(events.TimingReported({"load_ms": 1.0}), 3)
    gathering.take(events.TimingReported({"eval_ms": 2.0}), 3)
    gathering.take(events.Ping(), 4)
    gathering.take(events.ToolCallDelta(0, "{}"), 5)
    assert (gathering.model, gathering.system_fingerprint) == ("m", "fp")
    assert gathering.reported == {"load_ms": 1.0, "eval_ms": 2.0}
    assert gathering.tool_calls == (ToolCall("", "", "{}"),)


# ---------------------------------------------------------------- answers that are not


@pytest.mark.parametrize(
    ("pieces", "more", "kind", "says"),
    [
        (STREAM[:3], {}, "truncated", "without its closing event"),
        ([], {}, "truncated", "without its closing event"),
        ([b": ping\n\n"], {}, "truncated", "without its closing event"),
        ([STREAM[0], FINISH, DONE], {}, "empty", "finish reason stop"),
        ([DONE], {}, "empty", "without content"),
        ([STREAM[1], b"data: {nope\n\n"], {}, "protocol", ""),
        ([WHOLE], {"headers": JSON}, "protocol", "a stream was asked for"),
        ([b"<html>hi</html>"], {"headers": {"content-type": "text/html; charset=utf-8"}}, "protocol", "text/html"),
        ([b"\x1f\x8b"], {"headers": {**SSE, "content-encoding": "gzip"}}, "protocol", "gzip-coded"),
        (
            [STREAM[1], b'data: {"error":{"type":"overloaded_error","message":"busy"}}\n\n'],
            {},
            "stream_error",
            "overloaded_error: busy",
        ),
        (STREAM[:2], {"error_kind": "reset", "error_message": "the connection broke"}, "reset", "the connection broke"),
        (STREAM[:2], {"error_kind": "timeout", "error_message": "time was up"}, "timeout", "time was up"),
        ([STREAM[1][:-9]], {"error_kind": "truncated", "error_message": "closed"}, "truncated", "closed"),
        ([], {"status": None, "sent_ns": None, "error_kind": "refused", "error_message": "no"}, "refused", "no"),
    ],
)
def test_what_makes_a_stream_a_failure(pieces: list[bytes], more: dict[str, object], kind: str, says: str) -> None:
    call = call_of(*pieces, **more)
    assert call.error_kind == kind
    assert says in (call.error_message or "")


def test_partial_chunks_survive_every_failure() -> None:
    for more in ({}, {"error_kind": "reset", "error_message": "x"}, {"error_kind": "timeout", "error_message": "x"}):
        call, answer = decode(raw(*STREAM[:3], **more))  # type: ignore[arg-type]
        assert call.error_kind is not None
        assert [chunk.at_ns for chunk in call.chunks] == [200, 300]
        assert (answer.text, call.model_served) == ("Hi \u00fc!", "m-1")


def test_an_error_in_the_stream_says_more_than_the_cut_behind_it() -> None:
    error = b'data: {"error":{"type":"server_error","message":"oops"}}\n\n'
    assert said(call_of(STREAM[1], error, error_kind="reset", error_message="x")) == (
        "stream_error",
        "server_error: oops",
    )
    assert call_of(STREAM[1], error, error_kind="timeout", error_message="x").error_kind == "timeout"


def test_broken_json_of_a_whole_answer() -> None:
    assert call_of(WHOLE[:30], streamed=False).error_kind == "protocol"
    cut = call_of(WHOLE[:30], streamed=False, error_kind="truncated", error_message="closed")
    assert said(cut) == ("truncated", "closed")


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (400, b'{"error":{"type":"bad","message":"no such field"}}', "bad_request", "HTTP 400: bad: no such field"),
        (429, b'{"error":{"type":"slow","message":"later"}}', "rate_limited", "HTTP 429: slow: later"),
        (500, b"", "server_error", "HTTP 500: server_error"),
        (
            502,
            b"<html><head><title>Bad gateway</title></head><body>oh</body></html>",
            "server_error",
            "HTTP 502: Bad gateway oh",
        ),
        (302, b"", "http_error", "HTTP 302"),
    ],
)
def test_refusals(status: int, body: bytes, kind: str, message: str) -> None:
    call, answer = decode(raw(body, status=status, headers={**JSON, "retry-after": "2"}))
    assert said(call) == (kind, message)
    assert (call.http_status, call.retry_after_s, call.chunks) == (status, 2.0, ())
    assert answer.body == body


def test_a_refusal_whose_body_breaks_is_still_that_refusal() -> None:
    call = call_of(b'{"error"', status=503, headers=JSON, error_kind="truncated", error_message="closed")
    assert call.error_kind == "overloaded"
    late = call_of(b'{"error"', status=503, headers=JSON, error_kind="timeout", error_message="time was up")
    assert said(late) == ("timeout", "time was up")


def test_retry_after_as_a_date_counts_from_the_time_given() -> None:
    headers = {**JSON, "retry-after": "Sat, 21 Nov 2026 08:00:30 GMT"}
    now = datetime(2026, 11, 21, 8, 0, 0, tzinfo=UTC)
    assert Decoding(raw(b"{}", status=503, headers=headers), now).result[0].retry_after_s == 30.0
    assert decode(raw(b"{}", status=503, headers=headers))[0].retry_after_s is not None
    assert call_of(*STREAM, headers={**SSE, "retry-after": "5"}).retry_after_s is None


def test_no_secret_gets_into_a_message_a_text_or_a_body() -> None:
    secret = "verysecret-12345"
    refused = raw(b'{"error":{"message":"bad key verysecret-12345"}}', status=401, headers=JSON, secrets=(secret,))
    call, answer = decode(refused)
    assert said(call)[1] == "HTTP 401: invalid_api_key: bad key [key]"
    assert b"verysecret" not in answer.body
    assert len(answer.body) == sum(answer.piece_sizes)
    echoed, answer = decode(raw(delta(content="verysecret"), delta(content="-12345"), DONE, secrets=(secret,)))
    assert (echoed.error_kind, answer.text) == (None, "[key]")


def test_long_messages_are_cut_to_one_line() -> None:
    call = call_of(error_kind="protocol", error_message="a\nb " * 1000, status=None)
    assert "\n" not in said(call)[1]
    assert len(said(call)[1]) <= 500


# ---------------------------------------------------------------- pacing


def test_one_large_piece_is_decoded_in_many_slices() -> None:
    pieces = [b"".join([delta(content="x" * 10)] * 2000), DONE]
    decoding = Decoding(raw(*pieces))
    steps = 1
    while not decoding.step(budget_ns=0):
        steps += 1
    assert steps >= 2000 // 64
    assert len(decoding.result[0].chunks) == 2000
    assert decoding.step(0)


def test_a_generous_budget_needs_one_step() -> None:
    assert Decoding(raw(*STREAM)).step(10**12)


def test_the_result_can_be_had_without_stepping() -> None:
    assert Decoding(raw(*STREAM)).result == decode(raw(*STREAM))


@pytest.mark.parametrize("wire_name", ["anthropic_messages", "bedrock_converse", "bedrock_invoke", "ollama_chat"])
def test_every_wire_tells_a_cut_stream_from_a_whole_one(wire_name: str) -> None:
    assert call_of(wire_name=wire_name).error_kind == "truncated"
