"""Converse's requests: one body for Bedrock's Converse, and with small differences for Nova under InvokeModel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchbook.errors import WireError
from benchbook.records import Message, ModelRequest, Params, ToolCall, ToolSpec
from benchbook.wire.objects import (
    Object,
    arguments_object,
    child,
    children,
    count,
    dump,
    filled,
    number,
    strings,
    text,
)
from benchbook.wire.turns import decode_turn, encode_turns, input_text, known_role

OWN = ("messages", "system", "inferenceConfig", "toolConfig")


def encode_body(request: ModelRequest) -> Object:
    """The fields of `OWN`. The wire has no seed."""
    params = request.params
    config = filled(
        maxTokens=params.max_tokens,
        temperature=params.temperature,
        topP=params.top_p,
        stopSequences=params.stop,
    )
    tools = filled(tools=[_encode_tool(tool) for tool in request.tools])
    return {
        "messages": encode_turns(request.messages, _encode_blocks),
        **({} if request.system is None else {"system": [{"text": request.system}]}),
        **filled(inferenceConfig=config, toolConfig=tools),
    }


def _encode_blocks(message: Message) -> list[Object]:
    if message.role == "tool":
        result = {"toolUseId": message.tool_call_id or "", "content": [{"text": message.content}]}
        return [{"toolResult": result}]
    said = [{"text": message.content}] if message.content or not message.tool_calls else []
    return [*said, *(tool_use(call) for call in message.tool_calls)]


def tool_use(call: ToolCall) -> Object:
    return {"toolUse": {"toolUseId": call.id, "name": call.name, "input": arguments_object(call.arguments)}}


def _encode_tool(tool: ToolSpec) -> Object:
    described = filled(description=tool.description)
    return {"toolSpec": {"name": tool.name, **described, "inputSchema": {"json": tool.parameters}}}


def decode_body(source: Object, model: str, extra: Object, *, stream: bool) -> ModelRequest:
    turns = children(source, "messages")
    if not turns:
        raise WireError("messages holds no message")
    config = child(source, "inferenceConfig")
    most = count(config, "maxTokens")
    params = Params(
        temperature=number(config, "temperature"),
        max_tokens=count(config, "max_new_tokens") if most is None else most,  # Nova's older name for it
        top_p=number(config, "topP"),
        stop=strings(config, "stopSequences"),
        extra=extra,
    )
    system = [text(block, "text") for block in children(source, "system")]
    return ModelRequest(
        model=model,
        messages=tuple(message for turn in turns for message in _decode_turn(turn)),
        system="".join(system) if system else None,
        params=params,
        tools=tuple(
            _decode_tool(tool) for tool in children(child(source, "toolConfig"), "tools") if "toolSpec" in tool
        ),
        stream=stream,
    )


def _decode_turn(turn: Object) -> Iterator[Message]:
    return decode_turn(known_role(turn), map(_decode_block, children(turn, "content")))


def _decode_block(block: Object) -> str | ToolCall | Message:
    if "toolUse" in block:
        use = child(block, "toolUse")
        return ToolCall(text(use, "toolUseId"), text(use, "name"), input_text(child(use, "input")))
    if "toolResult" in block:
        result = child(block, "toolResult")
        said = "".join(map(_result_text, children(result, "content")))
        return Message("tool", said, tool_call_id=text(result, "toolUseId"))
    return text(block, "text")


def _result_text(block: Object) -> str:
    value: Any = block.get("json")
    return text(block, "text") if value is None else dump(value).decode()


def _decode_tool(tool: Object) -> ToolSpec:
    spec = child(tool, "toolSpec")
    return ToolSpec(text(spec, "name"), text(spec, "description"), child(child(spec, "inputSchema"), "json"))
