"""The HTTP side over real sockets: connections, lists of models, keys, capabilities, the truth."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
import uvloop

from benchbook.clock import monotonic_ns
from benchbook.errors import PlanError
from benchbook.simulator import Profile, Simulator, serve

CHAT = "/v1/chat/completions"


@asynccontextmanager
async def simulating(**profile: Any) -> AsyncIterator[Simulator]:
    simulator = await serve(Profile.model_validate(profile))
    try:
        yield simulator
    finally:
        await simulator.close()


def http(method: str, path: str, body: Any = None, headers: str = "", version: str = "1.1") -> bytes:
    data = b"" if body is None else json.dumps(body).encode()
    return f"{method} {path} HTTP/{version}\r\nhost: x\r\ncontent-length: {len(data)}\r\n{headers}\r\n".encode() + data


def chat(text: str = "hello", model: str = "m", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


async def converse(simulator: Simulator, *requests: bytes) -> bytes:
    """Send all at once on one connection; what came back until the server closed it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
    writer.write(b"".join(requests))
    data = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    await writer.wait_closed()
    return data


CLOSE = "connection: close\r\n"


async def get(simulator: Simulator, path: str, headers: str = "", method: str = "GET") -> tuple[int, Any]:
    data = await converse(simulator, http(method, path, headers=CLOSE + headers))
    return int(data.split()[1]), json.loads(data.partition(b"\r\n\r\n")[2])


async def post(simulator: Simulator, body: Any, path: str = CHAT, headers: str = "") -> tuple[int, Any]:
    data = await converse(simulator, http("POST", path, body, CLOSE + headers))
    return int(data.split()[1]), json.loads(data.partition(b"\r\n\r\n")[2])


# ---------------------------------------------------------------- connections


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with simulating(default={"ttft_ms": 5}) as simulator:
        requests = [http("POST", CHAT, chat(f"text-{i}", stream=i % 2 == 0)) for i in range(6)]
        data = await converse(simulator, *requests, http("GET", "/health", headers=CLOSE))
        assert data.count(b"HTTP/1.1 200 OK") == 7
        places = [data.index(f"req_{record['request_id'][4:]}".encode()) for record in simulator.responder.log.since()]
        assert places == sorted(places)
        records = list(simulator.responder.log.since())
        assert [record["request"] for record in records] == [1, 2, 3, 4, 5, 6]
        assert {record["connection"] for record in records} == {1}
        assert data.endswith(b'{"status":"ok"}')


async def test_many_more_pipelined_requests_than_are_kept_waiting() -> None:
    async with simulating() as simulator:
        padded = http("GET", "/health", headers=f"x-pad: {'x' * 4000}\r\n")
        data = await converse(simulator, padded * 300, http("GET", "/health", headers=CLOSE))
        assert data.count(b'{"status":"ok"}') == 301


async def test_requests_cut_anywhere_are_the_same_request() -> None:
    request = http("POST", CHAT, chat("Grüße"), CLOSE)
    async with simulating() as simulator:
        reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
        for at in range(0, len(request), 7):
            writer.write(request[at : at + 7])
            await asyncio.sleep(0)
        data = await asyncio.wait_for(reader.read(), 60)
        writer.close()
        await writer.wait_closed()
        assert "Grüße".encode() in data


async def test_http_1_0_gets_its_answer_and_a_close() -> None:
    async with simulating() as simulator:
        data = await converse(simulator, http("GET", "/health", version="1.0"))
        assert data.endswith(b'{"status":"ok"}')


async def test_expect_100_continue() -> None:
    async with simulating() as simulator:
        data = await converse(simulator, http("POST", CHAT, chat(), CLOSE + "expect: 100-continue\r\n"))
        assert data.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x02\x00", b"GET / HTTP/9\r\n\r\n", b"no http at all\r\n\r\n"])
async def test_what_is_not_http_is_refused(garbage: bytes) -> None:
    async with simulating() as simulator:
        assert (await converse(simulator, garbage)).startswith(b"HTTP/1.1 400 ")


async def test_a_large_body_passes_and_a_huge_one_does_not() -> None:
    async with simulating() as simulator:
        status, _ = await post(simulator, chat("x" * 2_000_000, max_tokens=1))
        assert status == 200
        huge = b"POST / HTTP/1.1\r\ncontent-length: 99999999\r\n\r\nstart"
        assert (await converse(simulator, huge)).startswith(b"HTTP/1.1 413 ")


async def test_requests_before_the_garbage_are_answered_first() -> None:
    async with simulating(default={"ttft_ms": 5}) as simulator:
        data = await converse(simulator, http("POST", CHAT, chat()), b"garbage\r\n\r\n")
        assert data.startswith(b"HTTP/1.1 200 OK")
        assert b"HTTP/1.1 400 Bad Request" in data


LONG = {"tokens_out": 60_000}


async def test_a_slow_reader_gets_all_of_a_long_answer() -> None:
    """12 MB, more than the kernel keeps for a reader who waits until all of it has been said."""
    async with simulating(default=LONG) as simulator:
        loop = asyncio.get_running_loop()
        with socket.socket() as client:
            client.setblocking(False)
            await loop.sock_connect(client, ("127.0.0.1", simulator.port))
            await loop.sock_sendall(client, http("POST", CHAT, chat("long", stream=True), CLOSE))
            for _ in range(1000):
                if list(simulator.responder.log.since()):
                    break
                await asyncio.sleep(0.01)
            data = b"".join([piece async for piece in received(client)])
        assert data.count(b'"content":') == 60_001
        assert data.endswith(b"0\r\n\r\n")


async def received(client: socket.socket) -> AsyncIterator[bytes]:
    while piece := await asyncio.get_running_loop().sock_recv(client, 1 << 20):
        yield piece


async def test_a_long_answer_lets_others_pass() -> None:
    async with simulating(default=LONG) as simulator:
        reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
        writer.write(http("POST", CHAT, chat("long", stream=True), CLOSE))
        await reader.readexactly(1)
        assert (await get(simulator, "/truth"))[1] == []
        writer.transport.abort()


async def test_a_port_in_use_is_the_user_s_to_mend() -> None:
    async with simulating() as simulator:
        with pytest.raises(PlanError, match="the port is in use; take another, or 0"):
            await serve(Profile(), port=simulator.port)
    with pytest.raises(PlanError, match="can't listen there"):
        await serve(Profile(), host="203.0.113.1")


async def test_ipv6_addresses_are_in_brackets() -> None:
    try:
        simulator = await serve(Profile(), host="::1")
    except PlanError:
        pytest.skip("no IPv6 here")
    assert simulator.address == f"http://[::1]:{simulator.port}"
    await simulator.close()


# ---------------------------------------------------------------- what it knows of models

MODELS = {"sim-a": {}, "anthropic.b": {}, "gone": {"unavailable": True}, "any-*": {}}


async def test_lists_of_models() -> None:
    async with simulating(models=MODELS) as simulator:
        for path, headers, at in (
            ("/v1/models", "", lambda body: [m["id"] for m in body["data"]]),
            ("/v1/models?limit=20", "anthropic-version: 2023-06-01\r\n", lambda body: [m["id"] for m in body["data"]]),
            ("/api/tags", "", lambda body: [m["name"] for m in body["models"]]),
            ("/foundation-models", "", lambda body: [m["modelId"] for m in body["modelSummaries"]]),
        ):
            status, body = await get(simulator, path, headers)
            assert (status, at(body)) == (200, ["sim-a", "anthropic.b"])
        _, body = await get(simulator, "/inference-profiles")
        assert [p["inferenceProfileId"] for p in body["inferenceProfileSummaries"]] == ["us.anthropic.b"]
        assert (await get(simulator, "/nowhere"))[0] == 404
        assert (await get(simulator, CHAT, method="DELETE"))[0] == 404


async def test_an_empty_anthropic_list() -> None:
    async with simulating() as simulator:
        _, body = await get(simulator, "/v1/models", "anthropic-version: 2023-06-01\r\n")
        assert body == {"data": [], "has_more": False, "first_id": None, "last_id": None}


@pytest.mark.parametrize(
    ("law", "body", "status"),
    [
        ({"unavailable": True}, {}, 404),
        ({"streaming": False}, {"stream": True}, 400),
        ({"streaming": False}, {}, 200),
        ({"tools": False}, {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]}, 400),
        ({"tools": False}, {}, 200),
        ({"system": False}, {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]}, 400),
        ({"system": False}, {}, 200),
        ({"max_context": 2}, {"messages": [{"role": "user", "content": "123456789"}]}, 400),
        ({"max_context": 2}, {}, 200),
        ({"max_output": 5}, {"max_tokens": 6}, 400),
        ({"max_output": 5}, {"max_tokens": 5}, 200),
        ({}, {"messages": []}, 400),
        ({}, {"messages": "nonsense"}, 400),
    ],
)
async def test_capabilities(law: dict[str, Any], body: dict[str, Any], status: int) -> None:
    async with simulating(default=law) as simulator:
        got, answer = await post(simulator, {**chat(), **body})
        assert got == status
        assert ("error" in answer) == (status != 200)
        (record,) = simulator.responder.log.since()
        assert record["status"] == status


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (CHAT, "", 401),
        (CHAT, "authorization: Bearer wrong\r\n", 401),
        (CHAT, "authorization: Bearer right\r\n", 200),
        ("/v1/messages", "x-api-key: right\r\n", 200),
        ("/v1/messages", "x-api-key: wrong\r\n", 401),
        ("/model/m/converse", "", 403),
    ],
)
async def test_a_required_key(path: str, headers: str, status: int) -> None:
    async with simulating(require_key="right") as simulator:
        assert (await post(simulator, chat(max_tokens=9), path, headers))[0] == status
        assert (await get(simulator, "/v1/models", "authorization: Bearer right\r\n"))[0] == 200
        assert (await get(simulator, "/v1/models"))[0] == 401
        assert (await get(simulator, "/health"))[0] == 200


async def test_who_answered_and_with_what_share_of_the_cache() -> None:
    law = {"served_as": "m-2026", "fingerprint": "fp_1", "cached_share": 0.5}
    async with simulating(default=law) as simulator:
        _, body = await post(simulator, chat("x" * 40))
        assert (body["model"], body["system_fingerprint"]) == ("m-2026", "fp_1")
        assert body["usage"]["prompt_tokens_details"]["cached_tokens"] == 5
        (record,) = simulator.responder.log.since()
        assert (record["tokens_in"], record["tokens_cached"], record["tokens_out"]) == (10, 5, 10)


# ---------------------------------------------------------------- the truth

LAW = {
    "ttft_ms": {"kind": "lognormal", "median": 3, "sigma": 0.5},
    "token_ms": {"kind": "lognormal", "median": 1, "sigma": 0.5},
    "reasoning": {"tokens": {"kind": "uniform", "low": 1, "high": 4}, "token_ms": 1},
}


async def test_the_truth_is_consistent() -> None:
    async with simulating(default=LAW) as simulator:
        await asyncio.gather(*(post_stream(simulator, f"number {i}") for i in range(20)))
        _, records = await get(simulator, "/truth")
        now_ns = monotonic_ns()
        assert [record["number"] for record in records] == list(range(1, 21))
        assert len({record["request_id"] for record in records}) == 20
        for record in records:
            sent, due = record["sent_ns"], record["due_ns"]
            assert record["outcome"] == "complete"
            assert len(sent) == len(due) == len(record["kinds"]) == len(record["sizes"]) == record["tokens_out"]
            assert record["kinds"].count("reasoning") == record["tokens_reasoning"]
            assert all(earlier <= later for earlier, later in pairwise(due))
            stamps = [record["received_ns"], record["first_byte_ns"], *sent, record["last_byte_ns"], now_ns]
            assert all(earlier <= later for earlier, later in pairwise(stamps))
            assert record["lateness_ns"] == [s - d for s, d in zip(sent, due, strict=True)]
            assert min(record["lateness_ns"]) >= 0
        _, later = await get(simulator, "/truth?since=18")
        assert later == records[18:]
        assert (await get(simulator, "/truth?since=x"))[1] == records
        assert (await get(simulator, "/truth?since=5&limit=3"))[1] == records[5:8]
        _, parts = await get(simulator, "/truth?fields=number,sent_ns")
        assert parts == [{"number": record["number"], "sent_ns": record["sent_ns"]} for record in records]
        late = sorted(one for record in records for one in record["lateness_ns"])
        _, summary = await get(simulator, "/truth/summary")
        assert (summary["requests"], summary["kept"], summary["chunks"]) == (20, 20, len(late))
        assert summary["lateness_ns"]["max"] == late[-1]
        assert summary["lateness_ns"]["p50"] == late[-(-len(late) // 2) - 1]
        assert summary["first_lateness_ns"]["max"] == max(record["lateness_ns"][0] for record in records)
        assert 0 < summary["busy"] == summary["cpu_ns"] / summary["wall_ns"]
        assert (await get(simulator, "/truth", method="DELETE"))[0] == 200
        assert (await get(simulator, "/truth"))[1] == []
        _, summary = await get(simulator, "/truth/summary")
        assert (summary["requests"], summary["chunks"], summary["lateness_ns"]["p99"]) == (0, 0, None)
        await post_stream(simulator, "again")
        assert [record["number"] for record in (await get(simulator, "/truth"))[1]] == [21]


async def post_stream(simulator: Simulator, text: str, model: str = "m") -> bytes:
    return await converse(simulator, http("POST", CHAT, chat(text, model, stream=True), CLOSE))


async def test_the_same_seed_gives_the_same_laws_in_any_order() -> None:
    async def offsets(seed: int, *texts: str) -> dict[tuple[str, int], list[int]]:
        async with simulating(default=LAW, seed=seed) as simulator:
            for text in texts:
                await post_stream(simulator, text)
            return {
                (record["path"] + str(record["tokens_in"]), record["nth"]): [
                    due - record["received_ns"] for due in record["due_ns"]
                ]
                for record in simulator.responder.log.since()
            }

    forward = await offsets(1, "a", "a", "longer text", "longer text")
    mixed = await offsets(1, "longer text", "a", "longer text", "a")
    other = await offsets(2, "a", "a", "longer text", "longer text")
    assert forward == mixed
    assert len({tuple(value) for value in forward.values()}) == 4
    assert not set(map(tuple, forward.values())) & set(map(tuple, other.values()))


async def test_whole_answers_take_as_long_as_streams_and_have_no_chunks() -> None:
    async with simulating(default={"ttft_ms": 4, "token_ms": 2}) as simulator:
        await post(simulator, chat("x" * 20))
        (record,) = simulator.responder.log.since()
        assert (record["sent_ns"], record["streamed"], record["tokens_out"]) == ([], False, 5)
        assert record["first_due_ns"] - record["received_ns"] == 12_000_000


async def test_chunks_of_one_instant_go_one_by_one_unless_coalesced() -> None:
    for coalesce, chunks in ((False, 10), (True, 1)):
        async with simulating(coalesce=coalesce) as simulator:
            data = await post_stream(simulator, "x" * 40)
            assert data.count(b'"content":"xxxx"') == 10
            (record,) = simulator.responder.log.since()
            assert (len(record["sent_ns"]), sum(record["sizes"])) == (chunks, 40)


async def test_ollama_s_tool_call_is_one_chunk_when_it_is_whole() -> None:
    law = {"tool_calls": [{"calls": [{"name": "f", "arguments": {"long": "argument"}}]}], "token_ms": 1}
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    async with simulating(default=law) as simulator:
        await converse(simulator, http("POST", "/api/chat", chat(tools=[tool]), CLOSE))
        (record,) = simulator.responder.log.since()
        assert (record["kinds"], record["finish_reason"]) == (["tool"], "tool_calls")
        assert record["sizes"] == [len('{"long": "argument"}')]


async def test_without_usage_claude_s_first_object_counts_nothing() -> None:
    for usage, counted in ((True, b'"input_tokens":2'), (False, b'"input_tokens":0')):
        async with simulating(default={"usage": usage}) as simulator:
            data = await converse(simulator, http("POST", "/v1/messages", chat(max_tokens=9, stream=True), CLOSE))
            assert counted in data.partition(b"content_block_start")[0]


def test_it_runs_on_uvloop_as_well() -> None:
    async def once() -> list[dict[str, Any]]:
        async with simulating(default=LAW) as simulator:
            for _ in range(3):
                assert (await post_stream(simulator, "hello")).endswith(b"0\r\n\r\n")
            return list(simulator.responder.log.since())

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        records = runner.run(once())
    assert [record["outcome"] for record in records] == ["complete"] * 3
