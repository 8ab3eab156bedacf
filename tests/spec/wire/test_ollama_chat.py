"""Ollama's chat as a table of bytes and events."""

from __future__ import annotations

import pytest

from benchbook.errors import WireError
from benchbook.records import Message, ModelRequest, Params, ToolCall, Usage
from benchbook.wire import ollama_chat
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

HEAD = '{"model":"m","created_at":"2026-01-01T00:00:00.000000Z","message":{"role":"assistant",'


def line(message: str) -> str:
    return HEAD + message + '},"done":false}\n'


STARTED = Started(model="m")
TIMINGS = TimingReported({"total_ms": 1234.5, "load_ms": 1.5, "prompt_eval_ms": 20.0, "eval_ms": 0.000001})
COUNTS = (
    ',"total_duration":1234500000,"load_duration":1500000,"prompt_eval_duration":20000000,"eval_duration":1,'
    '"prompt_eval_count":12,"eval_count":7'
)
USED = UsageReported(Usage(input=12, output=7))
LAST = HEAD + '"content":""},"done":true'

STREAMED = {
    "text": (
        [STARTED, TextDelta("Grüß "), TextDelta("🎉"), Finished("stop"), USED, TIMINGS, Ended()],
        line('"content":"Grüß "') + line('"content":"🎉"') + LAST + ',"done_reason":"stop"' + COUNTS + "}\n",
    ),
    "thinking, then tools": (
        [
            STARTED,
            ReasoningDelta("hm"),
            ToolCallStarted(0, "t1", "add"),
            ToolCallDelta(0, '{"a":1}'),
            ToolCallStarted(1, "t2", "now"),
            ToolCallDelta(1, "{}"),
            TextDelta("so"),
            Finished("length"),
            Ended(),
        ],
        line('"content":"","thinking":"hm"')
        + line('"content":"","tool_calls":[{"id":"t1","function":{"name":"add","arguments":{"a":1}}}]')
        + line('"content":"","tool_calls":[{"id":"t2","function":{"name":"now","arguments":{}}}]')
        + line('"content":"so"')
        + LAST
        + ',"done_reason":"length"}\n',
    ),
    "an error in the middle": (
        [STARTED, TextDelta("a"), Failed("error", "out of memory")],
        line('"content":"a"') + '{"error":"out of memory"}\n',
    ),
    "only the end": ([STARTED, Ended()], LAST + "}\n"),
}
WHOLE = {
    "everything": (
        [
            STARTED,
            ReasoningDelta("hm"),
            TextDelta("🎉"),
            ToolCallStarted(0, "t1", "add"),
            ToolCallDelta(0, '{"a":1}'),
            Finished("stop"),
            USED,
            TIMINGS,
            Ended(),
        ],
        HEAD
        + '"content":"🎉","thinking":"hm","tool_calls":[{"id":"t1","function":{"name":"add","arguments":{"a":1}}}]},'
        + '"done":true,"done_reason":"stop"'
        + COUNTS
        + "}",
    ),
    "an error": ([Failed("error", "no")], '{"error":"no"}'),
}
FOREIGN = {
    "CRLF, blank lines, empty pieces, calls without ids, arguments as text, no end of the last line": (
        (
            b'{"model":"m","message":{"role":"assistant","content":""},"done":false}\r\n\r\n\n'
            b'{"model":"m","message":{"tool_calls":[{"function":{"name":"f"}},{"function":{"name":"g",'
            b'"arguments":"{ }"}}]}}\n'
            b'{"model":"m","done":true}'
        ),
        [
            STARTED,
            ToolCallStarted(0, "call_0", "f"),
            ToolCallDelta(0, "{}"),
            ToolCallStarted(1, "call_1", "g"),
            ToolCallDelta(1, "{ }"),
            Ended(),
        ],
    ),
    "cut off": (b'{"model":"m","message":{"content":"a"}}\n{"model":"m","mess', [STARTED, TextDelta("a")]),
    "an error in a shape of others": (
        b'{"error":{"code":"busy","message":"wait"}}\n',
        [Failed("busy", "wait")],
    ),
    "nothing after the end is read": (b'{"model":"m","done":true}\n{nope}\n', [STARTED, Ended()]),
}


@pytest.mark.parametrize("row", STREAMED)
def test_a_stream_in_both_directions(laws, row):
    events, body = STREAMED[row]
    laws("ollama_chat", "m").both_ways(body.encode(), events, stream=True)


@pytest.mark.parametrize("row", WHOLE)
def test_a_whole_answer_in_both_directions(laws, row):
    events, body = WHOLE[row]
    laws("ollama_chat", "m").both_ways(body.encode(), events, stream=False)


@pytest.mark.parametrize("row", FOREIGN)
def test_what_other_servers_stream(laws, row):
    body, events = FOREIGN[row]
    laws("ollama_chat").reads(body, events, stream=True)


def test_a_ping_and_a_start_have_no_bytes_and_tool_calls_are_done_with_stop(laws):
    assert laws("ollama_chat").written([Started("x"), Ping()], stream=True) == b""
    assert b'"done_reason":"stop"' in laws("ollama_chat").written([Finished("tool_calls"), Ended()], stream=True)


def test_damage_is_a_wire_error(laws):
    with pytest.raises(WireError, match="not JSON"):
        laws("ollama_chat").read([b"{nope}\n"], stream=True)
    with pytest.raises(WireError, match="done is not true or false"):
        laws("ollama_chat").read([b'{"done":"yes"}\n'], stream=True)


REQUEST = (
    b'{"model":"m","messages":[{"role":"system","content":"be brief"},{"role":"user","content":"hi"},'
    b'{"role":"assistant","content":"","tool_calls":[{"id":"t","function":{"name":"f","arguments":{"a":1}}}]},'
    b'{"role":"tool","content":"7","tool_call_id":"t","tool_name":"f"}],"stream":false,'
    b'"options":{"num_ctx":9,"temperature":0.5,"num_predict":5,"top_p":0.5,"stop":["x"],"seed":7},"keep_alive":0}'
)


def test_a_request_in_both_directions():
    messages = (
        Message("user", "hi"),
        Message("assistant", "", (ToolCall("t", "f", '{"a":1}'),)),
        Message("tool", "7", tool_call_id="t"),
    )
    extra = {"keep_alive": 0, "options": {"num_ctx": 9}}
    params = Params(temperature=0.5, max_tokens=5, top_p=0.5, stop=("x",), seed=7, extra=extra)
    request = ModelRequest("m", messages, "be brief", params, stream=False)
    sent = ollama_chat.encode_request(request)
    assert (sent.path, sent.body) == ("/api/chat", REQUEST)
    assert ollama_chat.decode_request("/api/chat", REQUEST) == request


def test_an_answer_is_streamed_unless_the_request_says_no():
    assert ollama_chat.decode_request("/api/chat", b'{"model":"m","messages":[{"role":"user","content":"a"}]}').stream


@pytest.mark.parametrize(("path", "body"), [("/api/generate", REQUEST), ("/api/chat", b"[]"), ("/api/chat", b"{}")])
def test_a_request_that_is_not_of_this_wire(path, body):
    with pytest.raises(WireError):
        ollama_chat.decode_request(path, body)
