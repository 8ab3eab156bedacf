"""boto3 works against the simulator unchanged: Converse, InvokeModel, its listings and its errors."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.end_to_end.sdk_talk import (
    BOTH,
    COMPARE,
    HELLO,
    SAID,
    SCHEMA,
    SCOUT,
    TOKENS,
    WEATHER,
    WEATHERS,
    asked,
    playing,
)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with playing(tmp_path_factory.mktemp("simulator")) as address:
        yield address


KEYS = {
    "aws_access_key_id": "any",
    "aws_secret_access_key": "any",
    "region_name": "us-east-1",
}  # pragma: allowlist secret
CLAUDE, NOVA = "anthropic.sim-claude-v1:0", "amazon.nova-sim-v1:0"


@pytest.fixture(scope="module")
def bedrock(address: str) -> Iterator[object]:
    client = boto3.client(
        "bedrock-runtime", endpoint_url=address, config=Config(retries={"total_max_attempts": 1}), **KEYS
    )
    yield client
    client.close()


def blocks(text: str) -> list[dict[str, object]]:
    return [{"role": "user", "content": [{"text": text}]}]


TOOLS = {"tools": [{"toolSpec": {"name": "get_weather", "description": "w", "inputSchema": {"json": SCHEMA}}}]}


@pytest.mark.parametrize("model", [CLAUDE, NOVA])
def test_converse_whole(bedrock, model: str) -> None:
    answer = bedrock.converse(modelId=model, messages=blocks(HELLO), system=[{"text": "Be kind."}])
    assert answer["output"]["message"]["content"] == [{"text": HELLO}]
    assert answer["stopReason"] == "end_turn"
    assert answer["usage"] == {"inputTokens": TOKENS + 2, "outputTokens": TOKENS, "totalTokens": 2 * TOKENS + 2}
    assert answer["ResponseMetadata"]["RequestId"].count("-") == 4
    assert answer["metrics"]["latencyMs"] >= 0


@pytest.mark.parametrize("model", [CLAUDE, NOVA])
def test_converse_streamed(bedrock, model: str) -> None:
    events = list(bedrock.converse_stream(modelId=model, messages=blocks(HELLO))["stream"])
    deltas = [event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event]
    assert "".join(deltas) == HELLO
    assert len(deltas) == TOKENS
    assert next(event for event in events if "messageStop" in event)["messageStop"]["stopReason"] == "end_turn"
    assert events[-1]["metadata"]["usage"]["outputTokens"] == TOKENS


def test_converse_calls_a_tool(bedrock) -> None:
    answer = bedrock.converse(modelId=CLAUDE, messages=blocks(WEATHER), toolConfig=TOOLS)
    (use,) = [block["toolUse"] for block in answer["output"]["message"]["content"]]
    assert (answer["stopReason"], use["name"], use["input"]) == ("tool_use", "get_weather", {"city": "Zürich"})
    stream = bedrock.converse_stream(modelId=CLAUDE, messages=blocks(WEATHER), toolConfig=TOOLS)["stream"]
    deltas = [event["contentBlockDelta"]["delta"] for event in stream if "contentBlockDelta" in event]
    assert json.loads("".join(delta["toolUse"]["input"] for delta in deltas)) == {"city": "Zürich"}


@pytest.mark.parametrize("stream", [False, True])
def test_converse_plays_a_script_with_calls_side_by_side(bedrock, stream: bool) -> None:
    def said(*messages: object) -> list[dict[str, object]]:
        talk = [*blocks(COMPARE), *messages]
        asking = {"modelId": CLAUDE, "messages": talk, "toolConfig": TOOLS, "system": [{"text": SCOUT}]}
        if not stream:
            return bedrock.converse(**asking)["output"]["message"]["content"]
        return gathered(bedrock.converse_stream(**asking)["stream"])

    first = said()
    uses = [block["toolUse"] for block in first if "toolUse" in block]
    assert [use["input"] for use in uses] == BOTH
    results = [
        {"toolResult": {"toolUseId": use["toolUseId"], "content": [{"text": weather}]}}
        for use, weather in zip(uses, WEATHERS, strict=True)
    ]
    assert said({"role": "assistant", "content": first}, {"role": "user", "content": results}) == [{"text": SAID}]


def gathered(stream: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The blocks of a streamed answer."""
    texts: dict[int, str] = {}
    uses: dict[int, dict[str, Any]] = {}
    for event in stream:
        part = event.get("contentBlockStart") or event.get("contentBlockDelta") or {}
        if "start" in part:
            uses[part["contentBlockIndex"]] = part["start"]["toolUse"]
        elif "delta" in part:
            delta, index = part["delta"], part["contentBlockIndex"]
            texts[index] = texts.get(index, "") + (delta.get("text") or delta["toolUse"]["input"])
    return [
        {"toolUse": {**uses[index], "input": json.loads(text)}} if index in uses else {"text": text}
        for index, text in sorted(texts.items())
    ]


def test_converse_reasons(bedrock) -> None:
    answer = bedrock.converse(modelId="anthropic.thinker", messages=blocks(HELLO))
    assert "reasoningContent" in answer["output"]["message"]["content"][0]


CLAUDE_BODY = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 64, "messages": asked(HELLO)}
NOVA_BODY = {"schemaVersion": "messages-v1", "messages": blocks(HELLO), "inferenceConfig": {"maxTokens": 64}}


def test_invoke_claude(bedrock) -> None:
    answer = bedrock.invoke_model(modelId=CLAUDE, body=json.dumps(CLAUDE_BODY))
    body = json.loads(answer["body"].read())
    assert body["content"][0]["text"] == HELLO
    assert body["usage"] == {"input_tokens": TOKENS, "output_tokens": TOKENS}
    stream = bedrock.invoke_model_with_response_stream(modelId=CLAUDE, body=json.dumps(CLAUDE_BODY))["body"]
    objects = [json.loads(event["chunk"]["bytes"]) for event in stream]
    deltas = [item["delta"]["text"] for item in objects if item["type"] == "content_block_delta"]
    assert "".join(deltas) == HELLO
    assert objects[0]["message"]["usage"]["input_tokens"] == TOKENS
    (counted,) = [item for item in objects if item["type"] == "message_delta"]
    assert (counted["delta"]["stop_reason"], counted["usage"]["output_tokens"]) == ("end_turn", TOKENS)
    assert objects[-1]["type"] == "message_stop"


def test_invoke_nova(bedrock) -> None:
    answer = bedrock.invoke_model(modelId=NOVA, body=json.dumps(NOVA_BODY))
    body = json.loads(answer["body"].read())
    assert body["output"]["message"]["content"] == [{"text": HELLO}]
    assert body["usage"]["outputTokens"] == TOKENS
    stream = bedrock.invoke_model_with_response_stream(modelId=NOVA, body=json.dumps(NOVA_BODY))["body"]
    objects = [json.loads(event["chunk"]["bytes"]) for event in stream]
    deltas = [item["contentBlockDelta"]["delta"]["text"] for item in objects if "contentBlockDelta" in item]
    assert "".join(deltas) == HELLO


def test_bedrock_lists_and_errors(bedrock, address: str) -> None:
    control = boto3.client("bedrock", endpoint_url=address, **KEYS)
    try:
        listed = [summary["modelId"] for summary in control.list_foundation_models()["modelSummaries"]]
        profiles = [s["inferenceProfileId"] for s in control.list_inference_profiles()["inferenceProfileSummaries"]]
    finally:
        control.close()
    assert CLAUDE in listed
    assert f"us.{CLAUDE}" in profiles
    with pytest.raises(ClientError) as gone:
        bedrock.converse(modelId="gone", messages=blocks(HELLO))
    assert gone.value.response["Error"]["Code"] == "ResourceNotFoundException"
    with pytest.raises(ClientError) as limited:
        bedrock.converse(modelId="anthropic.busy", messages=blocks(HELLO))
    assert limited.value.response["Error"]["Code"] == "ThrottlingException"
