"""Bedrock's InvokeModel as a table of bytes and events, for Claude and for Nova."""

from __future__ import annotations

from base64 import b64encode

import pytest

from benchbook.errors import WireError
from benchbook.records import Message, ModelRequest, Params, Usage
from benchbook.wire import bedrock_invoke, eventstream
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

CLAUDE, NOVA = "us.anthropic.claude-3-5-haiku-20241022-v1:0", "amazon.nova-micro-v1:0"


def chunks(*objects: str) -> bytes:
    headers = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
    payloads = [b'{"bytes":"' + b64encode(one.encode()) + b'"}' for one in objects]
    return b"".join(eventstream.encode(headers, payload) for payload in payloads)


TIMINGS = TimingReported({"latency_ms": 900.0, "first_byte_ms": 200.0})
METRICS = '"amazon-bedrock-invocationMetrics":{"invocationLatency":900,"firstByteLatency":200}'
USED = UsageReported(Usage(input=5, cached=1, output=2))
FAILED = eventstream.encode(
    {":exception-type": "modelStreamErrorException", ":content-type": "application/json", ":message-type": "exception"},
    b'{"message":"oh"}',
)

STREAMED = {
    "Claude": (
        CLAUDE,
        [Started("msg_1", "m"), TextDelta("🎉"), Finished("stop"), USED, TIMINGS, Ended()],
        chunks(
            '{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m",'
            '"content":[],"stop_sequence":null,"stop_reason":null,"usage":{"input_tokens":0,"output_tokens":0}}}',
            '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}',
            '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"🎉"}}',
            '{"type":"content_block_stop","index":0}',
            '{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},'
            '"usage":{"input_tokens":4,"cache_read_input_tokens":1,"output_tokens":2}}',
            '{"type":"message_stop",' + METRICS + "}",
        ),
    ),
    "Nova": (
        NOVA,
        [Started(), TextDelta("🎉"), ToolCallStarted(0, "t", "f"), Finished("tool_calls"), USED, TIMINGS, Ended()],
        chunks(
            '{"messageStart":{"role":"assistant"}}',
            '{"contentBlockDelta":{"delta":{"text":"🎉"},"contentBlockIndex":0}}',
            '{"contentBlockStop":{"contentBlockIndex":0}}',
            '{"contentBlockStart":{"start":{"toolUse":{"toolUseId":"t","name":"f"}},"contentBlockIndex":1}}',
            '{"contentBlockStop":{"contentBlockIndex":1}}',
            '{"messageStop":{"stopReason":"tool_use"}}',
            '{"metadata":{"usage":{"inputTokens":4,"outputTokens":2,"totalTokens":7,"cacheReadInputTokens":1}},'
            + METRICS
            + "}",
        ),
    ),
    "Nova without counts": (
        NOVA,
        [Started(), Finished("stop"), Ended()],
        chunks('{"messageStart":{"role":"assistant"}}', '{"messageStop":{"stopReason":"end_turn"}}', '{"metadata":{}}'),
    ),
    "an exception": (
        NOVA,
        [Started(), Failed("modelStreamErrorException", "oh")],
        chunks('{"messageStart":{"role":"assistant"}}') + FAILED,
    ),
}
WHOLE = {
    "Claude": (
        CLAUDE,
        [Started("msg_1", "m"), TextDelta("🎉"), Finished("length"), USED, Ended()],
        (
            '{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"🎉"}],'
            '"stop_sequence":null,"stop_reason":"max_tokens",'
            '"usage":{"input_tokens":4,"cache_read_input_tokens":1,"output_tokens":2}}'
        ),
    ),
    "Nova": (
        NOVA,
        [Started(), TextDelta("🎉"), Finished("length"), USED, Ended()],
        (
            '{"output":{"message":{"role":"assistant","content":[{"text":"🎉"}]}},"stopReason":"max_tokens",'
            '"usage":{"inputTokens":4,"outputTokens":2,"totalTokens":7,"cacheReadInputTokens":1}}'
        ),
    ),
    "an error": (NOVA, [Failed("x", "no")], '{"message":"no"}'),
}


@pytest.mark.parametrize("row", STREAMED)
def test_a_stream_in_both_directions(laws, row):
    model, events, body = STREAMED[row]
    laws("bedrock_invoke", model).both_ways(body, events, stream=True)


@pytest.mark.parametrize("row", ["Claude", "Nova"])
def test_a_whole_answer_in_both_directions(laws, row):
    model, events, body = WHOLE[row]
    laws("bedrock_invoke", model).both_ways(body.encode(), events, stream=False)


def test_an_error_takes_the_place_of_a_whole_answer(laws):
    model, events, body = WHOLE["an error"]
    assert laws("bedrock_invoke", model).written(events, stream=False) == body.encode()


def test_a_nova_stream_as_bedrock_sends_it(laws):
    body = chunks(
        '{"messageStart":{"role":"assistant"},"p":"abc"}',
        '{"contentBlockDelta":{"delta":{"reasoningContent":{"text":"r"}},"contentBlockIndex":0}}',
        '{"contentBlockStart":{"start":{"toolUse":{"toolUseId":"t","name":"f"}},"contentBlockIndex":1}}',
        '{"contentBlockDelta":{"delta":{"toolUse":{"input":{"a":1}}},"contentBlockIndex":1}}',
        '{"messageStop":{"stopReason":"tool_use"}}',
    )
    other = eventstream.encode({":event-type": "other", ":message-type": "event"}, b"{}")
    events = [
        Started(),
        ReasoningDelta("r"),
        ToolCallStarted(0, "t", "f"),
        ToolCallDelta(0, '{"a":1}'),
        Finished("tool_calls"),
        Ended(),
    ]
    laws("bedrock_invoke").reads(other + body, events, stream=True)


def test_a_ping_has_no_bytes(laws):
    assert laws("bedrock_invoke", CLAUDE).written([Ping()], stream=True) == b""
    assert laws("bedrock_invoke", NOVA).written([Ping()], stream=True) == b""


@pytest.mark.parametrize(
    "payload", [b'{"bytes":"e*30="}', b'{"bytes":"e30"}', b'{"bytes":"eA=="}', b'{"bytes":7}', b"{}"]
)
def test_a_chunk_that_holds_no_object_is_a_wire_error(payload):
    body = eventstream.encode({":event-type": "chunk", ":message-type": "event"}, payload)
    with pytest.raises(WireError):
        bedrock_invoke.reader(stream=True).feed(body)


def test_a_body_of_neither_family_is_a_wire_error(laws):
    with pytest.raises(WireError, match="neither"):
        laws("bedrock_invoke").read([b'{"generation":"hi"}'], stream=False)


FAMILIES = {
    "anthropic.claude-3-haiku-20240307-v1:0": "claude",
    "us.anthropic.claude-3-5-haiku-20241022-v1:0": "claude",
    "global.anthropic.claude-haiku-4-5-20251001-v1:0": "claude",
    "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0": "claude",
    "amazon.nova-micro-v1:0": "nova",
    "apac.amazon.nova-lite-v1:0": "nova",
    "arn:aws:bedrock:eu-west-1:1:inference-profile/eu.amazon.nova-pro-v1:0": "nova",
}


@pytest.mark.parametrize("model", FAMILIES)
def test_the_family_of_a_model(model):
    assert bedrock_invoke.family(model) == FAMILIES[model]


@pytest.mark.parametrize(
    "model", ["meta.llama3-8b", "amazon.titan-text", "notanthropic.x", "arn:aws:bedrock:x:1:p/abc"]
)
def test_a_family_that_is_not_known_is_a_wire_error(model):
    with pytest.raises(WireError, match="use Converse"):
        bedrock_invoke.encode_request(ModelRequest(model, (Message("user", "hi"),)))


REQUESTS = {
    "Claude": (
        ModelRequest(CLAUDE, (Message("user", "hi"),), "s", Params(max_tokens=5, extra={"top_k": 3})),
        "/model/us.anthropic.claude-3-5-haiku-20241022-v1%3A0/invoke-with-response-stream",
        (
            b'{"anthropic_version":"bedrock-2023-05-31","max_tokens":5,"system":"s",'
            b'"messages":[{"role":"user","content":"hi"}],"top_k":3}'
        ),
    ),
    "Nova": (
        ModelRequest(
            NOVA,
            (Message("user", "hi"),),
            "s",
            Params(max_tokens=5, stop=("x",), extra={"inferenceConfig": {"topK": 3}}),
            stream=False,
        ),
        "/model/amazon.nova-micro-v1%3A0/invoke",
        (
            b'{"schemaVersion":"messages-v1","messages":[{"role":"user","content":[{"text":"hi"}]}],'
            b'"system":[{"text":"s"}],"inferenceConfig":{"topK":3,"maxTokens":5,"stopSequences":["x"]}}'
        ),
    ),
}


@pytest.mark.parametrize("row", REQUESTS)
def test_a_request_in_both_directions(row):
    request, path, body = REQUESTS[row]
    sent = bedrock_invoke.encode_request(request)
    assert (sent.path, sent.body) == (path, body)
    assert bedrock_invoke.decode_request(path, body) == request


def test_novas_older_name_for_the_maximum():
    body = b'{"messages":[{"role":"user","content":[{"text":"hi"}]}],"inferenceConfig":{"max_new_tokens":9}}'
    request = bedrock_invoke.decode_request(f"/model/{NOVA}/invoke", body)
    assert request.params == Params(max_tokens=9)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"/model/{CLAUDE}/invoke", b'{"max_tokens":5,"messages":[{"role":"user","content":"hi"}]}'),
        (f"/model/{CLAUDE}/converse", REQUESTS["Claude"][2]),
        ("/model/meta.llama/invoke", b"{}"),
        (f"/model/{NOVA}/invoke", b"{}"),
    ],
)
def test_a_request_that_is_not_of_this_wire(path, body):
    with pytest.raises(WireError):
        bedrock_invoke.decode_request(path, body)
