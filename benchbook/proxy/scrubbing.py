"""What may not be on a cassette, and how it is taken out before anything touches the disk.

Request headers are kept by name (a short list of harmless ones), so a key in any other can't slip through. What
the others said is a secret of this exchange, and is searched for, with everything that looks like a key or has
a key's name, in paths, bodies and the answer's headers. In answers a secret is starred out byte for byte, across
pieces, so that sizes and offsets stay true; binary event streams get their checksums anew.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

import orjson

from benchbook.errors import WireError
from benchbook.providers import keys
from benchbook.proxy.cassette import Fields
from benchbook.results.frame import encoded
from benchbook.wire import eventstream

KEPT = ("accept", "anthropic-beta", "anthropic-version", "content-type", "openai-beta", "user-agent")
"""Request header fields that are kept."""
HIDDEN = "[key]"
_SECRET_FIELD = re.compile(
    r"(?i)(?:^|[-_])(?:api)?(?:key|token|secret|sig|signature|credentials?|password|passwd|authorization|auth|cookie2?)$"
)
"""Names of header fields and query parameters whose values are secrets."""
_PROPERTY = (
    r"(?:[a-z0-9]+[-_])*(?:api[-_]?key|secret(?:[-_]?(?:access[-_]?)?key)?|access[-_]?key[-_]?id"
    r"|(?:access|security|session|auth|bearer|refresh|api)[-_]?token|authorization|password|passwd)"
)
_SECRET_PROPERTY = re.compile(rf"(?i)^{_PROPERTY}$")
"""Names in JSON whose values are secrets. Stricter: `key` and `token` are ordinary words there."""
_PERSONAL = re.compile(r"(?i)^(?:openai-(?:organization|project)|anthropic-organization-id)$")
_LOOKS_LIKE_A_KEY = re.compile(
    rb"\b(?:sk|pk|rk)-[A-Za-z0-9_*.-]{8,}|\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b|(?<=[Bb]earer )[A-Za-z0-9._~+/*=-]{8,}"
)
_SCHEME = re.compile(r"^(?:Bearer|Basic|Token|AWS4-HMAC-SHA256)\s+", re.IGNORECASE)


def secrets_of(headers: Mapping[str, str], target: str, more: Iterable[str] = ()) -> tuple[str, ...]:
    """Every secret that a request shows, longest first. `headers` in lower case; `more`: known ones."""
    found = {*more}
    for name, value in headers.items():
        if name not in KEPT and _SECRET_FIELD.search(name):
            found.update(_parts(name, value))
    for name, value in parse_qsl(target.partition("?")[2]):
        if _SECRET_FIELD.search(name):
            found.add(value)
    found -= {keys.DUMMY}
    spelt = {form for secret in found for form in (secret, quote(secret, safe=""), secret.replace("/", "\\/"))}
    return tuple(sorted((secret for secret in spelt if len(secret) >= keys.SHORTEST), key=len, reverse=True))


def _parts(name: str, value: str) -> Iterator[str]:
    """The secrets in one header field."""
    if "cookie" in name:
        yield from (part.partition("=")[2].strip() for part in value.split(";"))
    bare = _SCHEME.sub("", value.strip())
    yield from re.findall(r"(?:Credential=([^/,\s]+))", value)
    yield from re.findall(r"(?:Signature=([0-9a-f]+))", value)
    yield bare
    if value.lower().startswith("basic "):
        try:
            yield base64.b64decode(bare).decode("latin-1").partition(":")[2]
        except binascii.Error:
            return


# ---------------------------------------------------------------- requests


def kept_headers(headers: Mapping[str, str], secrets: Sequence[str]) -> Fields:
    """The harmless header fields, scrubbed all the same, by name."""
    return tuple((name, keys.scrub(headers[name], secrets)) for name in KEPT if name in headers)


def scrubbed_path(target: str, secrets: Sequence[str]) -> str:
    """Path and query without the values of keys."""
    path, mark, query = target.partition("?")
    parts = (part.partition("=") for part in query.split("&")) if mark else ()
    kept = [f"{name}{sign}{HIDDEN if _SECRET_FIELD.search(unquote(name)) else value}" for name, sign, value in parts]
    return keys.scrub(path + mark + "&".join(kept), secrets)


def scrubbed_body(body: bytes, secrets: Sequence[str]) -> bytes:
    """A request's body: JSON without what has a key's name or is a secret, any other with its secrets starred out."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return masked(body, secrets)
    return encoded(_hidden(value, secrets))


def _hidden(value: Any, secrets: Sequence[str]) -> Any:
    if isinstance(value, dict):
        return {
            keys.scrub(name, secrets): HIDDEN
            if isinstance(part, str) and _SECRET_PROPERTY.match(name)
            else _hidden(part, secrets)
            for name, part in value.items()
        }
    if isinstance(value, list):
        return [_hidden(part, secrets) for part in value]
    return keys.scrub(value, secrets) if isinstance(value, str) else value


# ---------------------------------------------------------------- answers


def scrubbed_fields(pairs: Iterable[tuple[str, str]], secrets: Sequence[str]) -> Fields:
    """An answer's header fields without cookies, tokens and whose account it is."""
    return tuple(
        (name, keys.scrub(value, secrets))
        for name, value in pairs
        if not _SECRET_FIELD.search(name) and not _PERSONAL.match(name)
    )


def scrubbed_pieces(pieces: Sequence[bytes], content_type: str, secrets: Sequence[str]) -> tuple[bytes, ...]:
    """The pieces with every secret starred out, also one that two pieces share. Sizes stay."""
    whole = b"".join(pieces)
    clean = _masked_events(whole, secrets) if content_type.startswith(eventstream.CONTENT_TYPE) else None
    clean = masked(whole, secrets) if clean is None else clean
    if clean == whole:
        return tuple(pieces)
    ends = 0
    cut = []
    for piece in pieces:
        cut.append(clean[ends : ends + len(piece)])
        ends += len(piece)
    return tuple(cut)


def masked(data: bytes, secrets: Sequence[str]) -> bytes:
    """The bytes with secrets, and what looks like one, starred out; their number stays."""
    data = keys.mask(data, secrets)
    if any(mark in data for mark in _MARKS):  # most answers have none, and the patterns take a millisecond
        data = _LOOKS_LIKE_A_KEY.sub(lambda found: b"*" * len(found[0]), data)
    lowered = data.lower()
    if any(end in lowered for end in _NAME_ENDS):
        data = _NAMED.sub(lambda found: found[1] + b"*" * len(found[2]) + found[3], data)
    return data


_MARKS = (b"sk-", b"pk-", b"rk-", b"AKIA", b"ASIA", b"earer ")
_NAME_ENDS = (
    b'key"',
    b'key_id"',
    b'key-id"',
    b'keyid"',
    b'secret"',
    b'token"',
    b'authorization"',
    b'password"',
    b'passwd"',
)
_NAMED = re.compile(rf'(?i)("{_PROPERTY}"\s*:\s*")([^"\\]+)(")'.encode())


def _masked_events(whole: bytes, secrets: Sequence[str]) -> bytes | None:
    """An event stream with its payloads masked; None where it is not to be read, and then as any bytes."""
    reader = eventstream.Reader()
    try:
        messages = list(reader.feed(whole))
        again = b"".join(
            eventstream.encode({name: str(value) for name, value in message.headers.items()}, message.payload)
            for message in messages
        )
        if not whole.startswith(again):
            return None
        clean = b"".join(
            eventstream.encode(
                {name: str(value) for name, value in message.headers.items()}, _masked_payload(message.payload, secrets)
            )
            for message in messages
        )
    except WireError:
        return None
    return clean + masked(whole[len(clean) :], secrets)


_BASE64 = re.compile(rb'("bytes"\s*:\s*")([A-Za-z0-9+/=]+)(")')


def _masked_payload(payload: bytes, secrets: Sequence[str]) -> bytes:
    """A payload masked, and the base64 within it that InvokeModel's streams have."""

    def again(found: re.Match[bytes]) -> bytes:
        try:
            inner = base64.b64decode(found[2], validate=True)
        except binascii.Error:
            return found[0]
        return found[1] + base64.b64encode(masked(inner, secrets)) + found[3]

    return _BASE64.sub(again, masked(payload, secrets))
