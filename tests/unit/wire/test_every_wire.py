"""Laws that hold for every wire, with answers and requests that Hypothesis makes up."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import orjson
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from benchbook.errors import WireError
from benchbook.records import Message, ModelRequest, Params, ToolCall, ToolSpec, Usage
from benchbook.wire import WIRES, wire
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

CASES = [
    ("openai_chat", "gpt-sim"),
    ("anthropic_messages", "claude-sim"),
    ("bedrock_converse", "arn:aws:bedrock:us-east-1:1:inference-profile/us.x.y-v1:0"),
    ("bedrock_invoke", "us.anthropic.claude-sim-v1:0"),
    ("bedrock_invoke", "amazon.nova-sim-v1:0"),
    ("ollama_chat", "llama:3b"),
]
few = settings(max_examples=25)
"""Every law is tried on every wire: enough of them together."""
every_wire = pytest.mark.parametrize(("name", "model"), CASES)

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
words = st.text(st.sampled_from("abcdefgh_0"), min_size=1, max_size=8)
counts = st.integers(0, 10**9)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=5,
)
objects = st.dictionaries(words, values, max_size=3)
arguments = objects.filter(bool).map(lambda value: orjson.dumps(value).decode())


def path_of(name: str, path: str) -> str:
    return f"/v1{path}" if name == "openai_chat" else path


# ---------------------------------------------------------------- requests


@st.composite
def requests(draw: st.DrawFn) -> ModelRequest:
    """Requests that every wire can carry: turns that alternate, no seed, a maximum, an extra field of its own."""
    messages: list[Message] = []
    for turn in range(draw(st.integers(1, 3))):
        messages.append(Message("user", draw(texts)))
        if draw(st.booleans()):
            calls = tuple(
                ToolCall(f"c{turn}{at}", draw(words), draw(arguments)) for at in range(draw(st.integers(1, 2)))
            )
            messages.append(Message("assistant", draw(texts), calls))
            messages.extend(Message("tool", draw(texts), tool_call_id=call.id) for call in calls)
        else:
            messages.append(Message("assistant", draw(texts)))
    rates = st.none() | st.floats(0, 1)
    params = Params(
        temperature=draw(rates),
        max_tokens=draw(st.integers(1, 10**6)),
        top_p=draw(rates),
        stop=tuple(draw(st.lists(texts, max_size=3))),
        extra={"x_" + key: value for key, value in draw(objects).items()},
    )
    tools = tuple(ToolSpec(draw(words), draw(texts), draw(objects)) for _ in range(draw(st.integers(0, 2))))
    return ModelRequest("", tuple(messages), draw(st.none() | texts), params, tools, draw(st.booleans()))


@every_wire
@few
@given(request=requests())
def test_a_request_comes_back_as_it_was_sent(name, model, request):
    request = replace(request, model=model)
    sent = wire(name).encode_request(request)
    assert wire(name).decode_request(path_of(name, sent.path), sent.body) == request


@pytest.mark.parametrize("name", ["openai_chat", "ollama_chat"])
@few
@given(seed=st.integers(-(2**53), 2**53), most=st.none() | st.integers(1, 99))
def test_these_wires_carry_a_seed_and_need_no_maximum(name, seed, most):
    request = ModelRequest("m", (Message("user", "hi"),), params=Params(seed=seed, max_tokens=most))
    sent = wire(name).encode_request(request)
    assert wire(name).decode_request(path_of(name, sent.path), sent.body) == request


@every_wire
@few
@given(body=st.binary(max_size=80) | objects.map(orjson.dumps))
def test_a_request_of_anything_is_a_request_or_a_wire_error(name, model, body):
    path = wire(name).encode_request(ModelRequest(model, (Message("user", "hi"),))).path
    with suppress(WireError):
        assert isinstance(wire(name).decode_request(path, body), ModelRequest)


# ---------------------------------------------------------------- answers


@st.composite
def answers(draw: st.DrawFn) -> list[Event]:
    """A complete answer in the order of a stream."""
    events: list[Event] = [Started("id-1", "served")]
    for kind in (ReasoningDelta, TextDelta):
        events += draw(st.lists(st.builds(kind, texts) | st.just(Ping()), max_size=4))
    for index in range(draw(st.integers(0, 2))):
        whole = draw(arguments)
        cut = draw(st.integers(0, len(whole)))
        events += [ToolCallStarted(index, f"t{index}", draw(words))]
        events += [ToolCallDelta(index, whole[:cut]), ToolCallDelta(index, whole[cut:])]
    events.append(Finished(draw(st.sampled_from(["stop", "length"]))))
    if draw(st.booleans()):
        events.append(UsageReported(Usage(input=draw(st.integers(1, 10**9)), output=draw(counts))))
    return [*events, Ended()]


def written(name: str, request: ModelRequest, events: list[Event]) -> bytes:
    writer = wire(name).writer(request, request_id="r")
    return b"".join(writer.write(event) for event in events)


def read(name: str, pieces: list[bytes], *, stream: bool) -> list[Event]:
    reader = wire(name).reader(stream=stream)
    return [event for piece in pieces for event in reader.feed(piece)] + reader.close()


def content(events: list[Event]) -> dict[str, object]:
    """What an answer says in the end, whatever its pieces."""
    calls = {event.index: [event.id, event.name, ""] for event in events if isinstance(event, ToolCallStarted)}
    for event in events:
        if isinstance(event, ToolCallDelta):
            calls[event.index][2] += event.arguments
    return {
        "text": "".join(event.text for event in events if isinstance(event, TextDelta)),
        "reasoning": "".join(event.text for event in events if isinstance(event, ReasoningDelta)),
        "calls": {index: (call[0], call[1], orjson.loads(call[2])) for index, call in calls.items()},
        "finished": [event.reason for event in events if isinstance(event, Finished)],
        "usage": [event.usage for event in events if isinstance(event, UsageReported)],
        "ended": [isinstance(event, Ended) for event in events].count(True),
    }


@every_wire
@pytest.mark.parametrize("stream", [True, False])
@few
@given(events=answers(), data=st.data())
def test_an_answer_says_what_was_written_wherever_it_is_cut(name, model, stream, events, data):
    request = ModelRequest(model, (Message("user", "hi"),), stream=stream)
    body = written(name, request, events)
    uncut = read(name, [body], stream=stream)
    assert content(uncut) == content(events)
    assert isinstance(uncut[-1], Ended)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=6)))
    pieces = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert read(name, pieces, stream=stream) == uncut


@every_wire
@few
@given(events=answers())
def test_events_with_content_hold_some(name, model, events):
    body = written(name, ModelRequest(model, (Message("user", "hi"),)), events)
    for event in read(name, [body], stream=True):
        assert not isinstance(event, TextDelta | ReasoningDelta) or event.text
        assert not isinstance(event, ToolCallDelta) or event.arguments


@every_wire
@few
@given(events=answers(), data=st.data())
def test_a_stream_that_is_cut_off_has_no_end_and_no_damage(name, model, events, data):
    """Converse and Nova are complete at messageStop as well: see converse_answers."""
    body = written(name, ModelRequest(model, (Message("user", "hi"),)), events)
    whole = read(name, [body], stream=True)
    cut = body[: data.draw(st.integers(0, len(body) - 1))]
    assume(cut.rstrip() != body.rstrip())
    events = read(name, [cut], stream=True)
    stopped = any(isinstance(event, Finished) for event in events)
    assert Ended() not in events or (stopped and ("converse" in name or "nova" in model))
    said = [event for event in events if not isinstance(event, Ended)]
    assert said == whole[: len(said)]


@every_wire
@pytest.mark.parametrize("stream", [True, False])
@few
@given(body=st.binary(max_size=200))
def test_any_bytes_are_read_or_are_a_wire_error(name, model, stream, body):
    with suppress(WireError):
        assert isinstance(read(name, [body[:50], body[50:]], stream=stream), list)


@every_wire
def test_a_failure_in_a_stream_is_read_as_it_was_written(name, model):
    events = [Started("id-1", "served"), TextDelta("a"), Failed("error", "out of memory")]
    body = written(name, ModelRequest(model, (Message("user", "hi"),)), events)
    assert read(name, [body], stream=True)[-2:] == events[-2:]


@every_wire
def test_a_timing_has_a_place_on_some_wires(name, model):
    told = TimingReported({"latency_ms": 12.0, "total_ms": 34.5})
    body = written(name, ModelRequest(model, (Message("user", "hi"),)), [Started(), Finished("stop"), told, Ended()])
    read_back = [event for event in read(name, [body], stream=True) if isinstance(event, TimingReported)]
    theirs = {"latency_ms": 12.0} if "bedrock" in name else {"total_ms": 34.5} if "ollama" in name else None
    assert read_back == ([] if theirs is None else [TimingReported(theirs)])


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize("name", WIRES)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 418, 429, 500, 503, 529])
def test_an_error_body_in_both_directions(name, status):
    error = wire(name).decode_error(status, wire(name).encode_error(status, "slow down"))
    assert error.message == "slow down"
    assert bool(error.kind) == (name != "ollama_chat" and (not name.startswith("bedrock") or status in BEDROCK_NAMES))


BEDROCK_NAMES = (400, 403, 404, 429, 500, 503)


def test_bedrock_names_its_errors_in_a_header():
    for name in WIRES:
        headers = {status: wire(name).error_headers(status) for status in (418, 429, 502)}
        kinds = {418: "ValidationException", 429: "ThrottlingException", 502: "InternalServerException"}
        expected = {status: {"x-amzn-ErrorType": kind} for status, kind in kinds.items()}
        assert headers == (expected if name.startswith("bedrock") else {status: {} for status in kinds})


@pytest.mark.parametrize("name", WIRES)
@few
@given(body=st.binary(max_size=400) | values.map(orjson.dumps), status=st.integers(100, 599))
def test_reading_an_error_body_never_raises_and_gives_one_printable_line(name, body, status):
    error = wire(name).decode_error(status, body)
    assert len(error.message) <= 300
    assert all(sign.isprintable() or sign == " " for sign in error.message if ord(sign) < 0x300)
    assert error.message == error.message.strip()


def test_an_unknown_wire_is_a_key_error():
    with pytest.raises(KeyError):
        wire("carrier_pigeon")


CONTENT_TYPES = {
    "openai_chat": "text/event-stream; charset=utf-8",
    "anthropic_messages": "text/event-stream; charset=utf-8",
    "bedrock_converse": "application/vnd.amazon.eventstream",
    "bedrock_invoke": "application/vnd.amazon.eventstream",
    "ollama_chat": "application/x-ndjson",
}


@every_wire
def test_content_types(name, model):
    for stream, expected in ((True, CONTENT_TYPES[name]), (False, "application/json")):
        request = ModelRequest(model, (Message("user", "hi"),), stream=stream)
        assert wire(name).writer(request, request_id="r").content_type == expected
