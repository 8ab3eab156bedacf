"""The framing of AWS event streams: all header types, both checksums."""

from __future__ import annotations

import struct
from binascii import crc32
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchbook.errors import WireError
from benchbook.wire.eventstream import Message, Reader, encode


def read(*pieces: bytes) -> list[Message]:
    reader = Reader()
    return [message for piece in pieces for message in reader.feed(piece)] + list(reader.close())


def framed(headers: bytes, payload: bytes = b"", *, total: int | None = None) -> bytes:
    """A message with right checksums over whatever it is given."""
    prelude = struct.pack("!II", 16 + len(headers) + len(payload) if total is None else total, len(headers))
    whole = prelude + struct.pack("!I", crc32(prelude)) + headers + payload
    return whole + struct.pack("!I", crc32(whole))


def header(kind: int, value: bytes, name: bytes = b"x") -> bytes:
    return bytes((len(name),)) + name + bytes((kind,)) + value


VALUES = {
    "true": (header(0, b""), True),
    "false": (header(1, b""), False),
    "byte": (header(2, b"\xff"), -1),
    "short": (header(3, b"\xff\xfe"), -2),
    "integer": (header(4, b"\x00\x01\x00\x00"), 65536),
    "long": (header(5, b"\xff" * 8), -1),
    "bytes": (header(6, b"\x00\x03a\xffb"), b"a\xffb"),
    "string": (header(7, b"\x00\x03a\xc3\xbc"), "aü"),
    "timestamp": (header(8, struct.pack("!q", 1_767_225_600_000)), 1_767_225_600_000),
    "uuid": (header(9, bytes(range(16))), UUID(bytes=bytes(range(16)))),
}


@pytest.mark.parametrize("row", VALUES)
def test_every_type_of_header(row):
    source, value = VALUES[row]
    body = framed(source + header(7, b"\x00\x01z", b"last"), b"payload")
    assert read(body) == [Message({"x": value, "last": "z"}, b"payload")]


def test_the_shortest_message():
    """The format's own test vector: no headers, no payload."""
    body = bytes.fromhex("00000010 00000000 05c248eb 7d98c8ff".replace(" ", ""))
    assert read(body) == [Message()]
    assert encode({}, b"") == body


MALFORMED = {
    "an unknown type": header(10, b""),
    "a value that is too short": header(4, b"\x00"),
    "a string that is too long": header(7, b"\x00\x09abc"),
    "a length that is cut off": header(7, b"\x00"),
    "a name that is too long": b"\x09ab",
    "a name that is no text": b"\x01\xff\x00",
    "a UUID that is too short": header(9, b"abc"),
}


@pytest.mark.parametrize("row", MALFORMED)
def test_a_malformed_header_is_a_wire_error(row):
    with pytest.raises(WireError, match="malformed"):
        read(framed(MALFORMED[row]))


@pytest.mark.parametrize("total", [0, 15, 17, 0xFFFFFFFF, 24 * 1024 * 1024 + 1])
def test_an_impossible_length_is_a_wire_error_at_once(total):
    with pytest.raises(WireError, match="impossible"):
        read(framed(header(0, b""), total=total)[:12])


def test_damage_at_any_bit_is_found_and_damage_of_lengths_at_once():
    first, body = encode({"a": "b"}, b"one"), encode({":event-type": "x"}, b'{"a":1}')
    for at in range(len(body)):
        for bit in range(8):
            damaged = body[:at] + bytes((body[at] ^ (1 << bit),)) + body[at + 1 :]
            with pytest.raises(WireError, match="CRC"):
                read(first, damaged)
            if at < 12:
                with pytest.raises(WireError, match="prelude"):
                    read(damaged[:12])


@given(
    written=st.lists(
        st.builds(
            Message,
            st.dictionaries(
                st.text(st.sampled_from("ab:-ü"), max_size=5),
                st.text(st.characters(exclude_categories=("Cs",)), max_size=9),
                max_size=3,
            ),
            st.binary(max_size=30),
        ),
        max_size=4,
    ),
    data=st.data(),
)
def test_what_is_written_is_read_at_any_cut(written, data):
    body = b"".join(encode(message.headers, message.payload) for message in written)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=4)))
    assert read(*(body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True))) == written
    assert read(body, b"\x00" * 5) == written
