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
        self._boundary, self._at_rest = reader.boundary, reader.at_rest

    def read(self, stamps: Sequence[int], pieces: Sequence[bytes]) -> Iterator[None]:
        """Read the pieces; a slice of work, at most a few thousand bytes, per item. Raises WireError."""
        place = 0
        while place < len(pieces):
            piece, boundary = pieces[place], self._boundary
            if self._may_be_known(piece) and (texts := self._leading(pieces[place : place + _RUN])):
                self._take_texts(texts, stamps[place : place + len(texts)])
                place += len(texts)
                yield
                continue
            if boundary is not None and piece.find(boundary) not in (-1, len(piece) - len(boundary)):
                yield from self._frames(stamps[place], piece, boundary)
            elif len(piece) <= SLICE_BYTES:
                self._frame(stamps[place], piece)
                yield
            else:
                yield from self._sliced(stamps[place], piece)
            place += 1

    def _frames(self, stamp: int, piece: bytes, boundary: bytes) -> Iterator[None]:
        """A piece of several frames: those of a known shape in bulk, the others one by one."""
        *frames, rest = piece.split(boundary)
        place = 0
        while place < len(frames):
            frame = frames[place] + boundary
            if self._may_be_known(frame) and (texts := self._leading(frames[place : place + _RUN], boundary)):
                self._take_texts(texts, [stamp] * len(texts))
                place += len(texts)
                yield
                continue
            if len(frame) <= SLICE_BYTES:
                self._frame(stamp, frame)
                yield
            else:
                yield from self._sliced(stamp, frame)
            place += 1
        if rest:
            yield from self._sliced(stamp, rest)

    def _may_be_known(self, frame: bytes) -> bool:
        """Whether the next frame may be of a shape that is known, here or from answers before."""
        if not self._at_rest or self._boundary is None:
            return False
        if self._shape is None:
            self._shape = shape_lately(frame, self._reader)
        return self._shape is not None and frame.startswith(self._shape.before)

    def _leading(self, frames: Sequence[bytes], end: bytes = b"") -> Sequence[str]:
        return self._shape.leading(frames, end) if self._shape else ()

    def _take_texts(self, texts: Sequence[str], stamps: Sequence[int]) -> None:
        if self._shape:
            self._gathering.take_texts(self._shape.kind, texts, stamps)

    def _sliced(self, stamp: int, data: bytes) -> Iterator[None]:
        """Many bytes at once, for the reader."""
        for start in range(0, len(data), SLICE_BYTES):
            self._feed(stamp, data[start : start + SLICE_BYTES])
            yield

    def _frame(self, stamp: int, frame: bytes) -> None:
        """A short frame, which may show the shape of those to come."""
        whole = self._at_rest and self._tries
        events = self._feed(stamp, frame)
        if whole and len(events) == 1 and type(events[0]) in KINDS and self._at_rest and self._boundary is not None:
            found = shape_of(frame, events[0], self._reader)
            if found is not None:
                self._shape, self._tries = found, self._tries - 1

    def _feed(self, stamp: int, data: bytes) -> Sequence[Event]:
        events = self._reader.feed(data)
        for event in events:
            self._gathering.take(event, stamp)
        self._boundary, self._at_rest = self._reader.boundary, self._reader.at_rest
        return events
