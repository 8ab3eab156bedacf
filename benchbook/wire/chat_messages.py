"""Messages and tools in the shape that OpenAI's and Ollama's chat wires share."""

from __future__ import annotations

from typing import Any

from benchbook.errors import WireError
from benchbook.records import Message, ToolCall, ToolSpec
from benchbook.wire.objects import Object, child, dump, filled, joined_text, text


def encode_tool(tool: ToolSpec) -> Object:
    function = {"name": tool.name, **filled(description=tool.description), "parameters": tool.parameters}
    return {"type": "function", "function": function}


def decode_tool(source: Object) -> ToolSpec:
    function = child(source, "function")
    return ToolSpec(text(function, "name"), text(function, "description"), child(function, "parameters"))


def decode_call(source: Object) -> ToolCall:
    """A tool call; its arguments are JSON text here, and may be an object on the wire."""
    function = child(source, "function")
    return ToolCall(text(source, "id"), text(function, "name"), arguments_text(function.get("arguments")))


def arguments_text(arguments: Any) -> str:
    if arguments is None or isinstance(arguments, str):
        return arguments or ""
    return dump(arguments).decode()


def split_system(messages: list[Object]) -> tuple[str | None, list[Object]]:
    """The system prompt (several are joined by a line end), and the other messages."""
    if not messages:
        raise WireError("messages holds no message")
    said = [joined_text(message.get("content")) for message in messages if is_system(message)]
    return "\n".join(said) if said else None, [message for message in messages if not is_system(message)]


def is_system(message: Object) -> bool:
    return message.get("role") in ("system", "developer")


def message_of(source: Object, calls: tuple[ToolCall, ...]) -> Message:
    """A message with a role of ours, or WireError."""
    role = known_role(source)
    return Message(role, joined_text(source.get("content")), calls, text(source, "tool_call_id") or None)


def known_role(source: Object) -> str:
    role = text(source, "role")
    if role not in ("user", "assistant", "tool"):
        raise WireError(f"message role {role!r} is not user, assistant or tool")
    return role
