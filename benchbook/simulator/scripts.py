"""Playing scripts: which answer a request gets follows from the request alone.

The case is recognised by the conversation's first user message, the agent by the first line of the system prompt
(`You are NAME, ROLE.`), and the place in its steps by how often the model has spoken since the last user message. No
memory: concurrency, retries and restarts can't confuse it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchbook.records import Message, ModelRequest, ToolCall
from benchbook.simulator.laws import agent_of
from benchbook.simulator.script_files import (
    DEFAULT,
    FILLED,
    PLACEHOLDER,
    Call,
    Entry,
    Handoff,
    Step,
    load_script,
    prompts,
)

SWARM_TOOL = "handoff_to_agent"
"""The tool by which an agent of a Strands swarm passes the work on."""

NOT_SEEN = "?"
"""Stands where nothing was observed, or nothing that the regular expression fits."""


@dataclass(frozen=True, slots=True)
class Line:
    """The answer that a script has for a request. law: what its step says of time; sure: never an evasion."""

    case: str | None
    text: str
    calls: tuple[ToolCall, ...]
    law: dict[str, Any]
    sure: bool


@dataclass(frozen=True, slots=True)
class Talk:
    """What a request shows of its conversation. turn: how often the model has spoken since `said`, the last user
    message; seen: the tools' results since then, in the order of the calls."""

    agent: str
    first: str
    said: str
    turn: int
    seen: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Key:
    """An entry, the text of its case, and what the first and the last user message have to hold, in small letters."""

    entry: Entry
    case: str
    first: str
    said: str


@dataclass(frozen=True, slots=True)
class Told:
    """What fills an answer's placeholders, and what its calls' ids begin with."""

    entry: Entry
    case: str
    talk: Talk
    ids: str


class Scripts:
    """The scripts of a law, in their order, but what asks for more (`said`) first. Raises PlanError and DatasetError
    where they can't be read."""

    def __init__(self, paths: Sequence[str], folder: str) -> None:
        entries = _entries(Path(folder) / path for path in paths)
        self._entries = tuple(sorted(entries, key=lambda key: not key.said))

    def line(self, request: ModelRequest, prompt: str) -> Line | None:
        """The answer to a request, whose `prompt_key` is `prompt`; None where no entry has one."""
        talk = read_talk(request)
        first, said = talk.first.casefold(), talk.said.casefold()
        fitting = [one for one in self._entries if one.first in first and one.said in said]
        for name in (talk.agent, DEFAULT):
            for key in fitting:
                if name in key.entry.agents:
                    told = Told(key.entry, key.case, talk, f"call_{prompt[:12]}{talk.turn + 1:02d}")
                    return _line(told, key.entry.agents[name], {tool.name for tool in request.tools})
        return None


def _entries(paths: Iterable[Path]) -> Iterator[Key]:
    for path in paths:
        script = load_script(path)
        cases = prompts(script, path)
        for entry in script.entries:
            case = cases[entry.case] if entry.case is not None else entry.match or ""
            yield Key(entry, case, case.casefold(), entry.said.casefold())


def read_talk(request: ModelRequest) -> Talk:
    """The conversation. Messages of the model in a row are one turn: some wires cut a turn into several."""
    users = [index for index, message in enumerate(request.messages) if message.role == "user"]
    since = request.messages[users[-1] + 1 :] if users else request.messages
    before = ("", *(message.role for message in since))
    turn = sum(now.role == "assistant" != last for now, last in zip(since, before, strict=False))
    return Talk(
        agent=agent_of(request) or DEFAULT,
        first=request.messages[users[0]].content if users else "",
        said=request.messages[users[-1]].content if users else "",
        turn=turn,
        seen=_seen(since),
    )


def _seen(messages: Sequence[Message]) -> tuple[str, ...]:
    """What the tools gave. By the order of the calls where the wire names them: results may come in any order."""
    order = {call.id: place for place, call in enumerate(call for m in messages for call in m.tool_calls) if call.id}
    results = [message for message in messages if message.role == "tool"]
    if all(message.tool_call_id in order for message in results):
        results.sort(key=lambda message: order[message.tool_call_id or ""])
    return tuple(message.content for message in results)


def _line(told: Told, steps: Sequence[Step], offered: set[str]) -> Line | None:
    """The step of this turn; behind the last one it is the last again, or nothing if it called a tool."""
    turn = told.talk.turn
    step = steps[min(turn, len(steps) - 1)]
    if turn >= len(steps) and not told.entry.loop and not step.answers:
        return None
    plan = None if step.plan is None else json.dumps(_filled(step.plan, told), ensure_ascii=False)
    wanted = (*step.calls, *(_handed(handoff, offered) for handoff in step.handoffs))
    return Line(
        case=told.entry.case,
        text=_fill(step.say, told) if plan is None else plan,
        calls=tuple(_call(call, f"{told.ids}{index:02d}", told) for index, call in enumerate(wanted)),
        law=step.pace(),
        sure=step.sure or not step.answers,
    )


def _handed(handoff: Handoff, offered: set[str]) -> Call:
    """The call that hands over: a swarm's tool where it is on offer, else the worker as a tool, by its name."""
    if SWARM_TOOL in offered:
        arguments = {"agent_name": handoff.to, "message": handoff.message, "context": handoff.context}
        return Call(name=SWARM_TOOL, arguments=arguments)
    return Call(name=handoff.to, arguments={"input": handoff.message})


def _call(call: Call, call_id: str, told: Told) -> ToolCall:
    filled = _filled(call.arguments, told)
    return ToolCall(call_id, call.name, filled if isinstance(filled, str) else json.dumps(filled, ensure_ascii=False))


def _filled(value: Any, told: Told) -> Any:
    """The value with the placeholders of all its texts filled."""
    if isinstance(value, dict):
        return {key: _filled(part, told) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(part, told) for part in value]
    return _fill(value, told) if isinstance(value, str) else value


def _fill(text: str, told: Told) -> str:
    return PLACEHOLDER.sub(lambda found: _placed(found[1], told), text)


def _placed(inside: str, told: Told) -> str:
    """What stands in a placeholder's place. Its form was checked when the script was read."""
    read = FILLED.fullmatch(inside)
    if read is None:
        return NOT_SEEN
    noun, number, pattern = read.groups()
    text = (
        _observed(told.talk.seen, number) if noun == "observation" else told.case if noun == "case" else told.talk.said
    )
    found = re.search(pattern or r"(?s).*", text)
    return (found[found.re.groups and 1] if found else None) or NOT_SEEN


def _observed(seen: Sequence[str], number: str | None) -> str:
    """A tool's result by its number, from 1; the last one without."""
    place = int(number) if number else len(seen)
    return seen[place - 1] if 0 < place <= len(seen) else NOT_SEEN
