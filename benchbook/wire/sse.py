"""Server-sent events, both ways, after the WHATWG HTML standard's section on event streams.

Bytes in, frames out: data stays bytes, so that a character cut in two is whole again before anybody decodes it.
Lines end with LF, CR or CRLF, whichever the server likes. An event without its blank line was cut off and is
dropped, as the standard says; only `closing`, the data that a wire uses as its last word, counts without one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from benchbook.records import record

BOM = b"\xef\xbb\xbf"


@record
class ServerSentEvent:
    """One event. `event` and `id` are empty and `retry_ms` None where the server named none."""

    data: bytes
    event: str = ""
    id: str = ""
    retry_ms: int | None = None


@record
class Comment:
    """A line that starts with a colon: the usual keep-alive."""

    text: str


Frame = ServerSentEvent | Comment


class Reader:
    """Bytes, cut anywhere, to frames. `closing`: data that counts even when the stream ends right behind it."""

    def __init__(self, closing: bytes | None = None) -> None:
        self._closing = closing
        self._rest: list[bytes] = []
        self._skip_lf = False
        self._first = True
        self._data: list[bytes] = []
        self._event = self._id = ""
        self._retry_ms: int | None = None

    boundary: bytes | None = b"\n\n"
    """Where frames end in most streams; others are read all the same."""

    @property
    def at_rest(self) -> bool:
        """Nothing of a frame is held: the next byte begins one."""
        return not (self._rest or self._data or self._event or self._id)

    def feed(self, data: bytes) -> Iterable[Frame]:
        usual = data.startswith(b"data: ") and data.endswith(b"\n\n") and data.find(b"\n") == len(data) - 2
        if usual and b"\r" not in data and self.at_rest:
            self._first = self._skip_lf = False
            event, self._retry_ms = ServerSentEvent(data[6:-2], retry_ms=self._retry_ms), None
            return (event,)
        return self._frames(data)

    def _frames(self, data: bytes) -> Iterator[Frame]:
        for line in self._lines(data):
            if line:
                yield from self._field(line)
            else:
                yield from self._dispatch()

    def close(self) -> Iterator[Frame]:
        rest = b"".join(self._rest)
        self._rest = []
        if rest:
            yield from self._field(rest)
        if self._closing is not None and b"\n".join(self._data).strip() == self._closing:
            yield from self._dispatch()

    def _lines(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes, without their ends."""
        if self._skip_lf and data:
            self._skip_lf = False
            data = data.removeprefix(b"\n")
        if b"\n" not in data and b"\r" not in data:
            self._rest.append(data)
            return []
        whole = b"".join((*self._rest, data))
        lines = whole.splitlines()
        self._rest = [] if whole.endswith((b"\n", b"\r")) else [lines.pop()]
        self._skip_lf = whole.endswith(b"\r")
        if self._first:
            self._first = False
            lines[0] = lines[0].removeprefix(BOM)
        return lines

    def _field(self, line: bytes) -> Iterator[Frame]:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif not name:
            yield Comment(value.decode(errors="replace"))
        elif name == b"event":
            self._event = value.decode(errors="replace")
        elif name == b"id" and b"\0" not in value:
            self._id = value.decode(errors="replace")
        elif name == b"retry" and value.isdigit():
            self._retry_ms = int(value)

    def _dispatch(self) -> Iterator[Frame]:
        if self._data:
            yield ServerSentEvent(b"\n".join(self._data), self._event, self._id, self._retry_ms)
        self._data = []
        self._event = self._id = ""
        self._retry_ms = None


def encode(frame: Frame) -> bytes:
    """A frame as bytes, with LF line ends."""
    if isinstance(frame, Comment):
        return b": " + frame.text.encode() + b"\n\n"
    fields = (
        (b"event", frame.event.encode()),
        (b"id", frame.id.encode()),
        (b"retry", b"" if frame.retry_ms is None else b"%d" % frame.retry_ms),
    )
    head = b"".join(name + b": " + value + b"\n" for name, value in fields if value)
    return head + b"".join(b"data: " + line + b"\n" for line in frame.data.split(b"\n")) + b"\n"
