"""The recorder: what comes is passed on as it comes, and kept; what fails is passed on and kept as such."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from benchbook.errors import PlanError
from benchbook.providers.http import Exchange, HttpRequest
from benchbook.providers.transport import Transport
from benchbook.proxy.cassette import CHUNKED, CLOSE, COMPLETE, CUT, LEFT, LENGTH, RESET, read_cassette
from benchbook.proxy.recorder import upstream
from benchbook.proxy.replayer import MAX, How
from tests.unit.providers.scripted_server import CLOSE as CLOSES
from tests.unit.providers.scripted_server import (
    REQUEST,
    STALL,
    ScriptedServer,
    answer,
    chunked,
    serving,
    soon,
    until,
)
from tests.unit.providers.scripted_server import RESET as RESETS

SECRET = "q8-Zx-very-secret-1"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
CUT_SHORT = (REQUEST, HEAD, b"5\r\nhello\r\n", 0.02, CLOSES)
UNTIL_CLOSE = (REQUEST, b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\nall of it", 0.02, CLOSES)
SLOW = answer(b'{"error":{"message":"slow down"}}', "429 Too Many Requests", retry_after="7")


def asking(address: str, body: bytes = b'{"model":"m"}', **headers: str) -> HttpRequest:
    fields = {"content-type": "application/json", **{name.replace("_", "-"): text for name, text in headers.items()}}
    return HttpRequest(f"{address}/v1/chat/completions", fields, body)


async def ask(transport: Transport, address: str, **headers: str) -> Exchange:
    return await transport.exchange(asking(address, **headers), soon())


def seen(exchange: Exchange) -> tuple[Any, ...]:
    fields = {name: value for name, value in exchange.headers.items() if name != "connection"}
    return exchange.status, fields, exchange.body, exchange.error_kind


@pytest.mark.parametrize(
    ("script", "framing", "ending"),
    [
        (serving(chunked(b"data: 1\n\n", "Grüezi".encode())), CHUNKED, COMPLETE),
        (serving(answer(b'{"a":1}')), LENGTH, COMPLETE),
        (serving(SLOW), LENGTH, COMPLETE),
        (serving(b"HTTP/1.1 204 No Content\r\n\r\n"), LENGTH, COMPLETE),
        (serving(b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b"after it")), LENGTH, COMPLETE),
        (UNTIL_CLOSE, CLOSE, COMPLETE),
        (CUT_SHORT, CHUNKED, CUT),
        ((*CUT_SHORT[:-1], RESETS), CHUNKED, RESET),
        ((REQUEST, b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhal", 0.02, CLOSES), LENGTH, CUT),
        ((REQUEST, RESETS), LENGTH, RESET),
        ((REQUEST, CLOSES), LENGTH, CUT),
    ],
)
async def test_recorded_and_replayed_an_answer_is_what_it_was(
    script: Any, framing: str, ending: str, tmp_path: Path, transport: Transport, recording: Any, replaying: Any
) -> None:
    path = tmp_path / "tape"
    async with ScriptedServer(script) as server:
        direct = await ask(transport, server.url.removesuffix("/v1"))
        async with recording(server.url.removesuffix("/v1"), path) as (address, under_way):
            through = await ask(transport, address)
            await until(lambda: under_way.deck.tally.recorded == 1)
    assert seen(through) == seen(direct)
    (kept,) = read_cassette(path).exchanges
    assert (kept.answered.framing, kept.answered.ending) == (framing, ending)
    async with replaying(path, How(MAX)) as replayer:
        again = await ask(transport, replayer.address)
    assert seen(again) == seen(direct)


async def test_segments_are_passed_on_one_by_one_when_they_come(tmp_path: Path, recording: Any) -> None:
    """The server sends each piece only when the client has the one before."""
    got = asyncio.Semaphore(0)

    class Waiting(ScriptedServer):
        async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._do(REQUEST, reader, writer)
            for piece in (HEAD, b"3\r\none\r\n", b"3\r\ntwo\r\n", b"0\r\n\r\n"):
                writer.write(piece)
                await got.acquire()

    async with Waiting(()) as server, recording(server.url.removesuffix("/v1"), tmp_path / "tape") as (address, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
        writer.write(b"POST /x HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\n{}")
        for piece in (HEAD, b"3\r\none\r\n", b"3\r\ntwo\r\n", b"0\r\n\r\n"):
            assert await asyncio.wait_for(reader.readexactly(len(piece)), 10) == piece  # byte for byte
            got.release()
        writer.close()
        await writer.wait_closed()
    (kept,) = read_cassette(tmp_path / "tape").exchanges
    assert kept.answered.pieces == (b"one", b"two")
    assert kept.answered.head_ns < kept.answered.piece_at_ns[0] < kept.answered.piece_at_ns[1] < kept.answered.end_ns


async def test_a_client_that_leaves_is_kept_as_such(tmp_path: Path, transport: Transport, recording: Any) -> None:
    script = (REQUEST, HEAD, b"5\r\nhello\r\n", STALL)
    async with (
        ScriptedServer(script) as server,
        recording(server.url.removesuffix("/v1"), tmp_path / "tape") as (address, under_way),
    ):
        asked = asyncio.create_task(ask(transport, address))
        await until(lambda: bool(under_way.deck.number))
        await until(lambda: len(server.requests) == 1)
        await asyncio.sleep(0.05)
        asked.cancel()
        await until(lambda: under_way.deck.tally.recorded == 1)
        await until(lambda: server.closed_by_peer == 1)  # and the provider is left as well
    (kept,) = read_cassette(tmp_path / "tape").exchanges
    assert (kept.answered.ending, kept.answered.pieces) == (LEFT, (b"hello",))


async def test_no_secret_reaches_the_disk(tmp_path: Path, transport: Transport, recording: Any) -> None:
    told = orjson.dumps({"error": f"wrong key {SECRET}"})
    body = orjson.dumps({"model": "m", "api_key": SECRET, "messages": [{"content": f"my key is {SECRET}"}]})
    async with (
        ScriptedServer(serving(answer(told, set_cookie=f"id={SECRET}", x_said=SECRET))) as server,
        recording(server.url.removesuffix("/v1"), tmp_path / "tape") as (address, _),
    ):
        for name in ("authorization", "x_api_key", "api_key", "cookie", "x_amz_security_token"):
            value = {"authorization": f"Bearer {SECRET}", "cookie": f"s={SECRET}"}.get(name, SECRET)
            request = asking(address, body, **{name: value})
            url = f"{request.url}?key={SECRET}"
            exchange = await transport.exchange(HttpRequest(url, request.headers, body), soon())
            assert exchange.body == told  # the client hears it all
        assert all(SECRET.encode() in asked for asked in server.requests)  # and so does the provider
    assert len(read_cassette(tmp_path / "tape").exchanges) == 5
    assert SECRET not in (tmp_path / "tape").read_text()


async def test_a_signature_for_the_recorder_is_made_anew_for_the_real_host(
    tmp_path: Path, transport: Transport, recording: Any
) -> None:
    async with ScriptedServer(serving(answer(b"{}"))) as server:
        async with recording(server.url.removesuffix("/v1"), tmp_path / "tape") as (address, _):
            url = f"{address}/model/anthropic.m%3A0/converse"
            signed = AWSRequest("POST", url, data=b"{}", headers={"content-type": "application/json"})
            SigV4Auth(Credentials("AKIATHECLIENTSDUMMY", "dummy-secret"), "bedrock", "eu-west-1").add_auth(signed)
            await transport.exchange(HttpRequest(url, dict(signed.headers.items()), b"{}"), soon())
        (received,) = server.requests
    lines = received.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    assert fields["host"] == f"127.0.0.1:{server.port}"
    assert "Credential=AKIARECORDERSOWNKEY0/" in fields["authorization"]
    assert "/eu-west-1/bedrock/aws4_request" in fields["authorization"]
    assert fields["authorization"] == _signature(f"http://{fields['host']}/model/anthropic.m%3A0/converse", fields)
    written = (tmp_path / "tape").read_text()
    assert not any(word in written for word in ("AKIA", "Signature", "recorders-own"))


def _signature(url: str, fields: dict[str, str]) -> str:
    """What botocore, knowing the recorder's key, would have signed at that moment."""
    named = fields["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    request = AWSRequest("POST", url, data=b"{}", headers={n: fields[n] for n in named if n != "host"})
    request.context["timestamp"] = fields["x-amz-date"]
    signer = SigV4Auth(Credentials("AKIARECORDERSOWNKEY0", "the-recorders-own-secret-key"), "bedrock", "eu-west-1")
    to_sign = signer.string_to_sign(request, signer.canonical_request(request))
    return (
        f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, SignedHeaders={';'.join(named)}, "
        f"Signature={signer.signature(to_sign, request)}"
    )


async def test_what_never_got_there_is_said_and_not_kept(tmp_path: Path, transport: Transport, recording: Any) -> None:
    async with ScriptedServer(serving(answer(b"{}"))) as server:
        gone = server.url.removesuffix("/v1")
    async with recording(gone, tmp_path / "tape") as (address, under_way):
        exchange = await ask(transport, address, authorization=f"Bearer {SECRET}")
        assert exchange.status == 502
        assert "could not pass this on: refused" in orjson.loads(exchange.body)["error"]["message"]
        assert (under_way.deck.tally.unreached, under_way.deck.tally.recorded) == (1, 0)


async def test_a_recording_that_heard_nothing_leaves_no_file(tmp_path: Path, recording: Any) -> None:
    async with recording("http://127.0.0.1:9", tmp_path / "tape"):
        assert (tmp_path / "tape").exists()
    assert not (tmp_path / "tape").exists()


async def test_a_method_without_bodies_is_refused(tmp_path: Path, transport: Transport, recording: Any) -> None:
    async with recording("http://127.0.0.1:9", tmp_path / "tape") as (address, under_way):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
        writer.write(b"HEAD / HTTP/1.1\r\nhost: h\r\n\r\n")
        assert (await asyncio.wait_for(reader.readline(), 10)).startswith(b"HTTP/1.1 502")
        assert under_way.deck.tally.last_trouble == "HEAD requests are not passed on"
        writer.close()
        await writer.wait_closed()


async def test_a_bearer_token_needs_no_credentials(
    tmp_path: Path, recording: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent/config")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    async with recording("https://bedrock-runtime.us-east-1.amazonaws.com", tmp_path / "tape") as (address, _):
        assert address.startswith("http://127.0.0.1:")


async def test_a_compressed_answer_is_passed_on_and_not_kept(
    tmp_path: Path, transport: Transport, recording: Any
) -> None:
    async with (
        ScriptedServer(serving(answer(b"\x1f\x8b..", content_encoding="gzip"))) as server,
        recording(server.url.removesuffix("/v1"), tmp_path / "tape") as (address, under_way),
    ):
        assert (await ask(transport, address)).body == b"\x1f\x8b.."
        assert (under_way.deck.tally.coded, under_way.deck.tally.recorded) == (1, 0)


async def test_numbers_go_on_where_a_cassette_is_added_to(tmp_path: Path, transport: Transport) -> None:
    from benchbook.proxy import recorder
    from benchbook.proxy.recorder import Order

    async with ScriptedServer(serving(answer(b"{}"))) as server:
        for append in (False, True):
            order = Order(tmp_path / "tape", {"there": server.url.removesuffix("/v1")}, append=append)
            recording = await recorder.serve(order)
            for _ in range(2):
                await ask(transport, recording.addresses["there"])
            await recording.close()
    assert [kept.number for kept in read_cassette(tmp_path / "tape").exchanges] == [1, 2, 3, 4]


def test_an_address_is_named_without_its_secrets() -> None:
    assert upstream("https://api.example.com/v1?key=abc")[0] == "https://api.example.com/v1"
    for wrong in ("api.example.com", "ftp://x", "https://user:password@host"):
        with pytest.raises(PlanError, match="--to"):
            upstream(wrong)
