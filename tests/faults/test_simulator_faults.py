"""Each fault of the simulator, as a bare client sees it on the socket, streamed and not."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from typing import Any

import pytest

from tests.faults.bare_client import (
    CHUNKS,
    PATHS,
    TEXT,
    Seen,
    always,
    ask,
    deltas,
    request_bytes,
    simulating,
    text,
    truth,
)

# ---------------------------------------------------------------- instead of an answer


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("path", PATHS.values())
async def test_rate_limited_says_when_to_come_back(stream: bool, path: str) -> None:
    async with simulating(always("rate_limited", retry_after_s=2)) as simulator:
        seen = await ask(simulator, request_bytes(stream=stream, path=path))
        assert (seen.status, seen.headers["retry-after"], seen.end) == (429, "2", "complete")
        assert "error" in json.loads(seen.body)
        (record,) = truth(simulator)
        assert (record["status"], record["fault"], record["outcome"]) == (429, "rate_limited", "complete")
        assert record["sent_ns"] == []


@pytest.mark.parametrize(
    ("fault", "status", "wait"),
    [
        (always("rate_limited", retry_after_s=None), 429, None),
        (always("server_error"), 500, None),
        (always("unavailable"), 503, None),
        (always("unavailable", status=529, retry_after_s=0.5), 529, "0.5"),
    ],
)
async def test_error_statuses(fault: dict[str, Any], status: int, wait: str | None) -> None:
    async with simulating(fault) as simulator:
        seen = await ask(simulator, request_bytes(stream=True))
        assert (seen.status, seen.headers.get("retry-after"), seen.end) == (status, wait, "complete")


async def test_html_is_a_page_with_status_200() -> None:
    async with simulating(always("html")) as simulator:
        seen = await ask(simulator, request_bytes(stream=True))
        assert (seen.status, seen.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert seen.body.startswith(b"<!DOCTYPE html>")


# ---------------------------------------------------------------- connections


async def test_refused_resets_connections_by_number() -> None:
    async with simulating({"kind": "refused", "script": [1, 3]}) as simulator:
        ends = [(await ask(simulator, request_bytes(stream=False))).end for _ in range(4)]
        assert ends == ["reset", "complete", "reset", "complete"]
        assert [record["connection"] for record in truth(simulator)] == [2, 4]


async def test_refused_after_requests_closes_the_door_for_a_while() -> None:
    async with simulating({"kind": "refused", "after_requests": 1, "for_s": 0.4}) as simulator:
        assert (await ask(simulator, request_bytes(stream=False))).end == "complete"
        with pytest.raises(ConnectionRefusedError):
            await ask(simulator, request_bytes(stream=False))
        for _ in range(100):
            await asyncio.sleep(0.02)
            with contextlib.suppress(ConnectionRefusedError):
                assert (await ask(simulator, request_bytes(stream=False))).end == "complete"
                return
        pytest.fail("the door stayed shut")


@pytest.mark.parametrize("stream", [True, False])
async def test_reset_before_the_first_byte(stream: bool) -> None:
    async with simulating(always("reset", after_chunks=0)) as simulator:
        seen = await ask(simulator, request_bytes(stream=stream))
        assert (seen.end, seen.status) == ("reset", 0)
        (record,) = truth(simulator)
        assert (record["outcome"], record["first_byte_ns"]) == ("cut", None)


async def test_reset_in_mid_stream_lets_the_chunks_before_it_through() -> None:
    async with simulating(always("reset", after_chunks=3)) as simulator:
        seen = await ask(simulator, request_bytes(stream=True))
        assert (seen.end, text(seen)) == ("reset", TEXT[:12])
        (record,) = truth(simulator)
        assert (record["outcome"], len(record["sent_ns"])) == ("cut", 3)


async def test_reset_in_the_middle_of_a_whole_body() -> None:
    async with simulating(always("reset", after_chunks=1)) as simulator:
        seen = await ask(simulator, request_bytes(stream=False))
        assert (seen.end, seen.status) == ("reset", 200)
        assert len(seen.body) == int(seen.headers["content-length"]) // 2


# ---------------------------------------------------------------- time


@pytest.mark.parametrize("after", [0, 2])
async def test_stall_waits_and_goes_on(after: int) -> None:
    async with simulating(always("stall", after_chunks=after, for_s=0.1)) as simulator:
        seen = await ask(simulator, request_bytes(stream=True))
        assert (seen.end, text(seen)) == ("complete", TEXT)
        (record,) = truth(simulator)
        offsets = [due - record["received_ns"] for due in record["due_ns"]]
        assert offsets == [0] * after + [100_000_000] * (CHUNKS - after)
        assert all(late >= 0 for late in record["lateness_ns"])


async def test_stall_of_a_whole_answer_after_half_of_it() -> None:
    async with simulating(always("stall", after_chunks=1, for_s=0.05)) as simulator:
        seen = await ask(simulator, request_bytes(stream=False))
        assert json.loads(seen.body)["choices"][0]["message"]["content"] == TEXT
        (record,) = truth(simulator)
        assert record["last_due_ns"] - record["first_due_ns"] == 50_000_000


@pytest.mark.parametrize("stream", [True, False])
async def test_stall_for_good_ends_when_the_client_leaves(stream: bool) -> None:
    async with simulating(always("stall", after_chunks=1, for_s=None)) as simulator:
        seen = await ask(simulator, request_bytes(stream=stream), patience_s=0.4)
        assert seen.end == "silence"
        assert seen.body
        for _ in range(100):
            if truth(simulator):
                break
            await asyncio.sleep(0.01)
        assert truth(simulator)[0]["outcome"] == "cut"


@pytest.mark.parametrize("stream", [True, False])
async def test_slow_trickle_sends_byte_by_byte(stream: bool) -> None:
    async with simulating(always("slow_trickle", delay_ms=0.05, bytes_per_write=3)) as simulator:
        seen = await ask(simulator, request_bytes(stream=stream), patience_s=10)
        assert seen.end == "complete"
        if stream:
            assert text(seen) == TEXT
            assert {len(piece) for piece in seen.pieces} <= {1, 2, 3}
            assert len(truth(simulator)[0]["sent_ns"]) == CHUNKS
        else:
            assert json.loads(seen.body)["choices"][0]["message"]["content"] == TEXT


# ---------------------------------------------------------------- bodies that are not whole


async def test_truncated_stream_has_no_end() -> None:
    async with simulating(always("truncated_body", after_chunks=2)) as simulator:
        seen = await ask(simulator, request_bytes(stream=True))
        assert (seen.end, text(seen)) == ("eof", TEXT[:8])
        assert truth(simulator)[0]["outcome"] == "cut"


@pytest.mark.parametrize(("after", "share"), [(1, 0.5), (0, 0.0)])
async def test_truncated_body_is_shorter_than_declared(after: int, share: float) -> None:
    async with simulating(always("truncated_body", after_chunks=after)) as simulator:
        seen = await ask(simulator, request_bytes(stream=False))
        assert seen.end == "eof"
        assert len(seen.body) == max(1, int(int(seen.headers["content-length"]) * share))


async def test_early_end_of_a_stream_is_complete_http_without_the_closing_events() -> None:
    async with simulating(always("early_end")) as simulator:
        seen = await ask(simulator, request_bytes(stream=True))
        assert (seen.end, text(seen)) == ("complete", TEXT)
        assert b"[DONE]" not in seen.body
        assert b'"finish_reason":"stop"' not in seen.body


async def test_early_end_of_a_whole_answer_is_cut_json() -> None:
    async with simulating(always("early_end")) as simulator:
        seen = await ask(simulator, request_bytes(stream=False))
        assert (seen.end, int(seen.headers["content-length"])) == ("complete", len(seen.body))
        with pytest.raises(json.JSONDecodeError):
            json.loads(seen.body)


# ---------------------------------------------------------------- what is said


@pytest.mark.parametrize(
    ("path", "mark"),
    [
        (PATHS["openai_chat"], b'"type":"overloaded_error"'),
        (PATHS["anthropic_messages"], b"event: error"),
        (PATHS["ollama_chat"], b'{"error":"The simulator was told to fail here."}'),
        ("/model/m/converse-stream", b":exception-type"),
    ],
)
@pytest.mark.parametrize("after", [0, 2])
async def test_stream_error_comes_in_the_middle(path: str, mark: bytes, after: int) -> None:
    request = request_bytes(stream=True, path=path)
    if path.startswith("/model"):
        data = json.dumps({"messages": [{"role": "user", "content": [{"text": TEXT}]}]}).encode()
        request = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(data)}\r\n\r\n".encode() + data
    async with simulating(always("stream_error", after_chunks=after)) as simulator:
        seen = await ask(simulator, request)
        assert (seen.end, seen.status) == ("complete", 200)
        assert mark in seen.body
        assert len(truth(simulator)[0]["sent_ns"]) == after
        assert b"[DONE]" not in seen.body


async def test_role_only_first_chunk_comes_long_before_content() -> None:
    async with simulating(always("role_only_first_chunk", delay_ms=60)) as simulator:
        seen = await ask(simulator, request_bytes(stream=True))
        assert (text(seen), seen.end) == (TEXT, "complete")
        assert not deltas(Seen(pieces=seen.pieces[:1]))[0]
        (record,) = truth(simulator)
        assert record["due_ns"][0] - record["first_due_ns"] == 60_000_000
        assert record["sent_ns"][0] > record["first_byte_ns"]


async def test_empty_deltas_are_not_content() -> None:
    async with simulating(always("empty_deltas", count=2)) as simulator:
        seen = await ask(simulator, request_bytes(stream=True))
        assert text(seen) == TEXT
        assert deltas(seen).count("") >= 2 * CHUNKS
        assert len(truth(simulator)[0]["sent_ns"]) == CHUNKS


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("path", PATHS.values())
async def test_missing_usage(stream: bool, path: str) -> None:
    counters = (b'"completion_tokens"', b'"eval_count"', f'"output_tokens":{CHUNKS}'.encode())
    async with simulating(always("missing_usage")) as simulator:
        seen = await ask(simulator, request_bytes(stream=stream, path=path))
        assert seen.end == "complete"
        assert not any(counter in seen.body for counter in counters)
        assert truth(simulator)[0]["tokens_out"] == CHUNKS
    async with simulating() as simulator:
        seen = await ask(simulator, request_bytes(stream=stream, path=path))
        assert any(counter in seen.body for counter in counters)


@pytest.mark.parametrize(
    ("path", "comment"),
    [(PATHS["openai_chat"], b": keep-alive\n\n"), (PATHS["anthropic_messages"], b": keep-alive\n\n"),
     (PATHS["ollama_chat"], b"\n")],
)  # fmt: skip
async def test_keep_alive_comments_come_while_the_client_waits(path: str, comment: bytes) -> None:
    async with simulating(always("keep_alive_comments", interval_ms=10), ttft_ms=60) as simulator:
        seen = await ask(simulator, request_bytes(stream=True, path=path))
        assert (seen.end, seen.pieces[:5]) == ("complete", [comment] * 5)
        (record,) = truth(simulator)
        assert record["first_due_ns"] - record["received_ns"] == 10_000_000
        assert len(record["sent_ns"]) == CHUNKS


async def test_split_utf8_cuts_inside_characters() -> None:
    async with simulating(always("split_utf8", gap_ms=3)) as simulator:
        seen = await ask(simulator, request_bytes(stream=True))
        assert (seen.end, text(seen)) == ("complete", TEXT)
        torn = 0
        for piece in seen.pieces:
            try:
                piece.decode()
            except UnicodeDecodeError:
                torn += 1
        assert torn >= 2


async def test_many_tokens_per_chunk() -> None:
    async with simulating(always("many_tokens_per_chunk", tokens=3)) as simulator:
        seen = await ask(simulator, request_bytes(stream=True))
        assert next(delta for delta in deltas(seen) if delta) == TEXT[:12]
        (record,) = truth(simulator)
        assert (len(record["sent_ns"]), record["tokens_out"]) == (-(-CHUNKS // 3), CHUNKS)


# ---------------------------------------------------------------- when


async def test_script_every_match_and_streamed_choose_the_requests() -> None:
    faults = (
        {"kind": "server_error", "script": [2], "match": "a*"},
        {"kind": "unavailable", "every": 2, "match": "b"},
        {"kind": "html", "every": 1, "match": "c", "streamed": False},
        {"kind": "empty_deltas", "every": 1, "match": "d"},
    )
    async with simulating(*faults) as simulator:

        async def statuses(model: str, *streams: bool) -> list[int]:
            return [(await ask(simulator, request_bytes(stream=s, model=model))).status for s in streams]

        assert await statuses("a1", True, False, True) == [200, 500, 200]
        assert await statuses("b", True, True, True, True) == [200, 503, 200, 503]
        await statuses("c", True, False)
        await statuses("d", True, False)
        assert [record["fault"] for record in truth(simulator)][-4:] == [None, "html", "empty_deltas", None]


async def test_rates_are_drawn_per_prompt_and_model_and_not_per_arrival() -> None:
    async def struck(*models: str) -> dict[str, list[str | None]]:
        async with simulating({"kind": "server_error", "rate": 0.5}) as simulator:
            for model in models:
                await ask(simulator, request_bytes(stream=False, model=model))
            records = truth(simulator)
            return {m: [r["fault"] for r in records if r["model"] == m] for m in set(models)}

    forward = await struck(*["a"] * 12, *["b"] * 12)
    mixed = await struck(*["b", "a"] * 12)
    assert forward == mixed
    assert forward["a"] != forward["b"]
    assert 0 < sum(fault is not None for faults in forward.values() for fault in faults) < 24


async def test_a_client_that_leaves_in_mid_stream_is_noted() -> None:
    async with simulating(token_ms=5000) as simulator:
        connection = socket.create_connection(("127.0.0.1", simulator.port))
        connection.sendall(request_bytes(stream=True))
        await asyncio.sleep(0.05)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        for _ in range(100):
            if truth(simulator):
                break
            await asyncio.sleep(0.01)
        (record,) = truth(simulator)
        assert record["outcome"] == "client_gone"
        assert len(record["sent_ns"]) < CHUNKS
