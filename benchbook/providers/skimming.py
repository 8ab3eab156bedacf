"""A body's stamped pieces, read into a gathering: in bulk where frames repeat a shape, by the wire's reader elsewhere.

Both ways give the same events with the same stamps (a property test holds them to it); the bulk is some ten times
cheaper, which is what lets one core decode thousands of streams a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from benchbook.providers.gathering import Gathering
from benchbook.wire import Reader
from benchbook.wire.shapes import Shape, shape_of

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
        self._stamps: list[int] = []
        self._frames: list[bytes] = []

    def read(self, pieces: Iterable[tuple[int, bytes]]) -> Iterator[None]:
        """Read the pieces; a slice of work, at most a few thousand bytes, per item. Raises WireError."""
        for stamp, piece in pieces:
            shape = self._shape
            if (
                shape is not None  # the common case: a piece is one frame, and as the frame before
                and piece.startswith(shape.before)
                and piece.find(shape.after) == len(piece) - len(shape.after) >= len(shape.before)
                and (self._frames or self._fits(piece))
            ):
                self._stamps.append(stamp)
                self._frames.append(piece)
                if len(self._frames) >= _RUN:
                    self._flush()
                    yield
            else:
                yield from self._cut(stamp, piece)
        self._flush()

    def _cut(self, stamp: int, piece: bytes) -> Iterator[None]:
        """Frame by frame where the bytes can be cut into frames, else slice by slice."""
        start, boundary = 0, self._reader.boundary
        while boundary is not None and (self._frames or self._reader.at_rest or start == 0):
            end = piece.find(boundary, start) + len(boundary)
            if end < start + len(boundary):
                break
            yield from self._frame(stamp, piece[start:end])
            start, boundary = end, self._reader.boundary
        if start < len(piece):
            self._flush()
            yield from self._slices(stamp, piece[start:])

    def _frame(self, stamp: int, frame: bytes) -> Iterator[None]:
        if self._fits(frame):
            self._stamps.append(stamp)
            self._frames.append(frame)
            if len(self._frames) < _RUN:
                return
            self._flush()
            yield
            return
        self._flush()
        if len(frame) > SLICE_BYTES or not self._reader.at_rest:
            yield from self._slices(stamp, frame)
            return
        events = self._reader.feed(frame)
        for event in events:
            self._gathering.take(event, stamp)
        yield
        if self._tries and self._reader.boundary is not None and self._reader.at_rest:
            found = shape_of(frame, events, self._reader)
            if found is not None:
                self._shape, self._tries = found, self._tries - 1

    def _fits(self, frame: bytes) -> bool:
        """Whether the frame can wait for the bulk: the reader stands between two frames, and would read this one."""
        if self._shape is None or not self._shape.fits(frame):
            return False
        return bool(self._frames) or (self._reader.at_rest and self._reader.boundary is not None)

    def _slices(self, stamp: int, data: bytes) -> Iterator[None]:
        for start in range(0, len(data), SLICE_BYTES):
            for event in self._reader.feed(data[start : start + SLICE_BYTES]):
                self._gathering.take(event, stamp)
            yield

    def _flush(self) -> None:
        """Read the frames that wait: in bulk, or by the reader if they only looked alike."""
        frames, stamps, shape = self._frames, self._stamps, self._shape
        if not frames or shape is None:
            return
        self._frames, self._stamps = [], []
        texts = shape.texts(frames)
        if texts is not None:
            self._gathering.take_texts(shape.kind, texts, stamps)
            return
        for stamp, frame in zip(stamps, frames, strict=True):
            for event in self._reader.feed(frame):
                self._gathering.take(event, stamp)
