"""HTTP requests as values, and a bounded memory of what was worked out from bytes that may come again. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

MOST_BYTES = 32 * 1024 * 1024
"""A memory holds this much of what was read; then it begins anew."""

LONGEST = 256 * 1024
"""What is longer is not remembered, unless a memory says so."""

KeyT = TypeVar("KeyT", bound=Hashable)
ValueT = TypeVar("ValueT")


@dataclass(frozen=True, slots=True)
class Message:
    """A request as it was read; the same bytes make the same message. Header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    keep_alive: bool

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    def query(self, name: str) -> str:
        """The first value of a query parameter, or ''."""
        pairs = (pair.partition("=") for pair in self.target.partition("?")[2].split("&"))
        return next((value for key, _, value in pairs if key == name), "")


class HttpRequest(NamedTuple):
    """A message whose last byte arrived at `received_ns`: the `number`-th of a connection, both from 1."""

    message: Message
    received_ns: int
    connection: int
    number: int

    @property
    def method(self) -> str:
        return self.message.method

    @property
    def target(self) -> str:
        return self.message.target

    @property
    def path(self) -> str:
        return self.message.path

    @property
    def headers(self) -> Mapping[str, str]:
        return self.message.headers

    @property
    def body(self) -> bytes:
        return self.message.body

    @property
    def keep_alive(self) -> bool:
        return self.message.keep_alive


class Memory(Generic[KeyT, ValueT]):
    """A dict within a size. When it is full it forgets everything: what comes again is soon back."""

    def __init__(self, most_bytes: int = MOST_BYTES, longest: int = LONGEST) -> None:
        self._values: dict[KeyT, ValueT] = {}
        self._most, self._longest, self._size = most_bytes, longest, 0
        self.get = self._values.get

    def put(self, key: KeyT, value: ValueT, size: int) -> None:
        """Keep a value; `size` is what key and value hold, about, in bytes."""
        if size > self._longest:
            return
        if self._size + size > self._most:
            self._values.clear()
            self._size = 0
        self._values[key] = value
        self._size += size
