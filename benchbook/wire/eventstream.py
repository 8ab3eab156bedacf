"""AWS's `application/vnd.amazon.eventstream`: binary messages of typed headers and a payload, with two checksums.

    total length (4) | header length (4) | CRC32 of these 8 | headers | payload | CRC32 of all before it

The first checksum is proved as soon as its 12 bytes are there, so a damaged length never makes a reader wait.
Format: the AWS SDKs' "Event Stream Encoding" (smithy.io, "Amazon Event Stream Specification").
"""

from __future__ import annotations

import struct
from binascii import crc32
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from benchbook.errors import WireError

CONTENT_TYPE = "application/vnd.amazon.eventstream"
MOST_HEADERS = 128 * 1024
MOST_TOTAL = 24 * 1024 * 1024

HeaderValue = bool | int | bytes | str | UUID

_PRELUDE = struct.Struct("!III")
_CRC = struct.Struct("!I")
_NUMBERS = {2: struct.Struct("!b"), 3: struct.Struct("!h"), 4: struct.Struct("!i"), 5: struct.Struct("!q")}
_NUMBERS[8] = _NUMBERS[5]  # a timestamp: ms since 1970


@dataclass(frozen=True, slots=True)
class Message:
    """One message. Timestamps are int milliseconds since 1970."""

    headers: Mapping[str, HeaderValue] = field(default_factory=dict)
    payload: bytes = b""


class Reader:
    """Bytes, cut anywhere, to messages. Raises WireError for a checksum or a header that does not hold."""

    boundary: bytes | None = None
    """Messages end where their lengths say."""

    def __init__(self) -> None:
        self._rest = b""

    @property
    def at_rest(self) -> bool:
        return not self._rest

    def feed(self, data: bytes) -> Iterator[Message]:
        source, at = self._rest + data, 0
        while len(source) - at >= _PRELUDE.size:
            total, headers, checksum = _PRELUDE.unpack_from(source, at)
            if crc32(source[at : at + 8]) != checksum:
                raise WireError("event stream: the prelude's CRC does not match")
            if headers > MOST_HEADERS or not headers + 16 <= total <= MOST_TOTAL:
                raise WireError(f"event stream: impossible lengths ({total} bytes, {headers} of headers)")
            if len(source) - at < total:
                break
            yield _message(source[at : at + total], headers)
            at += total
        self._rest = source[at:]

    def close(self) -> Iterator[Message]:
        """A message that is not whole was cut off: nothing."""
        return iter(())


def _message(whole: bytes, headers: int) -> Message:
    if crc32(whole[:-4]) != _CRC.unpack_from(whole, len(whole) - 4)[0]:
        raise WireError("event stream: the message's CRC does not match")
    body = _PRELUDE.size + headers
    try:
        return Message(dict(_headers(whole[_PRELUDE.size : body])), whole[body:-4])
    except (struct.error, IndexError, UnicodeDecodeError, ValueError) as error:
        raise WireError(f"event stream: a header is malformed ({error})") from None


def _headers(source: bytes) -> Iterator[tuple[str, HeaderValue]]:
    at = 0
    while at < len(source):
        end = at + 1 + source[at]
        name, kind = source[at + 1 : end].decode(), source[end]
        value, at = _value(kind, source, end + 1)
        yield name, value


def _value(kind: int, source: bytes, at: int) -> tuple[HeaderValue, int]:
    """A header's value, and where the next header starts."""
    if kind in (0, 1):
        return kind == 0, at
    if kind in _NUMBERS:
        form = _NUMBERS[kind]
        return form.unpack_from(source, at)[0], at + form.size
    if kind in (6, 7):
        end = at + 2 + struct.unpack_from("!H", source, at)[0]
        value = source[at + 2 : end]
        if end > len(source):
            raise ValueError("it is longer than the headers")
        return (value if kind == 6 else value.decode()), end
    if kind == 9:
        return UUID(bytes=source[at : at + 16]), at + 16
    raise ValueError(f"there is no type {kind}")


def encode(headers: Mapping[str, str], payload: bytes) -> bytes:
    """A message with string headers, the only ones that Bedrock uses."""
    fields = b"".join(_field(name, value) for name, value in headers.items())
    prelude = struct.pack("!II", len(fields) + len(payload) + 16, len(fields))
    whole = prelude + _CRC.pack(crc32(prelude)) + fields + payload
    return whole + _CRC.pack(crc32(whole))


def _field(name: str, value: str) -> bytes:
    key, text = name.encode(), value.encode()
    return bytes((len(key),)) + key + b"\x07" + struct.pack("!H", len(text)) + text
