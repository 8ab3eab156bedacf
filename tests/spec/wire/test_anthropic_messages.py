"""Anthropic's Messages as a table of bytes and events."""

from __future__ import annotations

import pytest

from benchbook.errors import WireError
from benchbook.records import Message, ModelRequest, Params, ToolCall, Usage
from benchbook.wire import anthropic_messages
from benchbook.wire.events import (
    Ended,
    Failed,
    Finished,
    Ping,
    ReasoningDelta,
    Started,
    TextDelta,
    TimingReported,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)


def named(*objects: str) -> bytes:
    """Objects as events; the name is the object's type, which stands first."""
    return "".join(f"event: {line.split(chr(34))[3]}\ndata: {line}\n\n" for line in objects).encode()


def start(usage: str) -> str:
    return (
        '{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],'
        f'"stop_sequence":null,"stop_reason":null,"usage":{usage}}}}}'
    )


def block(index: int, content: str) -> str:
    return f'{{"type":"content_block_start","index":{index},"content_block":{content}}}'


def delta(index: int, content: str) -> str:
    return f'{{"type":"content_block_delta","index":{index},"delta":{content}}}'


def stop(index: int) -> str:
    return f'{{"type":"content_block_stop","index":{index}}}'


def message_delta(reason: str, usage: str = "") -> str:
    return f'{{"type":"message_delta","delta":{{"stop_reason":{reason},"stop_sequence":null}}{usage}}}'


STARTED = Started("msg_1", "m")
UNTOLD = start('{"input_tokens":0,"output_tokens":0}')
USAGE = Usage(input=15, cached=8, cache_write=2, output=7, reasoning=3)
COUNTS = '"input_tokens":5,"cache_creation_input_tokens":2,"cache_read_input_tokens":8'
COUNTED = f',"usage":{{{COUNTS},"output_tokens":7,"output_tokens_details":{{"thinking_tokens":3}}}}'
END = '{"type":"message_stop"}'
TEXT_BLOCK = '{"type":"text","text":""}'

STREAMED = {
    "text with usage": (
        [STARTED, TextDelta("Grüß "), Ping(), TextDelta("🎉"), Finished("stop"), UsageReported(USAGE), Ended()],
        named(
            UNTOLD,
            block(0, TEXT_BLOCK),
            delta(0, '{"type":"text_delta","text":"Grüß "}'),
            '{"type":"ping"}',
            delta(0, '{"type":"text_delta","text":"🎉"}'),
            stop(0),
            message_delta('"end_turn"', COUNTED),
            END,
        ),
    ),
    "thinking, text, two tools, no usage": (
        [
            STARTED,
            ReasoningDelta("hm"),
            TextDelta("so"),
            ToolCallStarted(0, "t1", "add"),
            ToolCallDelta(0, '{"a":'),
            ToolCallDelta(0, "1}"),
            ToolCallStarted(1, "t2", "now"),
            Finished("tool_calls"),
            Ended(),
        ],
        named(
            UNTOLD,
            block(0, '{"type":"thinking","thinking":"","signature":""}'),
            delta(0, '{"type":"thinking_delta","thinking":"hm"}'),
            stop(0),
            block(1, TEXT_BLOCK),
            delta(1, '{"type":"text_delta","text":"so"}'),
            stop(1),
            block(2, '{"type":"tool_use","id":"t1","name":"add","input":{}}'),
            delta(2, '{"type":"input_json_delta","partial_json":"{\\"a\\":"}'),
            delta(2, '{"type":"input_json_delta","partial_json":"1}"}'),
            stop(2),
            block(3, '{"type":"tool_use","id":"t2","name":"now","input":{}}'),
            stop(3),
            message_delta('"tool_use"'),
            END,
        ),
    ),
    "an error in the middle": (
        [STARTED, TextDelta("a"), Failed("overloaded_error", "Overloaded")],
        named(
            UNTOLD,
            block(0, TEXT_BLOCK),
            delta(0, '{"type":"text_delta","text":"a"}'),
            '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
        ),
    ),
    "nothing said, counts without a reason": (
        [STARTED, UsageReported(Usage(output=1)), Ended()],
        named(UNTOLD, message_delta("null", ',"usage":{"output_tokens":1}'), END),
    ),
}

WHOLE_HEAD = '{"id":"msg_1","type":"message","role":"assistant","model":"m","content":'
WHOLE = {
    "thinking, text, tools": (
        [
            STARTED,
            ReasoningDelta("hm"),
            TextDelta("🎉"),
            ToolCallStarted(0, "t1", "add"),
            ToolCallDelta(0, '{"a":1}'),
            ToolCallStarted(1, "t2", "now"),
            Finished("tool_calls"),
            UsageReported(USAGE),
            Ended(),
        ],
        WHOLE_HEAD
        + '[{"type":"thinking","thinking":"hm","signature":""},{"type":"text","text":"🎉"},'
        + '{"type":"tool_use","id":"t1","name":"add","input":{"a":1}},'
        + '{"type":"tool_use","id":"t2","name":"now","input":{}}],"stop_sequence":null,"stop_reason":"tool_use"'
        + COUNTED
        + "}",
    ),
    "nothing": ([STARTED, Ended()], WHOLE_HEAD + '[],"stop_sequence":null,"stop_reason":null}'),
    "an error": (
        [Failed("api_error", "no")],
        '{"type":"error","error":{"type":"api_error","message":"no"}}',
    ),
}

FOREIGN = {
    "counts at the start stand where the end tells none; unknown kinds, signatures and redacted thinking say nothing": (
        named(
            start(
                '{"input_tokens":4,"cache_read_input_tokens":0,"output_tokens":1,'
                '"output_tokens_details":{"thinking_tokens":1},"service_tier":"standard"}'
            ),
            block(0, '{"type":"thinking","thinking":"a"}'),
            delta(0, '{"type":"thinking_delta","thinking":""}'),
            delta(0, '{"type":"signature_delta","signature":"xyz"}'),
            block(1, '{"type":"redacted_thinking","data":"xyz"}'),
            block(2, '{"type":"server_tool_use","id":"s","name":"web_search","input":{}}'),
            delta(2, '{"type":"input_json_delta","partial_json":"{}"}'),
            block(3, '{"type":"tool_use","id":"t","name":"f","input":{"x":1}}'),
            delta(3, '{"type":"input_json_delta","partial_json":""}'),
            block(4, '{"type":"text","text":"b"}'),
            '{"type":"message_limit","x":1}',
            message_delta('"pause_turn"', ',"usage":{"output_tokens":9,"input_tokens":null}'),
            message_delta("null", ',"usage":{"output_tokens":10}'),
            END,
        )
        + b"\n\r\n",
        [
            STARTED,
            UsageReported(Usage(input=4, cached=0)),
            ReasoningDelta("a"),
            ToolCallStarted(0, "t", "f"),
            ToolCallDelta(0, '{"x":1}'),
            TextDelta("b"),
            Finished("pause_turn"),
            UsageReported(Usage(input=4, cached=0, output=9)),
            UsageReported(Usage(input=4, cached=0, output=10)),
            Ended(),
        ],
    ),
    "a comment, then an end that is cut off": (
        b": hello\n\n" + named(UNTOLD) + b'event: message_stop\ndata: {"type":"message_stop"}\n',
        [Ping(), STARTED],
    ),
    "an error without a shape": (named('{"type":"error","error":{}}'), [Failed("error", "")]),
}


@pytest.mark.parametrize("row", STREAMED)
def test_a_stream_in_both_directions(laws, row):
    events, body = STREAMED[row]
    laws("anthropic_messages", "m").both_ways(body, events, stream=True)


@pytest.mark.parametrize("row", WHOLE)
def test_a_whole_answer_in_both_directions(laws, row):
    events, body = WHOLE[row]
    laws("anthropic_messages", "m").both_ways(body.encode(), events, stream=False)


@pytest.mark.parametrize("row", FOREIGN)
def test_what_other_servers_stream(laws, row):
    body, events = FOREIGN[row]
    laws("anthropic_messages").reads(body, events, stream=True)


def test_counts_told_before_the_start_stand_there_and_at_the_end(laws):
    told = [UsageReported(USAGE), STARTED, TextDelta("a"), Finished("stop"), Ended()]
    body = laws("anthropic_messages", "m").written(told, stream=True)
    assert body.startswith(named(start(f'{{{COUNTS},"output_tokens":0}}')))
    laws("anthropic_messages").reads(
        body,
        [
            STARTED,
            UsageReported(Usage(input=15, cached=8, cache_write=2)),
            TextDelta("a"),
            Finished("stop"),
            UsageReported(USAGE),
            Ended(),
        ],
        stream=True,
    )


def test_what_has_no_place_on_the_wire_writes_nothing(laws):
    assert laws("anthropic_messages").written([TimingReported({"latency_ms": 1.0})], stream=True) == b""


def test_empty_deltas_are_written_and_say_nothing(laws):
    body = laws("anthropic_messages").written([STARTED, TextDelta(""), Ended()], stream=True)
    assert b'"text_delta","text":""' in body
    laws("anthropic_messages").reads(body, [STARTED, Ended()], stream=True)


def test_input_for_a_block_that_has_not_started_is_a_wire_error(laws):
    body = named(UNTOLD, delta(0, '{"type":"input_json_delta","partial_json":"{}"}'))
    with pytest.raises(WireError, match="not started"):
        laws("anthropic_messages").read([body], stream=True)


REQUEST = (
    b'{"model":"m","stream":true,"max_tokens":1024,"system":"be brief","messages":[{"role":"user","content":"hi"},'
    b'{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{"a":1}}]},'
    b'{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"7"},{"type":"text","text":"so?"}]}'
    b"],"
    b'"temperature":0.0,"stop_sequences":["x"],"top_k":3}'
)
MESSAGES = (
    Message("user", "hi"),
    Message("assistant", "", (ToolCall("t", "f", '{"a":1}'),)),
    Message("tool", "7", tool_call_id="t"),
    Message("user", "so?"),
)


def test_a_request_in_both_directions():
    params = Params(temperature=0.0, max_tokens=1024, stop=("x",), extra={"top_k": 3})
    request = ModelRequest("m", MESSAGES, "be brief", params)
    sent = anthropic_messages.encode_request(request)
    assert (sent.path, sent.body, dict(sent.headers)) == ("/v1/messages", REQUEST, {"anthropic-version": "2023-06-01"})
    assert anthropic_messages.decode_request("/anthropic/v1/messages?beta=true", REQUEST) == request


def test_max_tokens_is_1024_where_none_is_asked_for():
    body = anthropic_messages.encode_request(ModelRequest("m", MESSAGES[:1])).body
    assert anthropic_messages.decode_request("/v1/messages", body).params == Params(max_tokens=1024)


def test_a_request_as_other_clients_write_it():
    body = (
        b'{"model":"m","max_tokens":1,"system":[{"type":"text","text":"be "},{"type":"text","text":"brief"}],'
        b'"messages":[{"role":"user","content":[{"type":"image"},{"type":"text","text":"hi"}]},{"role":"user","content":'
        b'[{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"7"}]}]}]}'
    )
    messages = (Message("user", "hi"), Message("tool", "7", tool_call_id="t"))
    request = anthropic_messages.decode_request("/v1/messages", body)
    assert request == ModelRequest("m", messages, "be brief", Params(max_tokens=1), stream=False)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/complete", REQUEST),
        ("/v1/messages", b"{"),
        ("/v1/messages", b'{"max_tokens":1,"messages":[]}'),
        ("/v1/messages", b'{"messages":[{"role":"user","content":"hi"}]}'),
        ("/v1/messages", b'{"max_tokens":1,"messages":[{"role":"system","content":"hi"}]}'),
        ("/v1/messages", b'{"max_tokens":1,"messages":[{"role":"user","content":7}]}'),
    ],
)
def test_a_request_that_is_not_of_this_wire(path, body):
    with pytest.raises(WireError):
        anthropic_messages.decode_request(path, body)


def test_a_tool_call_whose_arguments_are_no_object_cannot_be_sent():
    request = ModelRequest("m", (Message("assistant", "", (ToolCall("t", "f", '{"a":'),)),))
    with pytest.raises(WireError, match="not JSON"):
        anthropic_messages.encode_request(request)
