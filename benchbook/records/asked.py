"""What is asked: test cases, targets, requests, and the trials that a plan promises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchbook.errors import RecordError
from benchbook.records.kinds import PHASES
from benchbook.records.quick import record


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool that a model may call; `parameters` is a JSON schema."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model's wish to use a tool; `arguments` is JSON text, as the wire carried it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. role: `user`, `assistant` or `tool` (a system prompt is a field of the request)."""

    role: str
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None

    def __post_init__(self) -> None:
        if self.role not in ("user", "assistant", "tool"):
            raise RecordError(f"message role {self.role!r} is not user, assistant or tool")


@dataclass(frozen=True, slots=True)
class Params:
    """Sampling parameters; None = not sent, so the provider's default holds."""

    temperature: float | None = None
    max_tokens: int | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Body fields of the provider's own, passed through as they are."""


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One model call, independent of any wire."""

    model: str
    messages: tuple[Message, ...]
    system: str | None = None
    params: Params = field(default_factory=Params)
    tools: tuple[ToolSpec, ...] = ()
    stream: bool = True


@dataclass(frozen=True, slots=True)
class Turn:
    """A user's turn in a conversation: what is said, a template, and the pause before it in s, as a user's own."""

    content: str
    think_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Generated:
    """What a generated case was made to: tokens of its prompt as declared, how many of them every case of its
    dataset begins with, and the characters of that beginning."""

    prompt_tokens: int
    shared_tokens: int
    shared_chars: int


@dataclass(frozen=True, slots=True)
class Case:
    """A test case. Exactly one of `prompt`, `messages` and `turns`; all are templates over `variables`."""

    id: str
    category: str = ""
    prompt: str | None = None
    messages: tuple[Message, ...] = ()
    turns: tuple[Turn, ...] = ()
    system: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    expected: str | None = None
    references: tuple[str, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    generated: Generated | None = None
    """Of a case that was declared and not written; None for a written one."""

    def __post_init__(self) -> None:
        if [self.prompt is not None, bool(self.messages), bool(self.turns)].count(True) != 1:
            raise RecordError(f"case {self.id!r} needs exactly one of prompt, messages and turns")


@dataclass(frozen=True, slots=True)
class Dataset:
    """A named, versioned list of test cases, the generated ones last; `synthetic` is their declaration as written;
    `sha256` is of the file's bytes, `path` as the user named it."""

    name: str
    cases: tuple[Case, ...]
    version: str = ""
    schema_version: str = ""
    description: str = ""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    synthetic: Mapping[str, Any] = field(default_factory=dict)
    path: str = ""
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Price:
    """A dated price vector in USD: per million tokens, and per request. None = unknown."""

    date: str
    input: float | None = None
    cached: float | None = None
    cache_write: float | None = None
    output: float | None = None
    reasoning: float | None = None
    request: float | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """One model endpoint under test. `base_url` None = the provider's own address."""

    name: str
    provider: str
    model: str
    base_url: str | None = None
    wire: str | None = None
    api_key_env: str | None = None
    region: str | None = None
    params: Params = field(default_factory=Params)
    price: Price | None = None
    stream: bool = True


@record
class PlannedTrial:
    """One planned unit. `intended_offset_ns` (open loop only) counts from the start of the run's load; `team` is the
    name of the team that works on it, "" where none does; `block` and `block_place` say when its target's turn was,
    where targets take turns: the block's number, and the leg's place in it."""

    trial_id: str
    position: int
    dataset: str
    dataset_version: str
    test_id: str
    category: str
    target: str
    workload: str
    repetition: int
    phase: str
    prompt_sha256: str
    seed: int
    intended_offset_ns: int | None = None
    team: str = ""
    block: int | None = None
    block_place: int | None = None

    def __post_init__(self) -> None:
        if self.phase not in PHASES:
            raise RecordError(f"phase {self.phase!r} is not one of {PHASES}")
