"""Opening a connection: name, TCP, a proxy's tunnel, TLS, each timed.

Every address of a name is tried in turn. What goes wrong ends as a ProviderError whose kind says where: what
this host ran out of (`local`), the name, the address, the proxy or the certificate.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from dataclasses import dataclass
from typing import cast

from benchbook.clock import monotonic_ns
from benchbook.errors import ProviderError
from benchbook.providers.connection import Connection
from benchbook.providers.http import Origin
from benchbook.providers.proxy_env import Proxy

_LOCAL_ERRNOS = {
    errno.EMFILE: "this process is out of file descriptors: raise `ulimit -n` or lower the concurrency",
    errno.ENFILE: "this host is out of file descriptors: lower the concurrency",
    errno.EADDRNOTAVAIL: "this host has no free port for another connection, or not that address family",
    errno.ENOBUFS: "this host is out of network buffers: lower the concurrency",
    errno.ENOMEM: "this host is out of memory for sockets: lower the concurrency",
}
_TUNNEL_HEAD_LIMIT = 65_536

Address = tuple[socket.AddressFamily, tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Route:
    """The way to an origin: directly, or through a proxy."""

    origin: Origin
    proxy: Proxy | None = None

    @property
    def tunnelled(self) -> bool:
        return self.proxy is not None and self.origin.scheme == "https"


async def connect(route: Route, tls: ssl.SSLContext | None) -> Connection:
    """A ready connection, with `connect_parts` in ns. Raises ProviderError; cancellation leaves no socket behind."""
    first_hop = route.proxy.origin if route.proxy else route.origin
    parts: dict[str, int] = {}
    try:
        sock = await _reach(first_hop, parts)
    except ProviderError as error:
        if route.proxy is None or error.kind == "local":
            raise
        raise ProviderError("proxy", f"the environment's proxy: {error.message}") from None
    try:
        if route.proxy is not None and route.tunnelled:
            started = monotonic_ns()
            await _open_tunnel(sock, route.origin, route.proxy)
            parts["tunnel_ns"] = monotonic_ns() - started
        connection = await _attach(sock, route, tls, parts)
    except BaseException:
        sock.close()
        raise
    connection.connect_parts = parts
    return connection


async def _reach(origin: Origin, parts: dict[str, int]) -> socket.socket:
    started = monotonic_ns()
    addresses = await _resolve(origin)
    resolved = monotonic_ns()
    sock = await _connect_any(origin, addresses)
    parts["dns_ns"], parts["tcp_ns"] = resolved - started, monotonic_ns() - resolved
    return sock


async def _resolve(origin: Origin) -> list[Address]:
    loop = asyncio.get_running_loop()
    try:
        found = _numeric(origin) or await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise ProviderError("unresolved", f"{origin.host} has no address: {_said(error)}") from None
    except OSError as error:
        raise _classified(error, origin.address) from None
    return [(family, address) for family, _, _, _, address in found]


def _numeric(origin: Origin) -> list[tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[object, ...]]]:
    """A literal address needs no resolver (and no thread)."""
    try:
        found = socket.getaddrinfo(
            origin.host, origin.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        )
    except (socket.gaierror, UnicodeError):
        return []
    return list(found)


async def _connect_any(origin: Origin, addresses: list[Address]) -> socket.socket:
    failures: list[OSError] = []
    for family, address in addresses:
        try:
            return await _connect_one(family, address)
        except OSError as error:
            failures.append(error)
            if error.errno in (errno.EMFILE, errno.ENFILE):
                break
    if not failures:
        raise ProviderError("unresolved", f"{origin.host} has no address")
    # An address that answered with a refusal says more than a family that this host does not have.
    telling = next((error for error in failures if error.errno not in _LOCAL_ERRNOS), failures[-1])
    raise _classified(telling, origin.address)


async def _connect_one(family: socket.AddressFamily, address: tuple[object, ...]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(0)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock


class _Unread(asyncio.Protocol):
    """Holds a connection until TLS takes it over. What a request's write brings forth goes to the kernel at once, as
    in `Connection`; what the server says before is left to the handshake."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        plain = cast("asyncio.Transport", transport)
        plain.set_write_buffer_limits(high=0)
        plain.pause_reading()


async def _attach(sock: socket.socket, route: Route, tls: ssl.SSLContext | None, parts: dict[str, int]) -> Connection:
    loop = asyncio.get_running_loop()
    if tls is None:
        _, connection = await loop.create_connection(Connection, sock=sock)
        return connection
    started = monotonic_ns()
    plain, _ = await loop.create_connection(_Unread, sock=sock)
    connection = Connection()
    try:
        secured = await loop.start_tls(plain, connection, tls, server_hostname=route.origin.host)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise ProviderError("tls", f"{route.origin.address}: {_said(error)}") from None
    if secured is None:
        raise ProviderError("reset", f"{route.origin.address} broke the connection as it was opened")
    connection.connection_made(secured)
    parts["tls_ns"] = monotonic_ns() - started
    return connection


async def _open_tunnel(sock: socket.socket, origin: Origin, proxy: Proxy) -> None:
    loop = asyncio.get_running_loop()
    lines = [f"CONNECT {origin.address} HTTP/1.1", f"Host: {origin.address}"]
    lines += [f"{name}: {value}" for name, value in proxy.headers.items()]
    head = b""
    try:
        await loop.sock_sendall(sock, ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        while b"\r\n\r\n" not in head and len(head) < _TUNNEL_HEAD_LIMIT:
            received = await loop.sock_recv(sock, 4096)
            if not received:
                break
            head += received
    except OSError as error:
        raise ProviderError("proxy", f"{proxy.origin.address}: {_said(error)}") from None
    _judge_tunnel(head, origin, proxy)


def _judge_tunnel(head: bytes, origin: Origin, proxy: Proxy) -> None:
    status_line = head.split(b"\r\n", 1)[0].decode("latin-1")
    words = status_line.split(" ", 2)
    if b"\r\n\r\n" not in head or len(words) < 2 or not words[0].startswith("HTTP/1"):
        raise ProviderError("proxy", f"{proxy.origin.address} did not answer CONNECT {origin.address} as a proxy does")
    if not words[1].startswith("2"):
        answer = status_line.split(" ", 1)[1]
        raise ProviderError("proxy", f"{proxy.origin.address} refused a tunnel to {origin.address}: {answer}")


def _classified(error: OSError, address: str) -> ProviderError:
    if error.errno in _LOCAL_ERRNOS:
        return ProviderError("local", f"{address}: {_LOCAL_ERRNOS[error.errno]}")
    if isinstance(error, ConnectionRefusedError):
        return ProviderError("refused", f"{address} refused the connection")
    if isinstance(error, ConnectionResetError | ConnectionAbortedError):
        return ProviderError("reset", f"{address} broke the connection as it was opened")
    return ProviderError("refused", f"{address} can't be reached: {_said(error)}")


def _said(error: Exception) -> str:
    """The error's own words, in one line."""
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(said).split())
