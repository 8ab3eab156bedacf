"""Shapes: reading a long stream's frames in bulk, where they differ in their text alone. Pure.

Most frames of a stream repeat each other byte for byte but for one JSON string. The wire's own reader reads such a
frame once and, as the proof, a second time with other words in that string; from then on frames of that shape need
no more than the string. Whatever does not fit goes to the reader, so that bulk and reader can't disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from benchbook.wire import Reader
from benchbook.wire.events import Event, ReasoningDelta, TextDelta

KINDS: dict[type, str] = {TextDelta: "text", ReasoningDelta: "reasoning"}
_PROBE = "benchbook reads this frame twice"
_ENCODED_PROBE = _PROBE.encode()


@dataclass(frozen=True, slots=True)
class Shape:
    """Frames that read `before` + the inside of a JSON string + `after`. `kind` is that of their chunks."""

    before: bytes
    after: bytes
    kind: str

    def fits(self, frame: bytes) -> bool:
        """Whether the frame may be of this shape; `texts` decides."""
        return (
            frame.startswith(self.before)
            and frame.endswith(self.after)
            and len(frame) > len(self.before) + len(self.after)
        )

    def texts(self, frames: Sequence[bytes]) -> list[str] | None:
        """The texts of frames that fit; None where what is between the ends is no one non-empty JSON string."""
        start, end = len(self.before), -len(self.after)
        joined = b'","'.join([frame[start:end] for frame in frames])
        try:
            texts: list[str] = orjson.loads(b'["%b"]' % joined)
        except orjson.JSONDecodeError:
            return None
        # A quote inside a frame would make two strings of one, or none at all.
        return texts if len(texts) == len(frames) and all(texts) else None


def shape_of(frame: bytes, events: Sequence[Event], reader: Reader) -> Shape | None:
    """The shape of a frame that `reader`, at rest again, has just read as `events`; None where it has none.

    The reader reads a probe: text changes nothing in what a reader remembers.
    """
    event = events[0] if len(events) == 1 else None
    if not isinstance(event, TextDelta | ReasoningDelta):
        return None
    try:
        inside = orjson.dumps(event.text)[1:-1]
    except TypeError:  # a lone surrogate
        return None
    at = frame.find(b'"%b"' % inside) + 1
    if at == 0 or frame.find(b'"%b"' % inside, at) >= 0:
        return None
    before, after = frame[:at], frame[at + len(inside) :]
    if reader.feed(before + _ENCODED_PROBE + after) != [type(event)(_PROBE)]:
        return None
    return Shape(before, after, KINDS[type(event)])
