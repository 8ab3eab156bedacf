"""Bedrock's Converse as a table of bytes and events. Event streams are given as (kind, payload) and framed here."""

from __future__ import annotations

import struct
from binascii import crc32

import pytest

from benchbook.errors import WireError
from benchbook.records import Message, ModelRequest, Params, ToolCall, ToolSpec, Usage
from benchbook.wire import bedrock_converse
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


def framed(payload: str, **headers: str) -> bytes:
    """One message, built apart from the code under test."""
    fields = b""
    for name, value in headers.items():
        key = b":" + name.replace("_", "-").encode()
        fields += struct.pack("!B", len(key)) + key + b"\x07" + struct.pack("!H", len(value)) + value.encode()
    prelude = struct.pack("!II", 16 + len(fields) + len(payload.encode()), len(fields))
    whole = prelude + struct.pack("!I", crc32(prelude)) + fields + payload.encode()
    return whole + struct.pack("!I", crc32(whole))


def stream(*parts: tuple[str, str]) -> bytes:
    return b"".join(
        framed(payload, event_type=kind, content_type="application/json", message_type="event")
        for kind, payload in parts
    )


def delta(at: int, content: str) -> tuple[str, str]:
    return "contentBlockDelta", f'{{"delta":{content},"contentBlockIndex":{at}}}'


def stop(at: int) -> tuple[str, str]:
    return "contentBlockStop", f'{{"contentBlockIndex":{at}}}'


def tool(at: int, call_id: str, name: str) -> tuple[str, str]:
    start = f'{{"toolUse":{{"toolUseId":"{call_id}","name":"{name}"}}}}'
    return "contentBlockStart", f'{{"start":{start},"contentBlockIndex":{at}}}'


START = ("messageStart", '{"role":"assistant"}')
USAGE = Usage(input=15, cached=8, cache_write=2, output=7)
COUNTS = '"inputTokens":5,"outputTokens":7,"totalTokens":22,"cacheReadInputTokens":8,"cacheWriteInputTokens":2'
METADATA = f'"usage":{{{COUNTS}}},"metrics":{{"latencyMs":321}}'
LATENCY = TimingReported({"latency_ms": 321.0})

STREAMED = {
    "text with counts": (
        [Started(), TextDelta("Grüß "), TextDelta("🎉"), Finished("stop"), UsageReported(USAGE), LATENCY, Ended()],
        stream(
            START,
            delta(0, '{"text":"Grüß "}'),
            delta(0, '{"text":"🎉"}'),
            stop(0),
            ("messageStop", '{"stopReason":"end_turn"}'),
            ("metadata", f"{{{METADATA}}}"),
        ),
    ),
    "reasoning, text, two tools; complete without counts": (
        [
            Started(),
            ReasoningDelta("hm"),
            TextDelta("so"),
            ToolCallStarted(0, "t1", "add"),
            ToolCallDelta(0, '{"a":'),
            ToolCallDelta(0, "1}"),
            ToolCallStarted(1, "t2", "now"),
            Finished("tool_calls"),
            Ended(),
        ],
        stream(
            START,
            delta(0, '{"reasoningContent":{"text":"hm"}}'),
            stop(0),
            delta(1, '{"text":"so"}'),
            stop(1),
            tool(2, "t1", "add"),
            delta(2, '{"toolUse":{"input":"{\\"a\\":"}}'),
            delta(2, '{"toolUse":{"input":"1}"}}'),
            stop(2),
            tool(3, "t2", "now"),
            stop(3),
            ("messageStop", '{"stopReason":"tool_use"}'),
        ),
    ),
    "an exception in the middle": (
        [Started(), TextDelta("a"), Failed("throttlingException", "slow down")],
        stream(START, delta(0, '{"text":"a"}'))
        + framed(
            '{"message":"slow down"}',
            exception_type="throttlingException",
            content_type="application/json",
            message_type="exception",
        ),
    ),
}
WHOLE = {
    "everything": (
        [
            Started(),
            ReasoningDelta("hm"),
            TextDelta("🎉"),
            ToolCallStarted(0, "t1", "add"),
            ToolCallDelta(0, '{"a":1}'),
            ToolCallStarted(1, "t2", "now"),
            Finished("tool_calls"),
            UsageReported(USAGE),
            LATENCY,
            Ended(),
        ],
        '{"output":{"message":{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"hm"}}},'
        '{"text":"🎉"},{"toolUse":{"toolUseId":"t1","name":"add","input":{"a":1}}},'
        '{"toolUse":{"toolUseId":"t2","name":"now","input":{}}}]}},"stopReason":"tool_use",' + METADATA + "}",
    ),
    "nothing": ([Started(), Ended()], '{"output":{"message":{"role":"assistant","content":[]}}}'),
}
FOREIGN = {
    "padding, signatures, a start without a tool, kinds that are not known, an own word to stop": (
        stream(
            ("messageStart", '{"role":"assistant","p":"abcdef"}'),
            ("contentBlockStart", '{"start":{},"contentBlockIndex":0}'),
            delta(0, '{"reasoningContent":{"signature":"xyz"}}'),
            delta(0, '{"text":""}'),
            ("initial-response", "{}"),
            ("messageStop", '{"stopReason":"model_context_window_exceeded"}'),
            ("metadata", '{"p":"abc","usage":{"inputTokens":4,"outputTokens":1,"totalTokens":5}}'),
        )
        + b"\x00\x00",
        [
            Started(),
            Finished("model_context_window_exceeded"),
            UsageReported(Usage(input=4, output=1)),
            Ended(),
        ],
    ),
    "an error of the connection": (
        stream(START) + framed("", message_type="error", error_code="InternalError", error_message="oh\nno"),
        [Started(), Failed("InternalError", "oh no")],
    ),
    "cut off inside a message": (stream(START, stop(0))[:-3], [Started()]),
}


@pytest.mark.parametrize("row", STREAMED)
def test_a_stream_in_both_directions(laws, row):
    events, body = STREAMED[row]
    laws("bedrock_converse").both_ways(body, events, stream=True)


@pytest.mark.parametrize("row", WHOLE)
def test_a_whole_answer_in_both_directions(laws, row):
    events, body = WHOLE[row]
    laws("bedrock_converse").both_ways(body.encode(), events, stream=False)


@pytest.mark.parametrize("row", FOREIGN)
def test_what_other_servers_stream(laws, row):
    body, events = FOREIGN[row]
    laws("bedrock_converse").reads(body, events, stream=True)


USAGES = {
    "cached tokens are counted apart": (
        '{"inputTokens":4,"outputTokens":832,"totalTokens":2326,"cacheReadInputTokens":1490,"cacheWriteInputTokens":0}',
        Usage(input=1494, cached=1490, cache_write=0, output=832),
    ),
    "cached tokens are counted in, as the total tells": (
        '{"inputTokens":20,"outputTokens":5,"totalTokens":25,"cacheReadInputTokens":16}',
        Usage(input=20, cached=16, output=5),
    ),
    "no total": ('{"inputTokens":4,"outputTokens":5,"cacheReadInputTokens":6}', Usage(input=10, cached=6, output=5)),
    "Nova's names": (
        '{"inputTokens":4,"outputTokens":5,"cacheReadInputTokenCount":6,"cacheWriteInputTokenCount":1}',
        Usage(input=11, cached=6, cache_write=1, output=5),
    ),
    "a total that can't be": (
        '{"inputTokens":4,"outputTokens":5,"totalTokens":0}',
        Usage(input=4, output=5),
    ),
}


@pytest.mark.parametrize("row", USAGES)
def test_prompt_tokens_hold_the_cached_ones(laws, row):
    counts, usage = USAGES[row]
    events = laws("bedrock_converse").read([f'{{"usage":{counts}}}'.encode()], stream=False)
    assert events == [Started(), UsageReported(usage), Ended()]


def test_an_end_without_a_reason_still_closes_the_stream(laws):
    body = laws("bedrock_converse").written([Started(), Ended()], stream=True)
    assert body == stream(START, ("messageStop", '{"stopReason":"end_turn"}'))


def test_a_ping_has_no_bytes(laws):
    assert laws("bedrock_converse").written([Ping()], stream=True) == b""


def test_an_error_takes_the_place_of_a_whole_answer(laws):
    assert laws("bedrock_converse").written([Failed("x", "no"), Ended()], stream=False) == b'{"message":"no"}'


def test_input_for_a_tool_that_has_not_started_is_a_wire_error(laws):
    with pytest.raises(WireError, match="not started"):
        laws("bedrock_converse").read([stream(START, delta(0, '{"toolUse":{"input":"{}"}}'))], stream=True)


def test_damage_anywhere_is_a_wire_error_after_the_events_before_it():
    good, bad = stream(START), stream(delta(0, '{"text":"a"}'))
    for at in range(len(bad)):
        reader = bedrock_converse.reader(stream=True)
        damaged = bad[:at] + bytes((bad[at] ^ 0x21,)) + bad[at + 1 :]
        assert reader.feed(good + damaged) == [Started()]
        with pytest.raises(WireError, match="event stream"):
            reader.close()


MODEL = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-haiku-4-5-v1:0"
QUOTED = "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.anthropic.claude-haiku-4-5-v1%3A0"
REQUEST = (
    b'{"messages":[{"role":"user","content":[{"text":"hi"}]},{"role":"assistant","content":[{"toolUse":{"toolUseId":"t",'
    b'"name":"f","input":{"a":1}}}]},{"role":"user","content":[{"toolResult":{"toolUseId":"t","content":[{"text":"7"}]}},'
    b'{"text":"so?"}]}],"system":[{"text":"be brief"}],"inferenceConfig":{"maxTokens":5,"temperature":0.0,"topP":0.5,'
    b'"stopSequences":["x"]},"toolConfig":{"tools":[{"toolSpec":{"name":"f","description":"adds","inputSchema":{"json":'
    b'{"type":"object"}}}}]},"performanceConfig":{"latency":"optimized"},"additionalModelRequestFields":{"top_k":3}}'
)


@pytest.mark.parametrize(("stream", "operation"), [(True, "converse-stream"), (False, "converse")])
def test_a_request_in_both_directions(stream, operation):
    messages = (
        Message("user", "hi"),
        Message("assistant", "", (ToolCall("t", "f", '{"a":1}'),)),
        Message("tool", "7", tool_call_id="t"),
        Message("user", "so?"),
    )
    extra = {"performanceConfig": {"latency": "optimized"}, "top_k": 3}
    params = Params(temperature=0.0, max_tokens=5, top_p=0.5, stop=("x",), extra=extra)
    tools = (ToolSpec("f", "adds", {"type": "object"}),)
    request = ModelRequest(MODEL, messages, "be brief", params, tools, stream)
    sent = bedrock_converse.encode_request(request)
    assert (sent.path, sent.body) == (f"/model/{QUOTED}/{operation}", REQUEST)
    assert bedrock_converse.decode_request(sent.path, REQUEST) == request
    assert bedrock_converse.decode_request(sent.path.replace("%2F", "/").replace("%3A", ":"), REQUEST) == request


def test_a_request_as_other_clients_write_it():
    body = (
        b'{"messages":[{"role":"user","content":[{"image":{}},{"toolResult":{"toolUseId":"t","content":'
        b'[{"json":{"a":1}},{"text":"!"}]}}]}],"toolConfig":{"tools":[{"cachePoint":{}}]}}'
    )
    request = bedrock_converse.decode_request("/model/m/converse", body)
    messages = (Message("tool", '{"a":1}!', tool_call_id="t"), Message("user", ""))
    assert request == ModelRequest("m", messages, stream=False)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/model/m/invoke", REQUEST),
        ("/v1/messages", REQUEST),
        ("/model/m/converse", b"{"),
        ("/model/m/converse", b'{"messages":[]}'),
        ("/model/m/converse", b'{"messages":[{"role":"tool","content":[]}]}'),
    ],
)
def test_a_request_that_is_not_of_this_wire(path, body):
    with pytest.raises(WireError):
        bedrock_converse.decode_request(path, body)
