"""One HTTP/1.1 exchange as values: what is sent, and what came back with its stamps.

Nothing here touches a socket. A request's headers never show in its repr, because they carry keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import urlsplit

from benchbook import __version__
from benchbook.errors import ProviderError
from benchbook.records import record

USER_AGENT = f"benchbook/{__version__}"
_DEFAULT_PORTS = {"http": 80, "https": 443}
_UNSENDABLE = re.compile(r"[\r\n\0]")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where connections go; connections of one origin are interchangeable."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """Host and port as the `Host` header has them: the scheme's own port is left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def address(self) -> str:
        """Host and port, always both."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A whole request. `headers` need not hold Host, Content-Length, User-Agent or Accept-Encoding."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    method: str = "POST"


@record
class Exchange:
    """What became of a request. Never an exception: a failure is `error_kind` and `error_message`.

    Stamps are monotonic ns. Pieces are body bytes without HTTP framing, each with the stamp of the segment
    that brought it. `cold` marks the first request of its connection; only there is `connect_ns` (the sum of
    its parts: name resolution, TCP, a proxy's tunnel, TLS) not None.
    """

    closed_ns: int
    sent_ns: int | None = None
    first_byte_ns: int | None = None
    last_byte_ns: int | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    piece_at_ns: Sequence[int] = ()
    piece_bodies: Sequence[bytes] = field(default=(), repr=False)
    error_kind: str | None = None
    error_message: str | None = None
    connect_ns: int | None = None
    connect_parts: Mapping[str, int] = field(default_factory=dict)
    cold: bool = False

    @property
    def pieces(self) -> Iterator[tuple[int, bytes]]:
        """Stamp and bytes of each piece, in order of arrival."""
        return zip(self.piece_at_ns, self.piece_bodies, strict=True)

    @property
    def body(self) -> bytes:
        return b"".join(self.piece_bodies)


@lru_cache(maxsize=4096)
def split_url(url: str) -> tuple[Origin, str]:
    """A URL as its origin and its request target (path and query). Raises ProviderError."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ProviderError("bad_request", f"{url!r} is no address: {error}") from None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ProviderError("bad_request", f"{url!r} is no http:// or https:// address")
    path = parts.path or "/"
    target = f"{path}?{parts.query}" if parts.query else path
    return Origin(parts.scheme, parts.hostname, port or _DEFAULT_PORTS[parts.scheme]), target


def render(request: HttpRequest, host: str, target: str, more: Mapping[str, str]) -> bytes:
    """Head and body in one piece. `target` is the path, or the whole URL towards a proxy."""
    headers = {"host": host, "user-agent": USER_AGENT, "accept": "*/*"}
    headers.update((name.lower(), value) for name, value in request.headers.items())
    headers.update(more)
    headers["accept-encoding"] = "identity"
    if request.body or request.method != "GET":
        headers["content-length"] = str(len(request.body))
    lines = [f"{request.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    if any(_UNSENDABLE.search(line) for line in lines):
        raise ProviderError("bad_request", "a header or the address holds a line break, which HTTP can't carry")
    try:
        head = "\r\n".join(lines).encode("latin-1")
    except UnicodeEncodeError:
        raise ProviderError("bad_request", "a header or the address holds characters that HTTP can't carry") from None
    return head + b"\r\n\r\n" + request.body
