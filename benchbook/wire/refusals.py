"""Error bodies: what a refusal says, from whatever a server or a proxy before it chose to send.

Reading never raises. Providers and gateways mix each other's shapes, so one reader knows them all; a page of HTML
becomes a line of its text. What comes out is short, printable and on one line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from benchbook.wire import ErrorBody
from benchbook.wire.objects import Object

LIMIT = 300

_UNSEEN = re.compile(r"<(script|style|head)\b.*?</\1\s*>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title\s*>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]*>?")
_HTML = re.compile(r"\s*<(!doctype|html|head|body|\?xml|h1|p|div|title|center)\b", re.IGNORECASE)
_NOT_PRINTED = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\s]+")


def read(body: bytes, kinds: Mapping[int, str], status: int) -> ErrorBody:
    """What an error body says. Where it names no kind, the wire's own word for the status does."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ErrorBody(kinds.get(status, ""), short(body[: 64 * 1024].decode(errors="replace")))
    kind, message = said(value)
    return ErrorBody(short(kind) or kinds.get(status, ""), short(message))


def said(value: Any) -> tuple[str, str]:
    """Kind and message of an error object, of its envelope, or of a bare string."""
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, dict):
        return "", "" if value is None else str(value)
    inner = value.get("error")
    if isinstance(inner, dict):
        return _kind(inner) or _kind(value), _message(inner) or _message(value)
    if isinstance(inner, str):
        return _kind(value), inner
    return _kind(value), _message(value)


def _kind(source: Object) -> str:
    for key in ("type", "code", "__type", "status"):
        value = source.get(key)
        if isinstance(value, str | int) and value not in ("", "error") and not isinstance(value, bool):
            return str(value).rpartition("#")[2]
    return ""


def _message(source: Object) -> str:
    for key in ("message", "Message", "detail", "error_description"):
        value = source.get(key)
        if value:
            return value if isinstance(value, str) else orjson.dumps(value).decode()
    return ""


def short(text: str) -> str:
    """One printable line of at most LIMIT characters, without tags."""
    if _HTML.match(text):
        title = _TITLE.search(text)
        seen = _TAG.sub(" ", _UNSEEN.sub(" ", text))
        text = f"{title[1] if title else ''} {seen}"
    line = _NOT_PRINTED.sub(" ", text).replace("\u00ad", "").strip()  # a soft hyphen is no sign
    return line if len(line) <= LIMIT else line[: LIMIT - 3] + "..."


def no_headers(_status: int) -> dict[str, str]:
    """The header fields of an error on the wires whose errors have none of their own."""
    return {}
