"""Claude's Messages requests: one body, whatever carries it (Anthropic's own wire, or Bedrock's InvokeModel)."""

from __future__ import annotations

from collections.abc import Iterator

from benchbook.errors import WireError
from benchbook.records import Message, ModelRequest, Params, ToolCall, ToolSpec
from benchbook.wire.objects import (
    Object,
    arguments_object,
    child,
    children,
    count,
    filled,
    joined_text,
    number,
    strings,
    text,
)
from benchbook.wire.turns import decode_turn, encode_turns, input_text, known_role

DEFAULT_MAX_TOKENS = 1024
"""The wire demands a maximum."""
_OWN = ("model", "messages", "system", "max_tokens", "temperature", "top_p", "stop_sequences", "tools", "stream")


def encode_body(request: ModelRequest) -> Object:
    """The body without model and stream, which Bedrock keeps in the path. The wire has no seed."""
    params = request.params
    most = DEFAULT_MAX_TOKENS if params.max_tokens is None else params.max_tokens
    return {
        "max_tokens": most,
        **({} if request.system is None else {"system": request.system}),
        "messages": [_plain(turn) for turn in encode_turns(request.messages, _encode_blocks)],
        **filled(
            temperature=params.temperature,
            top_p=params.top_p,
            stop_sequences=params.stop,
            tools=[_encode_tool(tool) for tool in request.tools],
        ),
        **params.extra,
    }


def _plain(turn: Object) -> Object:
    """A turn of one text as a plain string."""
    blocks = turn["content"]
    lone = len(blocks) == 1 and blocks[0]["type"] == "text"
    return {"role": turn["role"], "content": blocks[0]["text"]} if lone else turn


def _encode_blocks(message: Message) -> list[Object]:
    if message.role == "tool":
        return [{"type": "tool_result", "tool_use_id": message.tool_call_id or "", "content": message.content}]
    said = [{"type": "text", "text": message.content}] if message.content or not message.tool_calls else []
    return [*said, *(tool_use(call) for call in message.tool_calls)]


def tool_use(call: ToolCall) -> Object:
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments_object(call.arguments)}


def _encode_tool(tool: ToolSpec) -> Object:
    return {"name": tool.name, **filled(description=tool.description), "input_schema": tool.parameters}


def decode_body(source: Object, *, model: str, stream: bool) -> ModelRequest:
    turns = children(source, "messages")
    if not turns:
        raise WireError("messages holds no message")
    most = count(source, "max_tokens")
    if most is None:
        raise WireError("max_tokens: this wire demands it")
    params = Params(
        temperature=number(source, "temperature"),
        max_tokens=most,
        top_p=number(source, "top_p"),
        stop=strings(source, "stop_sequences"),
        extra={key: value for key, value in source.items() if key not in _OWN},
    )
    system = source.get("system")
    return ModelRequest(
        model=model,
        messages=tuple(message for turn in turns for message in _decode_turn(turn)),
        system=None if system is None else joined_text(system),
        params=params,
        tools=tuple(_decode_tool(tool) for tool in children(source, "tools")),
        stream=stream,
    )


def _decode_turn(turn: Object) -> Iterator[Message]:
    content = turn.get("content")
    parts = [joined_text(content)] if not isinstance(content, list) else map(_decode_block, children(turn, "content"))
    return decode_turn(known_role(turn), parts)


def _decode_block(block: Object) -> str | ToolCall | Message:
    kind = text(block, "type")
    if kind == "tool_use":
        return ToolCall(text(block, "id"), text(block, "name"), input_text(child(block, "input")))
    if kind == "tool_result":
        return Message("tool", joined_text(block.get("content")), tool_call_id=text(block, "tool_use_id"))
    return text(block, "text")


def _decode_tool(tool: Object) -> ToolSpec:
    return ToolSpec(text(tool, "name"), text(tool, "description"), child(tool, "input_schema"))
