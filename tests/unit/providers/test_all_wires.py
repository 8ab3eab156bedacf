"""Every wire, streamed and not, against the simulator as a process of its own, held against its own truth."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchbook.providers import open_provider
from benchbook.providers.calls import Asked, Outbox, attempt
from benchbook.providers.decoding import decode
from benchbook.providers.http import HttpRequest
from benchbook.providers.transport import Transport
from benchbook.records import Answer, Call, Message, ModelRequest, Params, Target, ToolSpec
from benchbook.simulator.process import start_process
from tests.unit.providers.scripted_server import soon

WIRES = [
    ("openai", "openai_chat", ""),
    ("anthropic", "anthropic_messages", ""),
    ("bedrock", "bedrock_converse", "anthropic."),
    ("bedrock", "bedrock_invoke", "anthropic."),
    ("bedrock", "bedrock_invoke", "amazon.nova-"),
    ("ollama", "ollama_chat", ""),
]
FAULTS: dict[str, dict[str, Any]] = {
    "limited": {"kind": "rate_limited", "retry_after_s": 3},
    "error": {"kind": "server_error"},
    "busy": {"kind": "unavailable"},
    "reset": {"kind": "reset", "after_chunks": 2},
    "cut": {"kind": "truncated_body", "after_chunks": 2},
    "early": {"kind": "early_end"},
    "broken": {"kind": "stream_error", "after_chunks": 2},
    "html": {"kind": "html"},
    "stalled": {"kind": "stall", "after_chunks": 2, "for_s": None},
    "split": {"kind": "split_utf8"},
    "fat": {"kind": "many_tokens_per_chunk", "tokens": 3},
    "empty": {"kind": "empty_deltas", "count": 2},
    "silent": {"kind": "missing_usage"},
    "pinging": {"kind": "keep_alive_comments", "interval_ms": 1},
}
TURN = {"match": "weather", "calls": [{"name": "weather", "arguments": {"city": "Z\u00fcrich"}}]}
PROFILE = {
    "default": {"ttft_ms": 5, "token_ms": 2, "fingerprint": "fp-sim", "tool_calls": [TURN]},
    "models": {
        "sim-a": {},
        "anthropic.sim-a": {},
        "amazon.nova-sim-a": {},
        "*thinker": {"reasoning": {"tokens": 3, "token_ms": 1}},
    },
    "faults": [{**fault, "match": f"*{name}", "rate": 1} for name, fault in FAULTS.items()],
}
PROMPT = "one tw\u00f6 three four five six"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    profile: Path = tmp_path_factory.mktemp("simulator") / "profile.yaml"
    profile.write_text(json.dumps(PROFILE))  # JSON is YAML
    with start_process(profile) as address:
        yield address


async def asked(
    transport: Transport, target: Target, seconds: float = 20.0, prompt: str = PROMPT, **more: Any
) -> tuple[Call, Answer]:
    provider = open_provider(target)
    provider.check()
    request = ModelRequest(target.model, (Message("user", prompt),), params=Params(max_tokens=100), **more)
    return decode(await attempt(provider, Outbox(transport), request, Asked("c-1", 1, 0, 0, soon(seconds))))


def target(wire: tuple[str, str, str], address: str, model: str) -> Target:
    return Target("mine", wire[0], f"{wire[2]}{model}", base_url=address, wire=wire[1])


async def truth_of(transport: Transport, address: str, call: Call) -> dict[str, Any]:
    exchange = await transport.exchange(HttpRequest(f"{address}/truth", method="GET"), soon())
    return next(record for record in json.loads(exchange.body) if record["request_id"] == call.request_id)


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: f"{wire[1]}-{wire[2]}")
async def test_what_is_reported_is_what_happened(
    transport: Transport, address: str, wire: tuple[str, str, str], stream: bool
) -> None:
    call, answer = await asked(transport, target(wire, address, "sim-a"), stream=stream)
    truth = await truth_of(transport, address, call)
    assert call.error_kind is None, call.error_message
    assert (answer.text, call.finish_reason, call.http_status) == (PROMPT, "stop", 200)
    assert (call.usage.input, call.usage.output) == (truth["tokens_in"], truth["tokens_out"])
    assert [chunk.size for chunk in call.chunks] == truth["sizes"]
    assert [chunk.kind for chunk in call.chunks] == truth["kinds"]
    assert bool(call.chunks) is stream
    assert call.sent_ns is not None
    assert call.first_byte_ns is not None
    assert call.last_byte_ns is not None
    assert call.sent_ns <= truth["received_ns"] <= truth["first_byte_ns"] <= call.first_byte_ns
    assert truth["last_byte_ns"] <= call.last_byte_ns <= call.closed_ns
    for chunk, sent_ns in zip(call.chunks, truth["sent_ns"], strict=True):
        assert sent_ns <= chunk.at_ns <= call.last_byte_ns
    stamps = [call.first_byte_ns, *(chunk.at_ns for chunk in call.chunks), call.last_byte_ns]
    assert stamps == sorted(stamps)
    assert sum(answer.piece_sizes) == len(answer.body)


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: f"{wire[1]}-{wire[2]}")
async def test_tools_reasoning_and_listings(transport: Transport, address: str, wire: tuple[str, str, str]) -> None:
    tools = (ToolSpec("weather", "Weather of a city", {"type": "object", "properties": {"city": {"type": "string"}}}),)
    call, answer = await asked(transport, target(wire, address, "sim-a"), prompt="weather?", tools=tools)
    assert call.error_kind is None, call.error_message
    assert call.finish_reason == ("stop" if wire[0] == "ollama" else "tool_calls")  # Ollama has no other word
    assert [(each.name, json.loads(each.arguments)) for each in answer.tool_calls] == [
        ("weather", {"city": "Z\u00fcrich"})
    ]
    assert {chunk.kind for chunk in call.chunks} == {"tool"}

    call, answer = await asked(transport, target(wire, address, "thinker"))
    assert (call.error_kind, answer.text) == (None, PROMPT)
    if answer.reasoning:
        assert call.chunks[0].kind == "reasoning"
        assert call.chunks[-1].kind == "text"

    listed = await open_provider(target(wire, address, "sim-a")).list_models(transport, soon())
    assert f"{wire[2]}sim-a" in [model.id for model in listed]


@pytest.mark.parametrize(
    ("fault", "kinds"),
    [
        ("limited", {"rate_limited"}),
        ("error", {"server_error"}),
        ("busy", {"overloaded"}),
        ("reset", {"reset"}),
        ("cut", {"truncated"}),
        ("early", {"truncated"}),
        ("broken", {"stream_error"}),
        ("html", {"protocol"}),
        ("stalled", {"timeout"}),
        ("split", {None}),
        ("fat", {None}),
        ("empty", {None}),
        ("silent", {None}),
        ("pinging", {None}),
    ],
)
@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: f"{wire[1]}-{wire[2]}")
async def test_each_fault_is_named_and_what_arrived_is_kept(
    transport: Transport, address: str, wire: tuple[str, str, str], fault: str, kinds: set[str | None]
) -> None:
    call, answer = await asked(transport, target(wire, address, fault), seconds=0.3 if fault == "stalled" else 20)
    assert call.error_kind in kinds, call.error_message
    if fault in ("reset", "cut", "broken"):
        assert len(call.chunks) == 2
    assert PROMPT.startswith(answer.text)
    if kinds == {None}:
        assert answer.text == PROMPT
    if fault == "limited":
        assert call.retry_after_s == 3.0
    if fault == "silent":
        assert call.usage.output is None
    if fault == "fat":
        assert len(call.chunks) < 6
    if call.error_kind in ("rate_limited", "server_error", "overloaded", "stream_error"):
        assert len(call.error_message or "") > len("HTTP 429: ")
