"""Ways to an origin: TLS with checked certificates, and the proxies that the environment names."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import select
import socket
import ssl
import threading

import pytest
import trustme

from benchbook.providers.connect import Route, connect
from benchbook.providers.http import HttpRequest, Origin
from benchbook.providers.transport import Transport
from tests.unit.providers.scripted_server import (
    CLOSE,
    REQUEST,
    RESET,
    STALL,
    ScriptedServer,
    answer,
    chunked,
    request,
    serving,
    soon,
)

NAME = "api.example.test"


class Certificates:
    """An authority of our own, a server's context and a client's."""

    def __init__(self) -> None:
        self.authority = trustme.CA()
        self.server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.authority.issue_cert("127.0.0.1", NAME).configure_cert(self.server)
        self.client = ssl.create_default_context()
        self.authority.configure_trust(self.client)


@pytest.fixture(scope="module")
def certificates() -> Certificates:
    return Certificates()


class TunnelProxy(ScriptedServer):
    """A CONNECT proxy: opens a tunnel to `upstream` whatever host is asked for, or refuses with `refusal`."""

    def __init__(self, upstream: ScriptedServer, refusal: bytes = b"") -> None:
        super().__init__()
        self.upstream = upstream
        self.refusal = refusal

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requests.append(await reader.readuntil(b"\r\n\r\n"))
        if self.refusal:
            writer.write(self.refusal)
            return
        there, back = await asyncio.open_connection("127.0.0.1", self.upstream.port)
        writer.write(b"HTTP/1.1 200 Connection established\r\nvia: test\r\n\r\n")
        try:
            await asyncio.gather(carry(reader, back), carry(there, writer))
        finally:
            back.close()
            with contextlib.suppress(OSError):
                await back.wait_closed()


async def carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(65_536):
        sink.write(data)
    sink.close()


# ---------------------------------------------------------------- TLS


async def test_tls_is_timed_and_reused(certificates: Certificates) -> None:
    transport = Transport(proxies={}, tls=certificates.client)
    async with ScriptedServer(serving(chunked(b"a", b"b")), tls=certificates.server) as server:
        first = await transport.exchange(request(server), soon())
        second = await transport.exchange(request(server), soon())
        await transport.close()
    assert (first.error_kind, first.body, second.body) == (None, b"ab", b"ab")
    assert set(first.connect_parts) == {"dns_ns", "tcp_ns", "tls_ns"}
    assert first.connect_ns == sum(first.connect_parts.values())
    assert (second.cold, second.connect_ns) == (False, None)


async def test_the_environment_s_certificates_are_respected(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    with certificates.authority.cert_pem.tempfile() as path:
        monkeypatch.setenv("SSL_CERT_FILE", path)
        transport = Transport(proxies={})
        async with ScriptedServer(serving(answer(b"ok")), tls=certificates.server) as server:
            exchange = await transport.exchange(request(server), soon())
            await transport.close()
    assert exchange.body == b"ok"


async def test_a_certificate_nobody_vouches_for_is_a_tls_error(certificates: Certificates) -> None:
    transport = Transport(proxies={})
    async with ScriptedServer(serving(answer()), tls=certificates.server) as server:
        exchange = await transport.exchange(request(server), soon())
    assert exchange.error_kind == "tls"
    assert "certificate verify failed" in (exchange.error_message or "")
    assert exchange.sent_ns is None


async def test_a_certificate_for_another_name_is_a_tls_error(certificates: Certificates) -> None:
    transport = Transport(proxies={}, tls=certificates.client)
    async with ScriptedServer(serving(answer()), tls=certificates.server) as server:
        exchange = await transport.exchange(HttpRequest(f"https://localhost:{server.port}/"), soon())
    assert exchange.error_kind == "tls"
    assert "localhost" in (exchange.error_message or "")


async def test_https_towards_a_plain_server_is_a_tls_error(certificates: Certificates) -> None:
    transport = Transport(proxies={}, tls=certificates.client)
    async with ScriptedServer((b"HTTP/1.1 400 Bad Request\r\n\r\n", CLOSE)) as server:
        exchange = await transport.exchange(HttpRequest(f"https://127.0.0.1:{server.port}/"), soon())
    assert exchange.error_kind == "tls"


async def test_a_tls_connection_cut_in_mid_body_keeps_what_arrived(certificates: Certificates) -> None:
    transport = Transport(proxies={}, tls=certificates.client)
    whole = chunked(b"part", b"rest")
    async with ScriptedServer((REQUEST, whole[: whole.index(b"rest")], 0.02, CLOSE), tls=certificates.server) as server:
        exchange = await transport.exchange(request(server), soon())
    assert exchange.error_kind in ("truncated", "reset")
    assert exchange.body == b"part"


async def test_a_silent_tls_handshake_ends_at_the_deadline(certificates: Certificates) -> None:
    transport = Transport(proxies={}, tls=certificates.client)
    async with ScriptedServer((STALL,)) as server:
        exchange = await transport.exchange(HttpRequest(f"https://127.0.0.1:{server.port}/"), soon(0.1))
    assert exchange.error_kind == "timeout"


# ---------------------------------------------------------------- proxies


async def test_http_goes_to_the_proxy_in_absolute_form_with_its_credentials() -> None:
    async with ScriptedServer(serving(answer(b"via"))) as proxy:
        transport = Transport(proxies={"http": f"http://me:p%40ss@127.0.0.1:{proxy.port}"})
        exchange = await transport.exchange(HttpRequest(f"http://{NAME}:8080/v1/x?y=1", body=b"q"), soon())
        await transport.close()
    assert (exchange.error_kind, exchange.body) == (None, b"via")
    head = proxy.requests[0].decode()
    assert head.startswith(f"POST http://{NAME}:8080/v1/x?y=1 HTTP/1.1\r\n")
    assert f"host: {NAME}:8080\r\n" in head
    assert f"proxy-authorization: Basic {base64.b64encode(b'me:p@ss').decode()}\r\n" in head


async def test_https_goes_through_a_tunnel_whose_name_is_checked(certificates: Certificates) -> None:
    async with (
        ScriptedServer(serving(answer(b"safe")), tls=certificates.server) as server,
        TunnelProxy(server) as proxy,
    ):
        transport = Transport(proxies={"https": f"http://me:pw@127.0.0.1:{proxy.port}"}, tls=certificates.client)
        first = await transport.exchange(HttpRequest(f"https://{NAME}/v1/x"), soon())
        second = await transport.exchange(HttpRequest(f"https://{NAME}/v1/x"), soon())
        await transport.close()
        await asyncio.sleep(0.01)
    assert (first.error_kind, first.body) == (None, b"safe")
    assert (second.body, second.cold) == (b"safe", False)
    assert set(first.connect_parts) == {"dns_ns", "tcp_ns", "tunnel_ns", "tls_ns"}
    assert proxy.requests == [
        f"CONNECT {NAME}:443 HTTP/1.1\r\nHost: {NAME}:443\r\n"
        f"proxy-authorization: Basic {base64.b64encode(b'me:pw').decode()}\r\n\r\n".encode()
    ]
    assert b"proxy-authorization" not in server.requests[0]


@pytest.mark.parametrize(
    ("refusal", "says"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "407 Proxy Authentication Required"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "502 Bad Gateway"),
        (b"what?", "did not answer CONNECT"),
        (b"\r\n\r\n", "did not answer CONNECT"),
    ],
)
async def test_a_proxy_that_opens_no_tunnel_is_named(certificates: Certificates, refusal: bytes, says: str) -> None:
    async with ScriptedServer() as server, TunnelProxy(server, refusal) as proxy:
        transport = Transport(proxies={"https": f"http://me:sesame@127.0.0.1:{proxy.port}"}, tls=certificates.client)
        exchange = await transport.exchange(HttpRequest(f"https://{NAME}/"), soon())
    assert exchange.error_kind == "proxy"
    assert says in (exchange.error_message or "")
    assert "sesame" not in (exchange.error_message or "")


async def test_a_proxy_that_breaks_the_connection_is_named() -> None:
    async with ScriptedServer((b"", RESET)) as proxy:
        transport = Transport(proxies={"https": f"http://127.0.0.1:{proxy.port}"})
        exchange = await transport.exchange(HttpRequest(f"https://{NAME}/"), soon())
    assert exchange.error_kind == "proxy"
    assert f"127.0.0.1:{proxy.port}" in (exchange.error_message or "")


@pytest.mark.parametrize(
    ("proxy", "says"),
    [
        ("http://127.0.0.1:1", "refused the connection"),
        ("http://no-such-proxy.invalid:3128", "has no address"),
        ("socks5://127.0.0.1:1080", "socks5:// proxy"),
        ("http://:3128", "no address"),
        ("http://host:port", "no address"),
    ],
)
async def test_a_proxy_that_can_t_be_used_is_a_proxy_error(proxy: str, says: str) -> None:
    transport = Transport(proxies={"http": proxy})
    exchange = await transport.exchange(HttpRequest(f"http://{NAME}/"), soon())
    assert exchange.error_kind == "proxy"
    assert says in (exchange.error_message or "")


async def test_the_environment_names_the_proxy_and_its_exceptions(monkeypatch: pytest.MonkeyPatch) -> None:
    async with ScriptedServer(serving(answer(b"proxy"))) as proxy, ScriptedServer(serving(answer(b"direct"))) as server:
        monkeypatch.setenv("HTTP_PROXY", f"127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NO_PROXY", "other.test")
        transport = Transport()
        assert (await transport.exchange(HttpRequest(f"http://{NAME}/"), soon())).body == b"proxy"
        assert (await transport.exchange(request(server), soon())).body == b"direct"
        await transport.close()


@pytest.mark.parametrize("secured", [False, True], ids=["plain", "tls"])
async def test_a_request_is_with_the_kernel_when_send_returns(certificates: Certificates, secured: bool) -> None:
    """Its stamp stands right before the write: no loop, and no TLS layer, may hold the bytes back until later."""
    listener = socket.create_server(("127.0.0.1", 0))
    peers: list[socket.socket] = []

    def accept() -> None:
        peer = listener.accept()[0]
        peers.append(certificates.server.wrap_socket(peer, server_side=True) if secured else peer)

    thread = threading.Thread(target=accept)
    thread.start()
    origin = Origin("https" if secured else "http", "127.0.0.1", listener.getsockname()[1])
    connection = await connect(Route(origin, None), certificates.client if secured else None)
    await asyncio.get_running_loop().run_in_executor(None, thread.join)
    assert not select.select(peers, [], [], 0)[0]
    connection.send(b"GET / HTTP/1.1\r\n\r\n", soon())
    assert select.select(peers, [], [], 5)[0], "the loop has not run since: the bytes were sent by `send` itself"
    connection.abort()
    for each in (*peers, listener):
        each.close()
