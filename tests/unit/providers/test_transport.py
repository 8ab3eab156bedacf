"""The measuring instrument against scripted servers: framing, stamps, reuse, endings that are no failures."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from benchbook import __version__
from benchbook.providers.calls import Asked, RawCall
from benchbook.providers.connection import Receiving
from benchbook.providers.decoding import decode
from benchbook.providers.http import Exchange, HttpRequest
from benchbook.providers.transport import Transport
from benchbook.runner.beginning import begun
from benchbook.wire import wire
from tests.unit.providers.scripted_server import (
    CLOSE,
    REQUEST,
    STALL,
    ScriptedServer,
    answer,
    chunked,
    exchanged,
    read_request,
    request,
    serving,
    soon,
    until,
)


def in_order(exchange: Exchange) -> bool:
    """The law of the stamps: sent, first byte, pieces, last byte, closed."""
    stamps = [exchange.sent_ns, exchange.first_byte_ns, *exchange.piece_at_ns, exchange.last_byte_ns]
    known = [stamp for stamp in [*stamps, exchange.closed_ns] if stamp is not None]
    return known == sorted(known)


async def test_a_plain_answer_comes_back_whole_and_stamped() -> None:
    exchange = await exchanged(REQUEST, answer(b'{"a": 1}', X_Request_Id="r-1", Set_Cookie="a\r\nset-cookie: b"), STALL)
    assert exchange.error_kind is None
    assert (exchange.status, exchange.body) == (200, b'{"a": 1}')
    assert exchange.headers["x-request-id"] == "r-1"
    assert exchange.headers["set-cookie"] == "a, b"
    assert in_order(exchange)
    assert exchange.sent_ns is not None
    assert exchange.first_byte_ns is not None


async def test_the_request_is_sent_as_http_says(transport: Transport) -> None:
    async with ScriptedServer(serving(answer())) as server:
        url = f"{server.url}/chat?x=1"
        await transport.exchange(HttpRequest(url, {"Content-Type": "application/json"}, b'{"q": 1}'), soon())
        await transport.exchange(HttpRequest(url, method="GET"), soon())
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /v1/chat?x=1 HTTP/1.1"
    assert sorted(lines[1:]) == [
        "accept-encoding: identity",
        "accept: */*",
        "content-length: 8",
        "content-type: application/json",
        f"host: 127.0.0.1:{server.port}",
        f"user-agent: benchbook/{__version__}",
    ]
    assert body == b'{"q": 1}'
    assert server.requests[1].startswith(b"GET /v1/chat?x=1 HTTP/1.1\r\n")
    assert b"content-length" not in server.requests[1]


class FirstRead(ScriptedServer):
    """Keeps what its first read of a connection brings."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requests.append(await reader.read(65_536))
        writer.write(answer(Connection="close"))


async def test_head_and_body_leave_in_one_segment(transport: Transport) -> None:
    async with FirstRead() as server:
        await transport.exchange(request(server, b"x" * 20_000 + b"end"), soon())
    assert server.requests[0].endswith(b"end")


async def test_chunk_extensions_and_trailers_are_framing() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Kept: yes\r\n\r\n"
    body = b"3;name=value\r\nabc\r\n2\r\nde\r\n0\r\nX-Kept: no\r\nX-Trailer: t\r\n\r\n"
    exchange = await exchanged(REQUEST, head, body, STALL)
    assert exchange.error_kind is None
    assert exchange.body == b"abcde"
    assert exchange.headers["x-kept"] == "yes"
    assert "x-trailer" not in exchange.headers


async def test_each_segment_has_its_own_stamp_and_a_segments_chunks_share_one() -> None:
    first, second = b"5\r\nhello\r\n1\r\n,\r\n", b"5\r\nworld\r\n0\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    exchange = await exchanged(REQUEST, head + first, 0.03, second, STALL)
    stamps = exchange.piece_at_ns
    assert list(exchange.pieces) == list(zip(stamps, [b"hello", b",", b"world"], strict=True))
    assert stamps[0] == stamps[1] == exchange.first_byte_ns
    assert stamps[2] == exchange.last_byte_ns
    assert stamps[2] > stamps[1]
    assert in_order(exchange)


STREAM = (
    b'data: {"id":"a","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n',
    'data: {"id":"a","choices":[{"index":0,"delta":{"content":"Gr\u00fc\u00dfe"}}]}\n\n'.encode(),
    b'data: {"id":"a","choices":[{"index":0,"delta":{"content":", you"}}]}\n\n',
    b"data: [DONE]\n\n",
)
WHOLE = chunked(*STREAM)


@given(
    cuts=st.lists(st.tuples(st.integers(1, len(WHOLE) - 1), st.sampled_from([0.0, 0.0005, 0.002])), max_size=8),
    loop_factory=st.sampled_from([uvloop.new_event_loop, asyncio.new_event_loop]),
)
@settings(max_examples=60, deadline=None)
def test_whatever_the_cuts_and_delays_the_stamps_are_in_order(
    cuts: list[tuple[int, float]], loop_factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """a <= b <= c_1 <= ... <= e <= z over a real socket, and the text is whole."""
    steps: list[str | bytes | float] = [REQUEST]
    begin = 0
    for end, pause in sorted(dict(cuts).items()):
        steps += [WHOLE[begin:end], pause]
        begin = end
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        exchange = runner.run(exchanged(*steps, WHOLE[begin:], STALL))
    assert exchange.body == b"".join(STREAM)
    call, answer_ = decode(RawCall(Asked("c", 1, 0, 0, 0), "m", True, exchange, wire("openai_chat")))
    assert (call.error_kind, answer_.text) == (None, "Gr\u00fc\u00dfe, you")
    stamps = [
        call.sent_ns,
        call.first_byte_ns,
        *(chunk.at_ns for chunk in call.chunks),
        call.last_byte_ns,
        call.closed_ns,
    ]
    assert len(call.chunks) == 2
    assert stamps == sorted(stamps, key=lambda stamp: stamp or 0)
    assert set(answer_.piece_at_ns) >= {chunk.at_ns for chunk in call.chunks}


async def test_a_body_without_length_ends_with_the_connection() -> None:
    exchange = await exchanged(REQUEST, b"HTTP/1.1 200 OK\r\n\r\nab", 0.01, b"c", CLOSE)
    assert (exchange.error_kind, exchange.body) == (None, b"abc")
    assert exchange.last_byte_ns is not None
    assert exchange.closed_ns >= exchange.last_byte_ns


async def test_interim_answers_are_not_the_answer() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    hints = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"
    exchange = await exchanged(REQUEST, interim, 0.02, hints + answer(b"ok"), STALL)
    assert (exchange.status, exchange.body, exchange.error_kind) == (200, b"ok", None)
    assert "link" not in exchange.headers
    assert exchange.first_byte_ns == exchange.last_byte_ns


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_statuses_without_a_body_end_with_their_head(status: str) -> None:
    exchange = await exchanged(REQUEST, f"HTTP/1.1 {status}\r\n\r\n".encode(), STALL)
    assert (exchange.error_kind, exchange.body) == (None, b"")


async def test_connections_are_reused_and_only_the_first_request_is_cold(transport: Transport) -> None:
    async with ScriptedServer(serving(answer(b"ok"))) as server:
        exchanges = [await transport.exchange(request(server), soon()) for _ in range(3)]
        assert server.connections == 1
    assert [exchange.cold for exchange in exchanges] == [True, False, False]
    assert exchanges[0].connect_ns == sum(exchanges[0].connect_parts.values()) > 0
    assert set(exchanges[0].connect_parts) == {"dns_ns", "tcp_ns"}
    assert [exchange.connect_ns for exchange in exchanges[1:]] == [None, None]


async def test_a_chunked_answer_leaves_its_connection_reusable(transport: Transport) -> None:
    async with ScriptedServer(serving(chunked(b"a", b"b"))) as server:
        for _ in range(2):
            assert (await transport.exchange(request(server), soon())).body == b"ab"
        assert server.connections == 1


@pytest.mark.parametrize(
    "response",
    [
        answer(b"ok", Connection="close"),
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
        answer(b"ok") + b"surplus",
        answer(b"ok") + answer(b"unasked"),
    ],
    ids=["connection-close", "http-1.0", "surplus-bytes", "a-second-answer"],
)
async def test_connections_that_can_t_be_trusted_again_are_dropped(transport: Transport, response: bytes) -> None:
    async with ScriptedServer((REQUEST, response, STALL)) as server:
        for _ in range(2):
            exchange = await transport.exchange(request(server), soon())
            assert (exchange.error_kind, exchange.body, exchange.cold) == (None, b"ok", True)
        assert transport.idle() == 0


async def test_an_idle_connection_that_has_seen_its_end_is_not_used(transport: Transport) -> None:
    async with ScriptedServer((REQUEST, answer(b"1"), CLOSE), serving(answer(b"2"))) as server:
        await transport.exchange(request(server), soon())
        await until(lambda: not transport.idle())
        exchange = await transport.exchange(request(server), soon())
    assert (exchange.error_kind, exchange.cold, exchange.body) == (None, True, b"2")


async def test_bytes_on_an_idle_connection_end_it(transport: Transport) -> None:
    async with ScriptedServer((REQUEST, answer(b"1"), 0.01, answer(b"", "408 Request Timeout"), STALL)) as server:
        await transport.exchange(request(server), soon())
        await until(lambda: not transport.idle())
        assert (await transport.exchange(request(server), soon())).body == b"1"
        assert server.connections == 2


async def test_who_hears_of_an_end_first_finds_the_connection_free(transport: Transport) -> None:
    async with ScriptedServer(serving(answer(b"x"))) as server:
        outgoing = transport.ready(request(server))
        second: list[Coroutine[Any, Any, None]] = []
        found: list[Exchange] = []

        async def again() -> None:
            found.append(await transport.exchange(outgoing, soon()))

        def over(_: int) -> None:
            second.append(begun(again()))

        first = await transport.exchange(outgoing, soon(), partial(Receiving, over=over))
        await asyncio.create_task(*second)
        assert [one.status for one in (first, *found)] == [200, 200]
        assert [one.cold for one in (first, *found)] == [True, False]
        assert server.connections == 1


async def test_a_cancellation_after_the_end_leaves_the_connection_to_the_next(transport: Transport) -> None:
    async with ScriptedServer(serving(answer(b"x"))) as server:
        outgoing = transport.ready(request(server))
        tasks: list[asyncio.Task[Any]] = []
        found: list[Exchange] = []

        async def again() -> None:
            found.append(await transport.exchange(outgoing, soon()))

        def over(_: int) -> None:
            tasks.append(asyncio.create_task(begun(again())))
            tasks[0].cancel()

        tasks.append(asyncio.create_task(transport.exchange(outgoing, soon(), partial(Receiving, over=over))))
        with pytest.raises(asyncio.CancelledError):
            await tasks[0]
        await asyncio.wait_for(tasks[1], 20)
        assert [one.status for one in found] == [200]
        assert server.connections == 1


async def test_at_most_so_many_idle_connections_are_kept() -> None:
    transport = Transport(proxies={}, max_idle=2)
    async with ScriptedServer((REQUEST, 0.02, answer(b"ok"), STALL)) as server:
        await asyncio.gather(*(transport.exchange(request(server), soon()) for _ in range(5)))
        assert server.connections == 5
        assert transport.idle() == 2
        await transport.close()
        assert transport.idle() == 0


async def test_a_closed_transport_keeps_nothing(transport: Transport) -> None:
    async with ScriptedServer(serving(answer(b"ok"))) as server:
        await transport.close()
        await transport.exchange(request(server), soon())
        assert transport.idle() == 0


async def test_warm_connections_are_there_before_the_first_request(transport: Transport) -> None:
    async with ScriptedServer(serving(answer(b"ok"))) as server:
        assert await transport.warm(server.url, 3, soon()) == 3
        assert await transport.warm(server.url, 3, soon()) == 0
        exchange = await transport.exchange(request(server), soon())
        assert server.connections == 3
    assert exchange.cold
    assert exchange.connect_ns is not None
    assert await transport.warm("http://127.0.0.1:1/", 2, soon()) == 0


class Impatient(ScriptedServer):
    """Answers as soon as a request's first bytes are in, and reads no further."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer(b"too large", "413 Payload Too Large"))
        await asyncio.sleep(60)


async def test_an_answer_ahead_of_the_whole_request_ends_the_connection(transport: Transport) -> None:
    async with Impatient() as server:
        exchange = await transport.exchange(request(server, b"x" * 30_000_000), soon())
        assert (exchange.status, exchange.body) == (413, b"too large")
        assert transport.idle() == 0


async def test_a_server_that_speaks_before_it_is_asked_is_not_believed(transport: Transport) -> None:
    async with ScriptedServer((answer(b"early"), STALL)) as server:
        await transport.warm(server.url, 1, soon())
        await until(lambda: not transport.idle())


class Echo(ScriptedServer):
    """Answers each request with its body, chunked."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            body = (await read_request(reader)).partition(b"\r\n\r\n")[2]
            writer.write(chunked(b"<", body, b">"))


async def test_many_at_once_keep_their_answers_apart(transport: Transport) -> None:
    async with Echo() as server:
        for _ in range(2):
            wanted = [request(server, b"%d" % n) for n in range(150)]
            exchanges = await asyncio.gather(*(transport.exchange(each, soon()) for each in wanted))
            assert [exchange.body for exchange in exchanges] == [b"<%d>" % n for n in range(150)]
            assert all(in_order(exchange) for exchange in exchanges)
        assert server.connections == 150
        await transport.close()


async def test_a_kept_connection_keeps_each_exchange_s_own_deadline(transport: Transport) -> None:
    """One that is earlier than the last exchange's, and one that is later than a timer which is running already."""
    for first, second in ((60.0, 0.05), (0.5, 0.8)):
        async with ScriptedServer((REQUEST, answer(b"{}"), REQUEST, STALL)) as server:
            assert (await transport.exchange(request(server), soon(first))).error_kind is None
            deadline_ns = soon(second)
            stalled = await asyncio.wait_for(transport.exchange(request(server), deadline_ns), 20)
            assert (stalled.error_kind, server.connections) == ("timeout", 1)
            assert stalled.closed_ns > deadline_ns - 20_000_000


async def test_a_timer_that_ends_while_nothing_is_asked_leaves_the_connection_alone(transport: Transport) -> None:
    async with ScriptedServer((REQUEST, answer(b"{}"), REQUEST, answer(b"{}"), REQUEST, STALL)) as server:
        await transport.exchange(request(server), soon(0.5))
        await asyncio.sleep(0.6)
        assert (await transport.exchange(request(server), soon())).error_kind is None
        assert (await transport.exchange(request(server), soon(0.05))).error_kind == "timeout"
        assert server.connections == 1
