"""JSON objects, one a line. Blank lines are passed over; a last line without its end counts if it is a whole object."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchbook.errors import WireError
from benchbook.wire.objects import Object, dump, load


class Reader:
    """Bytes, cut anywhere, to objects. Raises WireError for a line that is not a JSON object."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []

    boundary: bytes | None = b"\n"

    @property
    def at_rest(self) -> bool:
        """Nothing of a line is held."""
        return not any(self._rest)

    def feed(self, data: bytes) -> Iterator[Object]:
        if b"\n" not in data:
            self._rest.append(data)
            return
        *lines, rest = b"".join((*self._rest, data)).split(b"\n")
        self._rest = [rest]
        for line in lines:
            if line.strip():
                yield load(line)

    def close(self) -> Iterator[Object]:
        rest = b"".join(self._rest).strip()
        self._rest = []
        try:
            last = load(rest)
        except WireError:  # cut off in the middle
            return
        yield last


def encode(value: Any) -> bytes:
    return dump(value) + b"\n"
