"""JSON objects from the other side: read with care, written with orjson.

A getter takes a missing or null field as nothing, and raises WireError where a field holds another type than
the protocol says. Nothing here knows a wire.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

import orjson

from benchbook.errors import WireError

Object = dict[str, Any]


def load(data: bytes | str) -> Object:
    """A JSON object; WireError for anything else."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise WireError(f"not JSON: {excerpt(data)}") from None
    if not isinstance(value, dict):
        raise WireError(f"not a JSON object: {excerpt(data)}")
    return value


def dump(value: Any) -> bytes:
    """JSON bytes; WireError for what JSON or UTF-8 can't hold (a lone surrogate, a huge integer)."""
    try:
        return orjson.dumps(value, default=_plain)
    except TypeError as error:
        raise WireError(f"can't be written as JSON: {error}") from None


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def excerpt(data: bytes | str, limit: int = 60) -> str:
    """The start of foreign data, fit to be printed inside a message."""
    text = data[: 4 * limit].decode(errors="replace") if isinstance(data, bytes) else data
    return repr(text if len(text) <= limit else text[:limit] + "...")


def text(source: Object, key: str) -> str:
    value = source.get(key)
    return value if type(value) is str else _field(source, key, str, "")


def child(source: Object, key: str) -> Object:
    value = source.get(key)
    return value if type(value) is dict else _field(source, key, dict, {})


def children(source: Object, key: str) -> list[Object]:
    values = source.get(key)
    if type(values) is not list:
        values = _field(source, key, list, [])
    for value in values:
        if type(value) is not dict:
            raise WireError(f"{key} holds something that is not an object: {excerpt(repr(values))}")
    return values


def count(source: Object, key: str) -> int | None:
    """A whole number, also where it is written as 12.0."""
    value = source.get(key)
    if type(value) is int:
        return value
    value = number(source, key)
    if value is not None and value != int(value):
        raise WireError(f"{key} is not a whole number: {value}")
    return None if value is None else int(value)


def number(source: Object, key: str) -> float | None:
    value = source.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise WireError(f"{key} is not a number: {excerpt(repr(value))}")
    return value


def flag(source: Object, key: str, *, default: bool) -> bool:
    return _field(source, key, bool, default)


def _field(source: Object, key: str, kind: type, default: Any) -> Any:
    value = source.get(key)
    if value is None:
        return default
    if not isinstance(value, kind):
        raise WireError(f"{key} is not {_SPOKEN[kind]}: {excerpt(repr(value))}")
    return value


_SPOKEN: Mapping[type, str] = {str: "a string", dict: "an object", list: "a list", bool: "true or false"}


def filled(**fields: Any) -> Object:
    """The fields that hold something: None and empty strings, lists and mappings are left out, 0 and False stay."""
    return {name: value for name, value in fields.items() if value is not None and value not in ("", [], (), {})}


def strings(source: Object, key: str) -> tuple[str, ...]:
    """A list of strings, or one string in its place."""
    value = source.get(key)
    if isinstance(value, str):
        return (value,)
    values = _field(source, key, list, [])
    if not all(isinstance(item, str) for item in values):
        raise WireError(f"{key} holds something that is not a string: {excerpt(repr(values))}")
    return tuple(values)


def joined_text(content: Any) -> str:
    """A message's content as text: a string, or a list of blocks of which those with text count."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        raise WireError(f"content is neither a string nor a list: {excerpt(repr(content))}")
    return "".join(text(block, "text") for block in content if isinstance(block, dict))


def arguments_object(arguments: str) -> Object:
    """A tool call's arguments for the wires that carry an object. No text means no arguments."""
    return load(arguments) if arguments.strip() else {}
