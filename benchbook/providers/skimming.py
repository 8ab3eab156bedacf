"""A body's stamped pieces, read into a gathering: in bulk where frames repeat a shape, by the wire's reader elsewhere.

Both ways give the same events with the same stamps (a property test holds them to it); the bulk is some twenty times
cheaper, which is what lets one core decode thousands of streams a second.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchbook.providers.gathering import Gathering
from benchbook.wire import Reader
from benchbook.wire.events import Event
from benchbook.wire.shapes import KINDS, Shape, shape_lately, shape_of

SLICE_BYTES = 4096
"""Fed to a reader at once: about a quarter of a millisecond of work."""

_RUN = 64
_TRIES = 8
"""How many shapes are looked for in one answer: where each frame differs, looking would only cost."""


class Skimming:
    """Reads one answer."""

    def __init__(self, reader: Reader, gathering: Gathering) -> None:
        self._reader, self._gathering = reader, gathering
        self._shape: Shape | None = None
        self._tries = _TRIES

    def read(self, stamps: Sequence[int], pieces: Sequence[bytes]) -> Iterator[None]:
        """Read the pieces; a slice of work, at most a few thousand bytes, per item. Raises WireError."""
        place = 0
        while place < len(pieces):
            if taken := self._bulk(stamps[place : place + _RUN], pieces[place : place + _RUN]):
                place += taken
                yield
                continue
            stamp, piece = stamps[place], pieces[place]
            boundary = self._reader.boundary
            if boundary is None or piece.find(boundary) in (-1, len(piece) - len(boundary)):
                yield from self._sliced(stamp, piece)
            else:
                yield from self._cut(stamp, piece, boundary)
            place += 1

    def _bulk(self, stamps: Sequence[int], pieces: Sequence[bytes]) -> int:
        """Read the pieces at the head, each a frame of the known shape, in one go; how many were read."""
        reader = self._reader
        if reader.boundary is None or not reader.at_rest:
            return 0
        shape = self._shape = self._shape or shape_lately(pieces[0], reader)
        if shape is None or not shape.fits(pieces[0]):
            return 0
        end = len(pieces)
        while not shape.fits(pieces[end - 1]):
            end -= 1
        texts = shape.texts(pieces[:end])
        if texts is None:
            return 0
        self._gathering.take_texts(shape.kind, texts, stamps[:end])
        return end

    def _cut(self, stamp: int, piece: bytes, boundary: bytes) -> Iterator[None]:
        """A piece of several frames, frame by frame."""
        *frames, rest = piece.split(boundary)
        if not self._reader.at_rest:  # the end of a frame that began in an earlier piece
            yield from self._sliced(stamp, frames.pop(0) + boundary)
        whole = [frame + boundary for frame in frames]
        place = 0
        while place < len(whole):
            run = whole[place : place + _RUN]
            if taken := self._bulk([stamp] * len(run), run):
                yield
            else:
                yield from self._sliced(stamp, whole[place])
            place += taken or 1
        if rest:
            yield from self._sliced(stamp, rest)

    def _sliced(self, stamp: int, frame: bytes) -> Iterator[None]:
        """Bytes for the reader: a frame, as a rule."""
        if len(frame) <= SLICE_BYTES:
            self._frame(stamp, frame)
            yield
            return
        for start in range(0, len(frame), SLICE_BYTES):
            self._take(self._reader.feed(frame[start : start + SLICE_BYTES]), stamp)
            yield

    def _frame(self, stamp: int, frame: bytes) -> None:
        """A short frame, which may show the shape of those to come."""
        reader = self._reader
        whole = self._tries and reader.at_rest
        events = reader.feed(frame)
        self._take(events, stamp)
        if whole and len(events) == 1 and type(events[0]) in KINDS and reader.at_rest and reader.boundary is not None:
            found = shape_of(frame, events[0], reader)
            if found is not None:
                self._shape, self._tries = found, self._tries - 1

    def _take(self, events: Sequence[Event], stamp: int) -> None:
        for event in events:
            self._gathering.take(event, stamp)
