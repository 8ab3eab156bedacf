"""One JSON value with its checksum, as one line of bytes.

    {"crc32":"0a1b2c3d","trial":{...}}\\n

The checksum is of the value's exact bytes. The prefix has a fixed width and JSON escapes quotes inside strings,
so the prefix's first bytes occur nowhere but at a record's start: a reader needs no re-serialisation, and finds
whole records again inside a line whose newline was lost.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from typing import Any

import orjson

_MARK = b'{"crc32":"'
_CRC_END = len(_MARK) + 8


class FrameError(ValueError):
    """Bytes that are no whole, unharmed frame; the message says what is wrong with them."""


def framed(name: str, value: Any) -> bytes:
    """The value under `name`, with its checksum, as one line."""
    payload = encoded(value)
    return b'%s%08x","%s":%s}\n' % (_MARK, zlib.crc32(payload), name.encode(), payload)


def unframed(name: str, line: bytes) -> Any:
    """The value of a line that `framed` wrote. Raises FrameError."""
    start = len(prefix := b'","' + name.encode() + b'":') + _CRC_END
    if not line.startswith(_MARK) or line[_CRC_END:start] != prefix:
        raise FrameError("not a record")
    if not line.endswith(b"}\n"):
        raise FrameError("cut short")
    payload = line[start:-2]
    if b"%08x" % zlib.crc32(payload) != line[len(_MARK) : _CRC_END]:
        raise FrameError("checksum does not match")
    return decoded(payload)


def named(name: str, line: bytes) -> bool:
    """Whether the line is a record under this name, as far as its first bytes say."""
    mark = b'","' + name.encode() + b'":'
    return line.startswith(mark, _CRC_END) and line.startswith(_MARK)


def frames_in(line: bytes) -> Iterator[bytes]:
    """The records of a line whose newlines were lost, each with a newline of its own; harmed ones as they are."""
    before, *rest = line.split(_MARK)
    if before:
        yield before
    for number, piece in enumerate(rest, 1):
        whole = _MARK + piece
        closed_but_for_newline = number == len(rest) and line.endswith(b"}")
        yield whole + b"\n" if closed_but_for_newline else whole[:-1] + b"\n"


def encoded(value: Any) -> bytes:
    """The value as JSON. What orjson refuses (lone surrogates, integers beyond 64 bits) is escaped by json."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, separators=(",", ":")).encode()


def decoded(payload: bytes) -> Any:
    """What `encoded` wrote. Raises FrameError."""
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(payload)
    except ValueError as error:
        raise FrameError(f"not JSON ({error})") from None
