"""What the block wires share: turns that alternate, blocks of content, and token counts that leave the cache out.

Anthropic's Messages and Amazon's Converse know two roles; a tool's result is a block of a user turn, and adjacent
messages of one role are one turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from benchbook.errors import WireError
from benchbook.records import Message, ToolCall
from benchbook.wire.objects import Object, dump, text


def encode_turns(messages: Iterable[Message], blocks: Callable[[Message], list[Object]]) -> list[Object]:
    turns: list[Object] = []
    for message in messages:
        role = "assistant" if message.role == "assistant" else "user"
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"].extend(blocks(message))
        else:
            turns.append({"role": role, "content": blocks(message)})
    return turns


def decode_turn(role: str, parts: Iterable[str | ToolCall | Message]) -> Iterator[Message]:
    """One turn's messages from its parts: text and tool calls make one message, tool results stand before it."""
    said, calls, results = [], [], []
    for part in parts:
        if isinstance(part, str):
            said.append(part)
        elif isinstance(part, ToolCall):
            calls.append(part)
        else:
            results.append(part)
    yield from results
    if said or calls or not results:
        yield Message(role, "".join(said), tuple(calls))


def known_role(turn: Object) -> str:
    role = text(turn, "role")
    if role not in ("user", "assistant"):
        raise WireError(f"message role {role!r} is not user or assistant")
    return role


def input_text(value: Any) -> str:
    """A tool call's input object as JSON text; none where it is empty."""
    return dump(value).decode() if value else ""


def whole_input(fresh: int | None, cached: int | None, cache_write: int | None) -> int | None:
    """All prompt tokens where the wire counts cached ones apart. A sum of 0 is a placeholder, not a count."""
    return None if fresh is None else fresh + (cached or 0) + (cache_write or 0) or None


def fresh_input(whole: int | None, cached: int | None, cache_write: int | None) -> int | None:
    """The other way round."""
    return None if whole is None else max(0, whole - (cached or 0) - (cache_write or 0))
