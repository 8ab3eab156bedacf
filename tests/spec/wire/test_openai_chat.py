"""Chat Completions as a table of bytes and events."""

from __future__ import annotations

import json

import pytest

from benchbook.errors import WireError
from benchbook.records import Message, ModelRequest, Params, Usage
from benchbook.wire import Reader, openai_chat
from benchbook.wire.events import (
    Ended,
    Event,
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

HEAD = b'{"id":"c-1","object":"chat.completion.chunk","created":1767225600,"model":"m","system_fingerprint":"fp"'


def chunk(delta: bytes, reason: bytes = b"null") -> bytes:
    choice = b'{"index":0,"delta":' + delta + b',"logprobs":null,"finish_reason":' + reason + b"}"
    return b"data: " + HEAD + b',"choices":[' + choice + b"]}\n\n"


STARTED = Started("c-1", "m", "fp")
ROLE = chunk(b'{"role":"assistant","content":""}')
DONE = b"data: [DONE]\n\n"


def data(*objects: str) -> bytes:
    return "".join(f"data: {line}\n\n" for line in objects).encode()


USAGE = Usage(input=12, cached=8, cache_write=1, output=7, reasoning=3)
USAGE_BYTES = (
    b'"usage":{"prompt_tokens":12,"completion_tokens":7,"total_tokens":19,'
    b'"prompt_tokens_details":{"cached_tokens":8,"cache_write_tokens":1},'
    b'"completion_tokens_details":{"reasoning_tokens":3}}'
)

STREAMED = {
    "text": (
        [STARTED, TextDelta("Grüß "), TextDelta("Gott 🎉"), Finished("stop"), Ended()],
        ROLE
        + chunk('{"content":"Grüß "}'.encode())
        + chunk('{"content":"Gott 🎉"}'.encode())
        + chunk(b"{}", b'"stop"')
        + DONE,
    ),
    "reasoning, then text, with usage": (
        [STARTED, ReasoningDelta("hm"), TextDelta("4"), Finished("length"), UsageReported(USAGE), Ended()],
        ROLE
        + chunk(b'{"reasoning_content":"hm"}')
        + chunk(b'{"content":"4"}')
        + chunk(b"{}", b'"length"')
        + b"data: "
        + HEAD
        + b',"choices":[],'
        + USAGE_BYTES
        + b"}\n\n"
        + DONE,
    ),
    "two tool calls": (
        [
            STARTED,
            ToolCallStarted(0, "call_a", "add"),
            ToolCallDelta(0, '{"a":'),
            ToolCallDelta(0, "1}"),
            ToolCallStarted(1, "call_b", "now"),
            Finished("tool_calls"),
            Ended(),
        ],
        ROLE
        + chunk(
            b'{"tool_calls":[{"index":0,"id":"call_a","type":"function","function":{"name":"add","arguments":""}}]}'
        )
        + chunk(b'{"tool_calls":[{"index":0,"function":{"arguments":"{\\"a\\":"}}]}')
        + chunk(b'{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]}')
        + chunk(
            b'{"tool_calls":[{"index":1,"id":"call_b","type":"function","function":{"name":"now","arguments":""}}]}'
        )
        + chunk(b"{}", b'"tool_calls"')
        + DONE,
    ),
    "a ping, then an error": (
        [STARTED, Ping(), Failed("server_error", "out of memory")],
        ROLE
        + b": keep-alive\n\n"
        + b'data: {"error":{"message":"out of memory","type":"server_error","param":null,"code":null}}\n\n',
    ),
}

WHOLE_HEAD = HEAD.replace(b".chunk", b"") + b',"choices":[{"index":0,"message":{"role":"assistant",'
WHOLE = {
    "text": (
        [STARTED, ReasoningDelta("hm"), TextDelta("Gott 🎉"), Finished("stop"), UsageReported(USAGE), Ended()],
        WHOLE_HEAD
        + '"content":"Gott 🎉","refusal":null,"reasoning_content":"hm"},'.encode()
        + b'"logprobs":null,"finish_reason":"stop"}],'
        + USAGE_BYTES
        + b"}",
    ),
    "tool call": (
        [
            STARTED,
            ToolCallStarted(0, "call_a", "add"),
            ToolCallDelta(0, '{"a":1}'),
            ToolCallStarted(1, "call_b", "now"),
            Finished("tool_calls"),
            Ended(),
        ],
        WHOLE_HEAD
        + b'"content":null,"refusal":null,"tool_calls":[{"id":"call_a",'
        + b'"type":"function","function":{"name":"add","arguments":"{\\"a\\":1}"}},'
        + b'{"id":"call_b","type":"function","function":{"name":"now","arguments":""}}]},'
        + b'"logprobs":null,"finish_reason":"tool_calls"}]}',
    ),
    "no reason to stop": (
        [STARTED, TextDelta("a"), Ended()],
        WHOLE_HEAD + b'"content":"a","refusal":null},"logprobs":null,"finish_reason":null}]}',
    ),
    "an error": (
        [Failed("server_error", "out of memory")],
        b'{"error":{"message":"out of memory","type":"server_error","param":null,"code":null}}',
    ),
}

FOREIGN_STREAMED = {
    "CRLF, comments, event names, no space after the colon, [DONE] without its blank line": (
        b"".join(
            [
                b": OPENROUTER PROCESSING\r\n\r\nevent: x\r\nid: 4\r\nretry: 10\r\ndata:",
                b'{"id":"1","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"a"}}]}\r\n\r\n',
                b"data: [DONE]",
            ]
        ),
        [Ping(), Started("1", "m"), TextDelta("a"), Ended()],
    ),
    "a leading chunk of content filter results; other choices; null and empty deltas; repeated usage": (
        data(
            '{"id":"","model":"","choices":[],"prompt_filter_results":[{}]}',
            '{"id":"1","model":"m","choices":[{"delta":{"role":"assistant","content":null}}],"usage":null}',
            '{"id":"1","choices":[{"index":0,"delta":{"content":""}},{"index":1,"delta":{"content":"no"}}]}',
            '{"id":"1","choices":[{"delta":{"content":"a","reasoning":"r"},"finish_reason":"eos"}],'
            '"usage":{"prompt_tokens":3,"completion_tokens":1}}',
            "[DONE]",
            "{nothing after the end is read}",
        ),
        [
            Started("1", "m"),
            ReasoningDelta("r"),
            TextDelta("a"),
            Finished("eos"),
            UsageReported(Usage(input=3, output=1)),
            Ended(),
        ],
    ),
    "tool calls: whole, without an index, all at one index, the id repeated, arguments as an object": (
        data(
            '{"choices":[{"delta":{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}}]}}]}',
            '{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"b","function":{"name":"g","arguments":{"x":1}}}]}}]}',
            '{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"b","function":{"arguments":" "}}]}}]}',
            '{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"!"}}]},"finish_reason":"function_call"}]}',
            "[DONE]",
        ),
        [
            Started(),
            ToolCallStarted(0, "a", "f"),
            ToolCallDelta(0, "{}"),
            ToolCallStarted(1, "b", "g"),
            ToolCallDelta(1, '{"x":1}'),
            ToolCallDelta(1, " "),
            ToolCallDelta(1, "!"),
            Finished("tool_calls"),
            Ended(),
        ],
    ),
    "a piece without an index goes on with the last call": (
        data(
            '{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f"}}]}}]}',
            '{"choices":[{"delta":{"tool_calls":[{"index":1,"id":"b","function":{"name":"g"}}]}}]}',
            '{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"{}"}}]}}]}',
            "[DONE]",
        ),
        [Started(), ToolCallStarted(0, "a", "f"), ToolCallStarted(1, "b", "g"), ToolCallDelta(1, "{}"), Ended()],
    ),
    "an error as a string, then the end; a refusal": (
        data('{"choices":[{"delta":{"refusal":"No"}}]}', "", '{"error":"overloaded\\u0000 <now>"}', "[DONE]"),
        [Started(), TextDelta("No"), Failed("error", "overloaded <now>"), Ended()],
    ),
    "cut off: no closing mark": (
        data('{"id":"1","choices":[{"delta":{"content":"a"}}]}') + b'data: {"id":"1","choi',
        [Started("1"), TextDelta("a")],
    ),
}


@pytest.mark.parametrize("row", STREAMED)
def test_a_stream_in_both_directions(laws, row):
    events, body = STREAMED[row]
    laws("openai_chat", "m").both_ways(body, events, stream=True)


@pytest.mark.parametrize("row", WHOLE)
def test_a_whole_answer_in_both_directions(laws, row):
    events, body = WHOLE[row]
    laws("openai_chat", "m").both_ways(body, events, stream=False)


@pytest.mark.parametrize("row", FOREIGN_STREAMED)
def test_what_other_servers_stream(laws, row):
    body, events = FOREIGN_STREAMED[row]
    laws("openai_chat").reads(body, events, stream=True)


def test_ids_and_model_come_from_the_request_where_the_answer_names_none(laws):
    body = laws("openai_chat", "m").written([Started()], stream=True)
    assert body.startswith(b'data: {"id":"req-1","object":"chat.completion.chunk","created":1767225600,"model":"m","ch')


def test_what_has_no_place_on_the_wire_writes_nothing(laws):
    assert laws("openai_chat").written([TimingReported({"load_ms": 1.0})], stream=True) == b""


def test_after_an_error_a_whole_answer_writes_nothing_more(laws):
    body = laws("openai_chat").written([Failed("k", "m"), Ended()], stream=False)
    assert body == b'{"error":{"message":"m","type":"k","param":null,"code":null}}'


def test_usage_is_streamed_only_to_those_who_asked(laws):
    asked = openai_chat.decode_request(
        "/v1/chat/completions", b'{"model":"m","messages":[{"role":"user"}],"stream":true}'
    )
    assert asked.params.extra == {"stream_options": {"include_usage": False}}
    assert openai_chat.writer(asked, request_id="r").write(UsageReported(USAGE)) == b""
    null = openai_chat.decode_request(
        "/v1/chat/completions", b'{"messages":[{"role":"user"}],"stream":true,"stream_options":null}'
    )
    assert openai_chat.writer(null, request_id="r").write(UsageReported(USAGE)) == b""


DAMAGED = {
    "not JSON": b"data: {nope}\n\n",
    "not an object": b"data: [1]\n\n",
    "bad UTF-8": b'data: {"id":"\xff"}\n\n',
    "choices is no list": b'data: {"choices":{}}\n\n',
    "a choice is no object": b'data: {"choices":[1]}\n\n',
    "content is a number": b'data: {"choices":[{"delta":{"content":1}}]}\n\n',
    "reasoning is a list": b'data: {"choices":[{"delta":{"reasoning":["a"]}}]}\n\n',
    "a count is a string": b'data: {"usage":{"prompt_tokens":"3"}}\n\n',
    "a count is a fraction": b'data: {"usage":{"prompt_tokens":3.5}}\n\n',
}


@pytest.mark.parametrize("row", DAMAGED)
def test_damage_is_a_wire_error_after_the_events_before_it(row):
    good = b'data: {"id":"1","choices":[{"delta":{"content":"a"}}]}\n\n'
    whole = good + DAMAGED[row]
    for cut in range(len(whole) + 1):
        reader, events = openai_chat.reader(stream=True), []
        with pytest.raises(WireError):
            read_into(events, reader, [whole[:cut], whole[cut:]])
        assert events[:2] == [Started("1"), TextDelta("a")]
        with pytest.raises(WireError):
            reader.close()


def read_into(events: list[Event], reader: Reader, pieces: list[bytes]) -> None:
    for piece in pieces:
        events += reader.feed(piece)
    events += reader.close()


def test_a_whole_body_that_is_empty_or_damaged(laws):
    assert laws("openai_chat").read([b" "], stream=False) == []
    with pytest.raises(WireError, match="not JSON"):
        laws("openai_chat").read([b'{"id":"1","choi'], stream=False)
    assert laws("openai_chat").read([b'{"usage":{"prompt_tokens":3.0}}'], stream=False)[1] == UsageReported(
        Usage(input=3)
    )


REQUEST = (
    b'{"model":"m","messages":[{"role":"system","content":"be brief"},{"role":"user","content":"hi"}],"stream":true,'
    b'"stream_options":{"include_usage":true},"temperature":0.0,"max_tokens":5,"top_p":0.5,"stop":["x"],"seed":7,"n":1}'
)


def test_a_request_in_both_directions():
    params = Params(temperature=0.0, max_tokens=5, top_p=0.5, stop=("x",), seed=7, extra={"n": 1})
    request = ModelRequest("m", (Message("user", "hi"),), system="be brief", params=params)
    sent = openai_chat.encode_request(request)
    assert (sent.path, sent.body, dict(sent.headers)) == ("/chat/completions", REQUEST, {})
    assert openai_chat.decode_request("/v1/chat/completions", REQUEST) == request


def test_max_completion_tokens_takes_the_place_of_max_tokens():
    request = ModelRequest(
        "m", (Message("user", "hi"),), params=Params(max_tokens=5, extra={"max_completion_tokens": 5})
    )
    body = openai_chat.encode_request(request).body
    assert b'"max_tokens"' not in body
    assert openai_chat.decode_request("/v1/chat/completions", body) == request


def test_a_request_as_other_clients_write_it():
    body = (
        b'{"model":"m","stop":"x","messages":[{"role":"developer","content":[{"type":"text","text":"be"}]},'
        b'{"role":"system","content":"brief"},{"role":"user","content":[{"type":"text","text":"a"},'
        b'{"type":"image_url","image_url":{}},{"type":"text","text":"b"}]}]}'
    )
    request = openai_chat.decode_request("/openai/v1/chat/completions?api-version=1", body)
    assert request == ModelRequest("m", (Message("user", "ab"),), "be\nbrief", Params(stop=("x",)), stream=False)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/completions", REQUEST),
        ("/v1/chat/completions", b"{"),
        ("/v1/chat/completions", b"{}"),
        ("/v1/chat/completions", b'{"messages":[{"role":"robot"}]}'),
        ("/v1/chat/completions", b'{"messages":[{"role":"user","content":5}]}'),
        ("/v1/chat/completions", b'{"messages":[{"role":"user"}],"stream":"yes"}'),
        ("/v1/chat/completions", b'{"messages":[{"role":"user"}],"stop":[1]}'),
        ("/v1/chat/completions", b'{"messages":[{"role":"user"}],"temperature":true}'),
    ],
)
def test_a_request_that_is_not_of_this_wire(path, body):
    with pytest.raises(WireError):
        openai_chat.decode_request(path, body)


def test_a_text_that_utf8_cannot_hold_is_a_wire_error():
    with pytest.raises(WireError, match="JSON"):
        openai_chat.encode_request(ModelRequest("m", (Message("user", "\ud800"),)))
    with pytest.raises(WireError, match="written as JSON"):
        openai_chat.encode_request(ModelRequest("m", (Message("user", "a"),), params=Params(extra={"x": object()})))


def _frame(answer: str, **fields: object) -> bytes:
    return b"data: " + json.dumps({"id": answer, "model": "m", **fields}, separators=(",", ":")).encode() + b"\n\n"


def _choice(**fields: object) -> dict[str, object]:
    return {"choices": [{"index": 0, **fields}]}


def test_what_one_answer_taught_holds_in_another_only_where_nothing_came_before() -> None:
    """Facts are read once for many answers; a tool call's frames say something else in each."""
    opening = _choice(delta={"role": "assistant", "content": ""})
    called = _choice(delta={"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": ""}}]})
    empty = [{"index": 0, "function": {"arguments": ""}}]
    stopped = _choice(delta={"tool_calls": empty}, finish_reason="tool_calls")
    usage = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 5}}
    counted = UsageReported(Usage(input=3, output=5))

    def read(answer: str, *frames: dict[str, object]) -> list[Event]:
        reader = openai_chat.reader(stream=True)
        return [event for frame in frames for event in reader.feed(_frame(answer, **frame))]

    first = read("chatcmpl-1", opening, called, stopped, usage)
    assert first[1:] == [ToolCallStarted(0, "c", "f"), Finished("tool_calls"), counted]
    second = read("chatcmpl-2", opening, stopped, usage, usage)
    assert second[1:] == [ToolCallStarted(0, "", ""), Finished("tool_calls"), counted, counted]
    told = {**usage, "usage": {"prompt_tokens": 3, "completion_tokens": 6}}
    assert read("chatcmpl-3", opening, told)[1:] == [UsageReported(Usage(input=3, output=6))]


def test_first_frames_that_differ_in_their_id_alone_are_known_and_keep_their_ids() -> None:
    """The second of each is read from memory; one that says more, or has its id elsewhere, never is."""
    usual = b'data: {"id":"%b","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"%b"}}]}\n\n'
    later = b'data: {"model":"m","id":"%b","choices":[]}\n\n'
    twice = b'data: {"id":"x","model":"m","choices":[],"id":"%b"}\n\n'
    for name in (b"one", b"two", b"x"):
        started = Started(name.decode(), "m", None)
        for frame, more in (
            (usual % (name, b""), []),
            (usual % (name, b"hi"), [TextDelta("hi")]),
            (later % name, []),
            (twice % name, []),
        ):
            reader = openai_chat.reader(stream=True)
            assert reader.feed(frame) == [started, *more]
            assert reader.feed(usual % (name, b"so")) == [TextDelta("so")]
            assert reader.name == b'"id":"%b"' % name
