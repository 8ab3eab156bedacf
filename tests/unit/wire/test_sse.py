"""The framing of server-sent events, as the standard's own examples and its edges have it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchbook.wire.sse import Comment, Reader, ServerSentEvent, encode

TABLE = {
    "two events of one line each": (b"data: a\n\ndata: b\n\n", [ServerSentEvent(b"a"), ServerSentEvent(b"b")]),
    "several lines": (b"data: YHOO\ndata: +2\ndata: 10\n\n", [ServerSentEvent(b"YHOO\n+2\n10")]),
    "CR": (b"data: a\rdata: b\r\rdata: c\r\r", [ServerSentEvent(b"a\nb"), ServerSentEvent(b"c")]),
    "CRLF": (b"data: a\r\ndata: b\r\n\r\n", [ServerSentEvent(b"a\nb")]),
    "mixed ends": (
        b"data: a\r\n\ndata: b\n\r\ndata: c\n\r",
        [ServerSentEvent(b"a"), ServerSentEvent(b"b"), ServerSentEvent(b"c")],
    ),
    "a BOM, once": (b"\xef\xbb\xbfdata: a\n\n\xef\xbb\xbfdata: b\n\n", [ServerSentEvent(b"a")]),
    "comments, inside an event as well": (
        b": first\n\ndata: a\n:second\ndata: b\n\n",
        [Comment("first"), Comment("second"), ServerSentEvent(b"a\nb")],
    ),
    "all fields": (
        b"event: add\nid: 7\nretry: 1500\ndata: a\n\ndata: b\n\n",
        [ServerSentEvent(b"a", "add", "7", 1500), ServerSentEvent(b"b")],
    ),
    "fields that do not count": (
        b"retry: soon\nid: a\0b\nwhatever: x\ndata: a\n\n",
        [ServerSentEvent(b"a")],
    ),
    "no data, no event": (b"event: x\nid: 1\n\ndata: a\n\n", [ServerSentEvent(b"a")]),
    "data that is empty, and a name without a colon": (
        b"data\n\ndata\ndata\n\n",
        [ServerSentEvent(b""), ServerSentEvent(b"\n")],
    ),
    "one space after the colon is taken off": (b"data:a\ndata:  b\n\n", [ServerSentEvent(b"a\n b")]),
    "an event without its blank line is cut off": (b"data: a\n\ndata: b\n", [ServerSentEvent(b"a")]),
    "a line without its end is cut off": (b"data: a", []),
    "a form feed and a line separator end no line": (
        "data: a\x0c\x1c\u2028\x85b\n\n".encode(),
        [ServerSentEvent("a\x0c\x1c\u2028\x85b".encode())],
    ),
    "nothing": (b"", []),
}


def read(*pieces: bytes, closing: bytes | None = None) -> list[object]:
    reader = Reader(closing)
    return [frame for piece in pieces for frame in reader.feed(piece)] + list(reader.close())


@pytest.mark.parametrize("row", TABLE)
def test_reading_at_every_cut(row):
    body, frames = TABLE[row]
    assert read(body) == frames
    for cut in range(len(body) + 1):
        assert read(body[:cut], body[cut:]) == frames
        assert read(body[:cut], b"", body[cut:]) == frames
    assert read(*(body[at : at + 1] for at in range(len(body)))) == frames


@pytest.mark.parametrize("end", [b"", b"\n", b"\r", b"\r\n", b"\n\n"])
def test_the_last_word_needs_no_blank_line(end):
    assert read(b"data: [DONE]" + end, closing=b"[DONE]") == [ServerSentEvent(b"[DONE]")]
    assert read(b"data: [DON" + end[:1], closing=b"[DONE]") == []


plain = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=10)
frames = st.builds(
    ServerSentEvent,
    data=st.binary(max_size=30).map(lambda data: data.replace(b"\r", b"\n")),
    event=plain,
    id=plain,
    retry_ms=st.none() | st.integers(0, 9999),
) | st.builds(Comment, plain)


@given(written=st.lists(frames, max_size=5), data=st.data())
def test_what_is_written_is_read(written, data):
    body = b"".join(map(encode, written))
    cut = data.draw(st.integers(0, len(body)))
    assert read(body[:cut], body[cut:]) == written
