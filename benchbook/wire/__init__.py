"""The protocols without I/O, both roles. One wire, one file, one line in `WIRES`.

A wire module offers what `Wire` lists, as module-level functions. Client role: `encode_request` and
`reader`; server role: `decode_request` and `writer`. Errors: `encode_error` and `decode_error`. Bytes may be
cut at any position. Framings (`sse`, `eventstream`, `ndjson`) are below the wires and know no model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Protocol, cast

from benchbook.records import ModelRequest
from benchbook.wire.events import Event

WIRES: Mapping[str, str] = {
    "openai_chat": "benchbook.wire.openai_chat",
    "anthropic_messages": "benchbook.wire.anthropic_messages",
    "bedrock_converse": "benchbook.wire.bedrock_converse",
    "bedrock_invoke": "benchbook.wire.bedrock_invoke",
    "ollama_chat": "benchbook.wire.ollama_chat",
}


@dataclass(frozen=True, slots=True)
class WireRequest:
    """An HTTP request without its address: `path` is what follows the base URL."""

    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """What an error body says: the provider's own type and message."""

    kind: str
    message: str


class Reader(Protocol):
    """Client side: body bytes to events. Raises WireError where the bytes break the protocol: from `feed`, or from
    the next `feed` or `close` where the same bytes held good events before the damage."""

    @property
    def boundary(self) -> bytes | None:
        """Bytes that end a frame wherever they stand (see `shapes`); None: only the reader can tell."""
        ...

    @property
    def at_rest(self) -> bool:
        """Between two frames."""
        ...

    @property
    def name(self) -> bytes:
        """The bytes by which every frame names this one answer, once they are known: frames that are alike without
        them are read alike from then on. b"" where there are none."""
        ...

    def feed(self, data: bytes) -> list[Event]: ...

    def close(self) -> list[Event]:
        """The body has ended: what was still held back (for an answer that is not streamed, everything)."""
        ...


class Writer(Protocol):
    """Server side: events to body bytes. An answer that is not streamed comes out whole at `Ended`."""

    content_type: str

    def write(self, event: Event) -> bytes: ...


class Wire(Protocol):
    """What a wire module offers."""

    def encode_request(self, request: ModelRequest) -> WireRequest: ...

    def decode_request(self, path: str, body: bytes) -> ModelRequest:
        """The server's view; raises WireError on a body that is not of this wire."""
        ...

    def reader(self, *, stream: bool) -> Reader: ...

    def writer(self, request: ModelRequest, *, request_id: str) -> Writer: ...

    def encode_error(self, status: int, message: str) -> bytes: ...

    def error_headers(self, status: int) -> Mapping[str, str]:
        """Header fields that this provider's errors carry beside their body."""
        ...

    def decode_error(self, status: int, body: bytes) -> ErrorBody:
        """Never raises; the message is one printable line of at most 300 characters."""
        ...


def wire(name: str) -> Wire:
    """The wire of that name, imported on first use. Raises KeyError for an unknown one."""
    return cast("Wire", import_module(WIRES[name]))
