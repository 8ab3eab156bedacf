"""What is sent from ready bytes is what would have been encoded: first answers and later ones differ in their ids."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from benchbook.simulator import Profile, Simulator, serve
from benchbook.simulator.messages import Memory

TEXT = "Grüße aus Zürich, word for word"
TALK: dict[str, Any] = {"messages": [{"role": "user", "content": TEXT}], "max_tokens": 50}
BLOCKS: dict[str, Any] = {"messages": [{"role": "user", "content": [{"text": TEXT}]}]}
CLAUDE = {**TALK, "anthropic_version": "bedrock-2023-05-31"}
CALLS = [
    *(("/v1/chat/completions", {"model": "m", "stream": stream, **TALK}) for stream in (True, False)),
    *(("/v1/messages", {"model": "m", "stream": stream, **TALK}) for stream in (True, False)),
    *(("/api/chat", {"model": "m", "stream": stream, **TALK}) for stream in (True, False)),
    *((f"/model/m/{verb}", BLOCKS) for verb in ("converse", "converse-stream")),
    *((f"/model/anthropic.m/{verb}", CLAUDE) for verb in ("invoke", "invoke-with-response-stream")),
]


@asynccontextmanager
async def simulating(**profile: Any) -> AsyncIterator[Simulator]:
    simulator = await serve(Profile.model_validate(profile))
    try:
        yield simulator
    finally:
        await simulator.close()


def post(path: str, body: Any, headers: str = "") -> bytes:
    data = json.dumps(body).encode()
    return f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(data)}\r\n{headers}\r\n".encode() + data


async def answers(simulator: Simulator, *requests: bytes) -> list[bytes]:
    """Each request on a connection of its own that it closes; whole responses."""
    found = []
    for request in requests:
        reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
        writer.write(request)
        found.append(await asyncio.wait_for(reader.read(), 60))
        writer.close()
        await writer.wait_closed()
    return found


CLOSE = "connection: close\r\n"


@pytest.mark.parametrize(("path", "body"), CALLS)
@pytest.mark.parametrize("coalesce", [False, True])
async def test_later_answers_differ_from_the_first_in_the_id_alone(path: str, body: Any, coalesce: bool) -> None:
    async with simulating(coalesce=coalesce, default={"reasoning": {"tokens": 3}}) as simulator:
        got = await answers(simulator, *[post(path, body, CLOSE)] * 3)
        records = list(simulator.responder.log.since())
    assert len({record["request_id"] for record in records}) == 3
    nameless = []
    for record, response in zip(records, got, strict=True):
        name = record["request_id"].removeprefix("req_").encode()
        assert name in response.partition(b"\r\n\r\n")[0]
        nameless.append(response.replace(name, b"ID"))
    assert nameless[0] == nameless[1] == nameless[2]
    alike = [
        {k: v for k, v in record.items() if not re.search(r"number|_ns|request_id|connection|nth", k)}
        for record in records
    ]
    assert alike[0] == alike[1] == alike[2]
    offsets = [[due - record["received_ns"] for due in record["due_ns"]] for record in records]
    assert offsets[0] == offsets[1] == offsets[2]
    assert all(min(record["lateness_ns"], default=0) >= 0 for record in records)


async def test_what_chance_or_a_turn_decides_is_drawn_each_time() -> None:
    request = post(CALLS[0][0], CALLS[0][1], CLOSE)
    drawn = {"tokens_out": {"kind": "uniform", "low": 1, "high": 40}}
    turns = {"answers": {"kind": "scripted", "texts": ["one", "other"]}}
    for law in (drawn, turns):
        async with simulating(default=law) as simulator:
            await answers(simulator, *[request] * 6)
            assert len({tuple(record["sizes"]) for record in simulator.responder.log.since()}) > 1


async def test_a_known_request_still_meets_its_fault() -> None:
    request = post(CALLS[0][0], CALLS[0][1], CLOSE)
    async with simulating(faults=[{"kind": "server_error", "script": [3]}]) as simulator:
        statuses = [int(response.split()[1]) for response in await answers(simulator, *[request] * 4)]
        assert statuses == [200, 200, 500, 200]
        assert [record["nth"] for record in simulator.responder.log.since()] == [0, 1, 2, 3]


async def test_known_requests_on_one_connection_and_split_ones_between_them() -> None:
    request = post(CALLS[0][0], CALLS[0][1])
    async with simulating() as simulator:
        reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
        for cut in (len(request), len(request), 40, len(request), 7):
            writer.write(request[:cut])
            await writer.drain()
            if cut < len(request):
                await asyncio.sleep(0.02)
                writer.write(request[cut:])
            response = await asyncio.wait_for(reader.readuntil(b"\r\n0\r\n\r\n"), 60)
            assert response.startswith(b"HTTP/1.1 200 OK")
        writer.close()
        await writer.wait_closed()
        assert [record["request"] for record in simulator.responder.log.since()] == [1, 2, 3, 4, 5]


async def test_an_answer_too_long_to_be_made_as_a_whole_is_still_the_same() -> None:
    async with simulating(default={"tokens_out": 3_000, "tokens_per_chunk": 500}) as simulator:
        got = await answers(simulator, *[post(CALLS[0][0], CALLS[0][1] | {"max_tokens": 5_000}, CLOSE)] * 3)
        assert len({len(response) for response in got}) == 1
        assert [len(record["sent_ns"]) for record in simulator.responder.log.since()] == [6, 6, 6]


def test_a_full_memory_begins_anew() -> None:
    memory: Memory[str, int] = Memory(most_bytes=10, longest=6)
    memory.put("a", 1, 5)
    memory.put("b", 2, 5)
    memory.put("huge", 3, 7)
    assert (memory.get("a"), memory.get("b"), memory.get("huge")) == (1, 2, None)
    memory.put("c", 4, 1)
    assert (memory.get("a"), memory.get("c")) == (None, 4)
