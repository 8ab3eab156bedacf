"""Bulk and reader agree: whatever the wire, the words and the cuts, skimming gives what feeding the reader gives."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchbook.errors import WireError
from benchbook.providers.gathering import Gathering
from benchbook.providers.skimming import Skimming
from benchbook.records import Message, ModelRequest
from benchbook.wire import Reader, events, wire
from benchbook.wire.shapes import shape_of

WIRES = ("openai_chat", "anthropic_messages", "ollama_chat", "bedrock_converse", "bedrock_invoke")
MODELS = {"bedrock_invoke": "anthropic.claude-v1:0"}
TEXTS = st.lists(
    st.tuples(
        st.sampled_from([events.TextDelta, events.ReasoningDelta]),
        st.one_of(
            st.text(min_size=1, max_size=6),
            st.sampled_from(['"', "\\", '","', "\n\n", '"}}]}\n\ndata: ', "[DONE]", "x", "id", "\u2028", "{}"]),
        ),
    ),
    max_size=30,
)


def spoken(name: str, said: Iterable[events.Event], answer_id: str = "r-1") -> list[bytes]:
    """The frames of a whole streamed answer, one a piece."""
    spec = wire(name)
    request = ModelRequest(MODELS.get(name, "m-1"), (Message("user", "hi"),))
    writer = spec.writer(request, request_id=answer_id)
    story = [events.Started("", "m-1", None), *said, events.Finished("stop"), events.Ended()]
    return [piece for event in story if (piece := writer.write(event))]


def outcome(reader: Reader, pieces: list[tuple[int, bytes]], *, bulk: bool) -> tuple[object, ...]:
    """All that is gathered, and the error if there is one."""
    gathering, error = Gathering(streamed=True), None
    try:
        if bulk:
            for _ in Skimming(reader, gathering).read([at for at, _ in pieces], [piece for _, piece in pieces]):
                pass
        else:
            for stamp, piece in pieces:
                for event in reader.feed(piece):
                    gathering.take(event, stamp)
        for event in reader.close():
            gathering.take(event, 10**6)
    except WireError as damage:
        error = str(damage)
    facts = (gathering.text, gathering.reasoning, gathering.chunks, gathering.model, gathering.finish_reason)
    return (*facts, gathering.usage, gathering.ended, gathering.failed, error)


def agree(name: str, pieces: list[bytes]) -> None:
    stamped = list(enumerate(pieces, 1))
    plain = outcome(wire(name).reader(stream=True), stamped, bulk=False)
    assert outcome(wire(name).reader(stream=True), stamped, bulk=True) == plain


@pytest.mark.parametrize("name", WIRES)
@given(said=TEXTS)
def test_a_frame_a_piece(name: str, said: list[tuple[type[events.TextDelta], str]]) -> None:
    agree(name, spoken(name, [kind(text) for kind, text in said]))


@pytest.mark.parametrize("name", WIRES)
@given(said=TEXTS, cuts=st.lists(st.integers(0, 4000), max_size=12))
def test_any_cuts(name: str, said: list[tuple[type[events.TextDelta], str]], cuts: list[int]) -> None:
    whole = b"".join(spoken(name, [kind(text) for kind, text in said]))
    places = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    agree(name, [whole[start:end] for start, end in itertools.pairwise(places)])


def test_what_one_answer_taught_holds_in_others_and_only_where_it_does() -> None:
    """Answers that differ in their ids and in the fields around the text, one after the other."""
    said = [events.TextDelta(text) for text in ("ab", '"', "c", "\u00fc", "d")]
    thought = [events.ReasoningDelta("so"), *said, events.ReasoningDelta("x")]
    for answer_id, told in itertools.product(("one", "two", 'odd"id\\', "", "two"), (said, thought)):
        pieces = spoken("openai_chat", told, answer_id)
        agree("openai_chat", pieces)
        agree("openai_chat", [pieces[0] + pieces[1], *pieces[2:]])
        agree("openai_chat", [piece.replace(b'"index":0', b'"index":1') for piece in pieces])
        agree("openai_chat", pieces[1:])


@pytest.mark.parametrize("name", WIRES)
@given(
    said=st.lists(st.text("ab", min_size=1, max_size=3), min_size=3, max_size=12),
    at=st.integers(2, 10),
    damage=st.sampled_from([b"\n", b'"', b"\\", b"data: x\n\n", b"}", b'","', b"\0"]),
)
def test_damaged_bytes(name: str, said: list[str], at: int, damage: bytes) -> None:
    """Frames that only look as those before are read, or refused, as the reader does it."""
    pieces = spoken(name, [events.TextDelta(text) for text in said])
    place = min(at, len(pieces) - 1)
    middle = len(pieces[place]) // 2
    for spot in (0, middle, len(pieces[place])):
        hurt = pieces[place][:spot] + damage + pieces[place][spot:]
        agree(name, [*pieces[:place], hurt, *pieces[place + 1 :]])


def test_two_damaged_frames_do_not_make_up_for_each_other() -> None:
    """One escapes its last quote and the other has one too many: side by side they would read as two strings."""
    pieces = spoken("openai_chat", [events.TextDelta(text) for text in ("ab", "cd", "ef", "gh")])
    lacking, having = pieces[2].replace(b"cd", b"c\\"), pieces[3].replace(b"ef", b',"f')
    agree("openai_chat", [*pieces[:2], lacking, having, *pieces[4:]])
    agree("openai_chat", [b"".join(pieces[:2]), lacking + having, *pieces[4:]])


@pytest.mark.parametrize("name", ["openai_chat", "anthropic_messages"])
def test_frames_of_another_kind_between_those_of_a_shape(name: str) -> None:
    pieces = spoken(name, [events.TextDelta(text) for text in "abcdefgh"])
    other = {"openai_chat": b": still there\n\n", "anthropic_messages": b'event: ping\ndata: {"type": "ping"}\n\n'}[
        name
    ]
    for place in range(2, len(pieces)):
        told = [*pieces[:place], other, *pieces[place:]]
        agree(name, told)
        agree(name, [b"".join(told)])
        agree(name, [told[0], b"".join(told[1:4]), b"".join(told[4:])])


def test_words_that_only_stand_where_text_stood_are_not_read_as_text() -> None:
    """A field that happens to hold the same words is no shape: the probe shows that the text comes from elsewhere."""
    frame = b'data: {"id":"ab","choices":[{"index":0,"delta":{"content":"\\u0061b"}}]}\n\n'
    reader = wire("openai_chat").reader(stream=True)
    found = reader.feed(frame)
    assert found[-1:] == [events.TextDelta("ab")]
    assert shape_of(frame, found[-1], reader) is None


def test_a_shape_reads_only_whole_strings() -> None:
    frame = b'data: {"choices":[{"index":0,"delta":{"content":"ab"}}]}\n\n'
    reader = wire("openai_chat").reader(stream=True)
    reader.feed(frame)
    shape = shape_of(frame, reader.feed(frame)[0], reader)
    assert shape is not None
    assert shape.texts([frame, frame.replace(b"ab", b"\\u00fc c")]) == ["ab", "\u00fc c"]
    for hostile in (b'a","b', b'a","role":"b', b"a\\", b""):
        assert shape.texts([frame, frame.replace(b"ab", hostile)]) is None
