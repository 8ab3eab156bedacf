"""What befalls a connection, and what the exchange says of it: each fault is a row, with what had arrived."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest

from benchbook.providers.http import HttpRequest
from benchbook.providers.transport import Transport
from tests.unit.providers.scripted_server import (
    CLOSE,
    REQUEST,
    RESET,
    STALL,
    ScriptedServer,
    answer,
    exchanged,
    request,
    serving,
    soon,
    until,
)

HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
PART = b"4\r\npart\r\n"


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    transport = Transport(proxies={})
    yield transport
    await transport.close()


def unused_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.mark.parametrize(
    ("script", "kind", "says", "kept"),
    [
        ((REQUEST, CLOSE), "truncated", "before the first byte", b""),
        ((REQUEST, RESET), "reset", "before the first byte", b""),
        ((REQUEST, b"HTTP/1.1 200 OK\r\ncont", CLOSE), "truncated", "within the answer's head", b""),
        ((REQUEST, HEAD + PART, CLOSE), "truncated", "after 4 body bytes of an HTTP 200", b"part"),
        ((REQUEST, HEAD + PART, 0.05, RESET), "reset", "after 4 body bytes of an HTTP 200", b"part"),
        ((REQUEST, b"HTTP/1.1 200 OK\r\n\r\nall", 0.05, RESET), "reset", "after 3 body bytes", b"all"),
        ((REQUEST, HEAD + PART + b"0\r\n", CLOSE), "truncated", "after 4 body bytes", b"part"),
        ((REQUEST, answer(b"12345")[:-2], CLOSE), "truncated", "after 3 body bytes", b"123"),
        ((REQUEST, HEAD + PART + b"zz\r\n", STALL), "protocol", "not HTTP/1.1: Invalid character in chunk", b"part"),
        ((REQUEST, b"\x16\x03\x01\x02\x00", STALL), "protocol", "not HTTP/1.1", b""),
        ((REQUEST, b"SSH-2.0-OpenSSH_9.2\r\n", STALL), "protocol", "not HTTP/1.1", b""),
        (
            (REQUEST, b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n??", STALL),
            "protocol",
            "switches protocols",
            b"",
        ),
        (
            (REQUEST, b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"),
            "protocol",
            "Duplicate",
            b"",
        ),
    ],
)
async def test_what_breaks_is_named_and_what_arrived_is_kept(
    script: tuple[str | bytes | float, ...], kind: str, says: str, kept: bytes
) -> None:
    exchange = await exchanged(*script)
    assert exchange.error_kind == kind, exchange.error_message
    assert says in (exchange.error_message or "")
    assert exchange.body == kept
    assert exchange.sent_ns is not None
    assert exchange.closed_ns >= (exchange.last_byte_ns or exchange.sent_ns)


@pytest.mark.parametrize(("script", "kept"), [((REQUEST, STALL), b""), ((REQUEST, HEAD + PART, STALL), b"part")])
async def test_a_stall_ends_at_the_deadline_and_the_connection_with_it(
    transport: Transport, script: tuple[str | bytes | float, ...], kept: bytes
) -> None:
    async with ScriptedServer(script) as server:
        deadline_ns = soon(0.3)
        exchange = await transport.exchange(request(server), deadline_ns)
        assert (exchange.error_kind, exchange.body) == ("timeout", kept)
        assert abs(exchange.closed_ns - deadline_ns) < 5_000_000_000
        assert exchange.closed_ns >= deadline_ns - 2_000_000
        assert transport.idle() == 0
        await until(lambda: server.closed_by_peer == 1)


async def test_a_slow_trickle_is_cut_by_the_deadline_not_by_a_pause_between_bytes(transport: Transport) -> None:
    trickle = tuple(step for _ in range(200) for step in (b"1\r\nx\r\n", 0.01))
    async with ScriptedServer((REQUEST, HEAD, *trickle)) as server:
        exchange = await transport.exchange(request(server), soon(0.3))
    assert exchange.error_kind == "timeout"
    assert 1 <= len(exchange.piece_bodies) < 100
    assert exchange.status == 200


async def test_time_can_be_up_before_there_is_a_connection(transport: Transport) -> None:
    async with ScriptedServer(serving(answer())) as server:
        exchange = await transport.exchange(request(server), soon(-1))
    assert exchange.error_kind == "timeout"
    assert "before 127.0.0.1" in (exchange.error_message or "")
    assert exchange.sent_ns is None


async def test_the_stale_connection_race_is_a_reset_that_says_so(transport: Transport) -> None:
    """The server answers once and closes when the next request of the same connection is in."""
    async with ScriptedServer((REQUEST, answer(b"1"), REQUEST, CLOSE), serving(answer(b"2"))) as server:
        assert (await transport.exchange(request(server), soon())).error_kind is None
        raced = await transport.exchange(request(server), soon())
        assert raced.error_kind == "reset"
        assert "kept-alive" in (raced.error_message or "")
        assert not raced.cold
        again = await transport.exchange(request(server), soon())
        assert (again.error_kind, again.body, again.cold) == (None, b"2", True)


async def test_an_interrupt_closes_the_connection_and_is_passed_on(transport: Transport) -> None:
    async with ScriptedServer((REQUEST, HEAD + PART, STALL)) as server:
        task = asyncio.create_task(transport.exchange(request(server), soon()))
        await until(lambda: len(server.requests) == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: server.closed_by_peer == 1)
        assert transport.idle() == 0


async def test_an_address_where_nobody_listens_refuses(transport: Transport) -> None:
    port = unused_port()
    exchange = await transport.exchange(HttpRequest(f"http://127.0.0.1:{port}/"), soon())
    assert exchange.error_kind == "refused"
    assert exchange.error_message == f"127.0.0.1:{port} refused the connection"
    assert (exchange.sent_ns, exchange.connect_ns) == (None, None)


async def test_every_address_of_a_name_is_tried(transport: Transport) -> None:
    """`localhost` has an IPv6 address on many hosts; the server listens on the IPv4 one only."""
    async with ScriptedServer(serving(answer(b"ok"))) as server:
        exchange = await transport.exchange(HttpRequest(f"http://localhost:{server.port}/"), soon())
    assert exchange.body == b"ok"


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 64 + ".invalid", "bad..name"])
async def test_a_name_without_address_is_unresolved(transport: Transport, host: str) -> None:
    exchange = await transport.exchange(HttpRequest(f"http://{host}/"), soon())
    assert exchange.error_kind == "unresolved"
    assert host in (exchange.error_message or "")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ftp://host/", "no http:// or https://"),
        ("http:///path", "no http:// or https://"),
        ("http://host:99999/", "no address"),
        ("http://[::1/", "no address"),
    ],
)
async def test_an_address_that_is_none_is_a_failed_exchange(transport: Transport, url: str, says: str) -> None:
    exchange = await transport.exchange(HttpRequest(url), soon())
    assert exchange.error_kind == "bad_request"
    assert says in (exchange.error_message or "")


@pytest.mark.parametrize("value", ["a\r\nx-injected: 1", "snow\u2603man"])
async def test_a_header_that_http_can_t_carry_is_never_sent(transport: Transport, value: str) -> None:
    async with ScriptedServer(serving(answer())) as server:
        exchange = await transport.exchange(HttpRequest(server.url, {"x-key": value}), soon())
        assert exchange.error_kind == "bad_request"
        assert value not in (exchange.error_message or "")
        assert server.connections == 0


EXHAUSTED = """
import asyncio, json, os, resource, sys, time
import uvloop
from benchbook.providers.http import HttpRequest
from benchbook.providers.transport import Transport

async def main():
    transport = Transport(proxies={})
    await asyncio.sleep(0)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) - 1, 4096))
    exchange = await transport.exchange(HttpRequest("http://127.0.0.1:9/"), time.monotonic_ns() + 10**10)
    print(json.dumps([exchange.error_kind, exchange.error_message]))

asyncio.Runner(loop_factory=uvloop.new_event_loop if sys.argv[1] == "uvloop" else None).run(main())
"""


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_running_out_of_file_descriptors_is_our_own_fault_and_said(loop: str) -> None:
    done = subprocess.run([sys.executable, "-c", EXHAUSTED, loop], capture_output=True, text=True, check=True)
    kind, message = json.loads(done.stdout)
    assert kind == "local"
    assert "ulimit -n" in message
