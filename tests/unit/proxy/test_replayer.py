"""Playback: each recorded segment is a write, when it was and framed as it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from benchbook.providers.http import HttpRequest
from benchbook.providers.transport import Transport
from benchbook.proxy.cassette import (
    CHUNKED,
    CLOSE,
    COMPLETE,
    CUT,
    LENGTH,
    RESET,
    Answered,
    Asked,
    CassetteWriter,
    Recorded,
)
from benchbook.proxy.replayer import MAX, How, Playback, ignored, spelt_speed
from benchbook.simulator import score
from tests.unit.providers.scripted_server import soon

STREAM = Answered(
    end_ns=9_000_000,
    ending=COMPLETE,
    status=200,
    headers=(("A", "1"), ("a", "2")),
    framing=CHUNKED,
    head_ns=2_000_000,
    piece_at_ns=(2_000_000, 5_000_000),
    pieces=(b"one", b"two"),
    trailers=(("T", "x"),),
)
HEAD = b"HTTP/1.1 200 OK\r\nA: 1\r\na: 2\r\n"


def beats(answered: Answered, speed: float = 1.0, *, keep_alive: bool = True) -> list[tuple[float, bytes]]:
    return [(beat.at_ms, beat.data) for beat in Playback(answered, speed).framed(keep_alive=keep_alive)]


def with_(**changes: Any) -> Answered:
    return replace(STREAM, **changes)


@pytest.mark.parametrize(
    ("answered", "expected"),
    [
        (
            STREAM,
            [(2.0, HEAD + b"\r\n3\r\none\r\n"), (5.0, b"3\r\ntwo\r\n"), (9.0, b"0\r\nT: x\r\n\r\n")],
        ),
        (with_(head_ns=1_000_000, end_ns=5_000_000, trailers=()), [
            (1.0, HEAD + b"\r\n"), (2.0, b"3\r\none\r\n"), (5.0, b"3\r\ntwo\r\n0\r\n\r\n"),
        ]),
        (with_(framing=LENGTH, trailers=()), [(2.0, HEAD + b"\r\none"), (5.0, b"two")]),
        (with_(framing=CLOSE, trailers=()), [(2.0, HEAD + b"\r\none"), (5.0, b"two")]),
        (with_(ending=CUT), [(2.0, HEAD + b"\r\n3\r\none\r\n"), (5.0, b"3\r\ntwo\r\n")]),
        (Answered(3_000_000, RESET), []),
    ],
)  # fmt: skip
def test_writes_are_the_recorded_segments(answered: Answered, expected: list[tuple[float, bytes]]) -> None:
    assert beats(answered) == expected


def test_speed_divides_every_offset() -> None:
    assert [at_ms for at_ms, _ in beats(STREAM, 2.0)] == [1.0, 2.5, 4.5]
    assert [at_ms for at_ms, _ in beats(STREAM, MAX)] == [0.0, 0.0, 0.0]
    assert [data for _, data in beats(STREAM, MAX)] == [data for _, data in beats(STREAM)]


def test_a_client_that_wants_the_connection_closed_is_told_so() -> None:
    assert beats(STREAM, keep_alive=False)[0][1].startswith(HEAD + b"connection: close\r\n\r\n")


def test_a_reset_never_overtakes_the_bytes_before_it() -> None:
    playback = Playback(with_(ending=RESET, end_ns=5_000_000), MAX)
    assert (playback.ending, playback.end_ms) == (score.RESET, score.RESET_GAP_MS)


@pytest.mark.parametrize("answered", [with_(framing=CLOSE), with_(headers=(("Connection", "Close"),))])
def test_a_connection_that_was_closed_behind_the_answer_is_closed_again(answered: Answered) -> None:
    assert Playback(answered).ending == score.CLOSE


@pytest.mark.parametrize(("text", "speed"), [("1x", 1.0), ("max", MAX), ("2.5", 2.5), (" MAX ", MAX)])
def test_speeds(text: str, speed: float) -> None:
    assert spelt_speed(text) == speed


@pytest.mark.parametrize("text", ["0", "-1", "fast", "inf", "nan", ""])
def test_what_is_no_speed(text: str) -> None:
    with pytest.raises(ValueError, match="is no speed"):
        spelt_speed(text)


def test_fields_to_ignore_are_given_one_by_one_or_together() -> None:
    assert ignored(("user", "a.b, c")) == ("user", "a.b", "c")


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    writer = CassetteWriter(tmp_path / "tape", {})
    for number, text in enumerate(("first", "second"), 1):
        asked = Asked("POST", "/v1/messages", (), orjson.dumps({"say": text}))
        said = Answered(0, COMPLETE, 200, (("content-length", str(len(text))),), LENGTH, 0, (0,), (text.encode(),))
        writer.append(Recorded(number, "http://there", asked, said))
    writer.close()
    return tmp_path / "tape"


async def test_a_miss_is_an_error_of_the_clients_own_wire(tape: Path, transport: Transport, replaying: Any) -> None:
    async with replaying(tape, How(MAX)) as replayer:
        hit = await transport.exchange(post(replayer.address, "second"), soon())
        miss = await transport.exchange(post(replayer.address, "third"), soon())
        other = await transport.exchange(HttpRequest(f"{replayer.address}/x", method="GET"), soon())
        status = await transport.exchange(HttpRequest(f"{replayer.address}/cassette", method="GET"), soon())
    assert (hit.status, hit.body) == (200, b"second")
    assert (miss.status, other.status) == (404, 404)
    error = orjson.loads(miss.body)
    assert (error["type"], error["error"]["type"]) == ("error", "not_found_error")  # as Anthropic says it
    assert '("second" recorded, "third" asked)' in error["error"]["message"]
    assert orjson.loads(other.body)["error"]["type"] == "cassette_miss"
    counts = orjson.loads(status.body)
    assert (counts["exchanges"], counts["served"], counts["missed"], len(counts["misses"])) == (2, 1, 2, 2)


async def test_the_nearest_answer_can_stand_in(tape: Path, transport: Transport, replaying: Any) -> None:
    async with replaying(tape, How(MAX, "nearest")) as replayer:
        found = await transport.exchange(post(replayer.address, "seconds"), soon())
        assert (found.status, found.body, replayer.missed) == (200, b"second", 1)


def post(address: str, text: str) -> HttpRequest:
    return HttpRequest(f"{address}/v1/messages", {"content-type": "application/json"}, orjson.dumps({"say": text}))
