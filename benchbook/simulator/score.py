"""A response before it is played: beats of body bytes in time, and how the body ends. Pure.

A beat is one write, encoded before it is due. A stream's beats are made as they are taken, one ahead of the
one that waits: composing a whole answer at once would hold up every other stream's writes, and a burst of
requests would be late before its first byte. `frame` puts HTTP around the beats: chunked for streams,
Content-Length for the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from itertools import groupby
from typing import NamedTuple

from benchbook.simulator.timeline import CONTENT, Timed
from benchbook.wire import Writer
from benchbook.wire.events import ToolCallDelta

COMPLETE, CLOSE, RESET, HOLD = "complete", "close", "reset", "hold"
"""How a body ends: whole; connection closed too early; connection reset; never (until the client leaves)."""

RESET_GAP_MS = 1.0
"""A reset comes this long after the last write, so that the bytes before it are not overtaken."""


class Beat(NamedTuple):
    """One write. `kind` and `size` are those of the content chunk that it completes; '' = none."""

    at_ms: float
    data: bytes
    kind: str = ""
    size: int = 0


@dataclass(frozen=True, slots=True)
class Score:
    """A whole response. A stream's `beats` can be taken once. `declared` overrides the Content-Length of a body
    that is not streamed; `end_ms` is when an ending other than COMPLETE happens (None = right after the last)."""

    status: int
    headers: Mapping[str, str]
    beats: Iterable[Beat]
    streamed: bool
    ending: str = COMPLETE
    declared: int | None = None
    end_ms: float | None = None

    def framed(self, *, keep_alive: bool) -> Iterator[Beat]:
        """The beats with HTTP around them."""
        return frame(self, keep_alive=keep_alive)


def whole(status: int, headers: Mapping[str, str], body: bytes, at_ms: float = 0.0) -> Score:
    """A response that is not streamed."""
    return Score(status, headers, (Beat(at_ms, body),), streamed=False)


def perform(events: Iterable[Timed], writer: Writer) -> Iterator[Beat]:
    """Encode a stream's events: a beat for each content chunk, opened by what came with it, and one to close.

    A wire that holds content back (Ollama sends a tool call only when it is whole) makes its beat when it lets go.
    """
    held, held_ms, owed_kind, owed_size = b"", 0.0, "", 0
    for at_ms, event in events:
        data = writer.write(event)
        if held and at_ms > held_ms:
            yield Beat(held_ms, held)
            held = b""
        held, held_ms = held + data, at_ms
        kind = CONTENT.get(type(event), "")
        size = _size(event) if kind else 0
        if size:
            owed_kind, owed_size = kind, owed_size + size
        if data and (kind or owed_kind):
            yield Beat(at_ms, held, owed_kind, owed_size)
            held, owed_kind, owed_size = b"", "", 0
    if held:
        yield Beat(held_ms, held)


def _size(event: object) -> int:
    """UTF-8 size of a content event's text or arguments."""
    text = event.arguments if isinstance(event, ToolCallDelta) else getattr(event, "text", "")
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def merged(beats: Iterable[Beat]) -> bytes:
    """All bytes of the beats."""
    return b"".join([beat.data for beat in beats])


def due_ns(at_ms: float) -> int:
    """A beat's time in whole ns after the request."""
    return round(at_ms * 1_000_000)


def coalesced(beats: Iterable[Beat]) -> Iterator[Beat]:
    """Beats of the same instant as one write; its content counts as one chunk."""
    for at_ms, group in groupby(beats, key=lambda beat: beat.at_ms):
        together = tuple(group)
        kind = next((beat.kind for beat in together if beat.kind), "")
        yield Beat(at_ms, merged(together), kind, sum(beat.size for beat in together))


def frame(score: Score, *, keep_alive: bool) -> Iterator[Beat]:
    """The beats with HTTP/1.1 around them. The head goes with the first beat, the last chunk with the last."""
    if not score.streamed:
        beats = tuple(score.beats)
        length = len(merged(beats)) if score.declared is None else score.declared
        yield from _after(_head(score, {"content-length": str(length)}, keep_alive=keep_alive), beats)
        return
    chunks = _after(_head(score, {"transfer-encoding": "chunked"}, keep_alive=keep_alive), map(_chunk, score.beats))
    held = next(chunks, None)
    for beat in chunks:
        if held is not None:
            yield held
        held = beat
    if held is not None:
        yield held._replace(data=held.data + b"0\r\n\r\n") if score.ending == COMPLETE else held


def _after(head: bytes, beats: Iterable[Beat]) -> Iterator[Beat]:
    """The beats, the first one led by the head."""
    for at_ms, data, kind, size in beats:
        yield Beat(at_ms, head + data, kind, size)
        head = b""


def _chunk(beat: Beat) -> Beat:
    return Beat(beat.at_ms, b"%x\r\n%b\r\n" % (len(beat.data), beat.data), beat.kind, beat.size)


def _head(score: Score, framing: Mapping[str, str], *, keep_alive: bool) -> bytes:
    fields = {**score.headers, **framing, **({} if keep_alive else {"connection": "close"})}
    return head(score.status, fields.items()) + b"\r\n"


def head(status: int, fields: Iterable[tuple[str, str]]) -> bytes:
    """Status line and header fields, without the empty line behind them."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return f"HTTP/1.1 {status} {_reason(status)}\r\n{lines}".encode("latin-1")


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Overloaded" if status == 529 else "Unknown"
