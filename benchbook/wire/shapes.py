"""Shapes: reading a long stream's frames in bulk, where they differ in their text alone. Pure.

Most frames of a stream repeat each other byte for byte but for one JSON string. The wire's own reader reads such a
frame once and, as the proof, a second time with other words in that string; from then on frames of that shape need
no more than the string, and in other answers of the same shape no second reading. Whatever does not fit goes to the
reader, so that bulk and reader can't disagree.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import orjson

from benchbook.records import record
from benchbook.wire import Reader
from benchbook.wire.events import Event, ReasoningDelta, TextDelta

KINDS: dict[type, str] = {TextDelta: "text", ReasoningDelta: "reasoning"}
_PROBE = "benchbook reads this frame twice"
_ENCODED_PROBE = _PROBE.encode()
_Proof = tuple[str, tuple[bytes, ...], tuple[bytes, ...]]
"""A kind, and what stands before and after the text, each in the parts around what names its answer."""
_PROVEN: set[_Proof] = set()
"""Shapes that a probe has shown: what holds in one answer holds in the next."""
_MOST_PROVEN = 512
_LATELY: deque[_Proof] = deque(maxlen=4)
"""The newest of them, for wires whose frames name their answer."""


@record
class Shape:
    """Frames that read `before` + the inside of a JSON string + `after`. `kind` is that of their chunks."""

    before: bytes
    after: bytes
    kind: str

    def fits(self, frame: bytes) -> bool:
        """Whether the frame may be of this shape; `texts` decides."""
        return frame.startswith(self.before) and frame.endswith(self.after)

    def leading(self, frames: Sequence[bytes], end: bytes = b"") -> list[str]:
        """The texts of those frames at the head that are of this shape, each frame's one. end: what was taken off
        the end of every frame."""
        bare = Shape(self.before, self.after[: len(self.after) - len(end)], self.kind) if end else self
        if not frames or not bare.fits(frames[0]):
            return []
        count = len(frames)
        while not bare.fits(frames[count - 1]):
            count -= 1
        texts = bare.texts(frames[:count])
        if texts is None:
            count = next((place for place, frame in enumerate(frames) if not bare.fits(frame)), 0)
            texts = bare.texts(frames[:count])
        return texts or []

    def texts(self, frames: Sequence[bytes]) -> list[str] | None:
        """The texts of frames of this shape; None where any of them is not before + non-empty JSON string + after.

        All at once: what is left of each frame between the two is put between them again, and if that makes the same
        bytes, of the same lengths, then every frame has this shape.
        """
        before, after = self.before, self.after
        inside = slice(len(before), -len(after))
        parts = [frame[inside] for frame in frames]
        if b"%b%b%b" % (before, (after + before).join(parts), after) != b"".join(frames):
            return None
        strings = b'","'.join(parts)
        try:
            texts: list[str] = orjson.loads(b'["%b"]' % strings)
        except orjson.JSONDecodeError:
            return None
        # A quote inside a frame would make two strings of one, or none; a lone backslash at its end, one of two.
        if len(texts) != len(frames) or not all(texts) or (b"\\" in strings and any(map(_escapes_on, parts))):
            return None
        return texts


def _escapes_on(part: bytes) -> bool:
    """Whether the part ends in a backslash that escapes what follows."""
    return (len(part) - len(part.rstrip(b"\\"))) % 2 == 1


def shape_of(frame: bytes, event: Event, reader: Reader) -> Shape | None:
    """The shape of a frame that `reader`, at rest again, has just read as that one event; None where it has none.

    The reader reads a probe: text changes nothing in what a reader remembers.
    """
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
    name, kind = reader.name, KINDS[type(event)]
    around = (before.split(name), after.split(name)) if name else ([before], [after])
    proof = (kind, tuple(around[0]), tuple(around[1]))
    if proof not in _PROVEN:
        if reader.feed(before + _ENCODED_PROBE + after) != [type(event)(_PROBE)]:
            return None
        if len(_PROVEN) >= _MOST_PROVEN:
            _PROVEN.clear()
        _PROVEN.add(proof)
    if name and proof not in _LATELY:
        _LATELY.append(proof)
    return Shape(before, after, kind)


def shape_lately(frame: bytes, reader: Reader) -> Shape | None:
    """The shape that the frame may be of, among those of other answers; None until the reader knows its own name.

    By then an answer has begun, and a frame of text alone says in it what it says in any other.
    """
    name = reader.name
    for kind, before, after in _LATELY if name else ():
        shape = Shape(name.join(before), name.join(after), kind)
        if shape.fits(frame):
            return shape
    return None
