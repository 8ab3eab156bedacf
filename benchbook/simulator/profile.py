"""A simulator profile: the law of delays, answers and faults, as a YAML file read into frozen models.

pydantic stands here because foreign data enters here (`reading` refuses it in one line). The reference of all
fields is docs/SIMULATOR.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from benchbook.simulator.fault_kinds import FAULTS, Fault, Spec
from benchbook.simulator.reading import Form, read_model


class Fixed(Spec):
    """Always `value`. A bare number means this."""

    kind: Literal["fixed"] = "fixed"
    value: float = Field(ge=0)


class Uniform(Spec):
    """Evenly between `low` and `high`."""

    kind: Literal["uniform"]
    low: float = Field(ge=0)
    high: float = Field(ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> Uniform:
        if self.low > self.high:
            raise ValueError(f"low {self.low} is above high {self.high}")
        return self


class Lognormal(Spec):
    """exp(N(ln median, sigma)), clamped to `min` and `max`, which must enclose the median."""

    kind: Literal["lognormal"]
    median: float = Field(gt=0)
    sigma: float = Field(ge=0, le=5)
    min: float | None = Field(None, ge=0)
    max: float | None = Field(None, ge=0)

    @model_validator(mode="after")
    def _encloses(self) -> Lognormal:
        if not (self.min or 0.0) <= self.median <= (self.median if self.max is None else self.max):
            raise ValueError(f"min and max must enclose the median {self.median}")
        return self


def _number_is_fixed(value: Any) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return {"kind": "fixed", "value": value} if is_number else value


Distribution = Annotated[
    Annotated[Fixed | Uniform | Lognormal, Field(discriminator="kind")], BeforeValidator(_number_is_fixed)
]


class Echo(Spec):
    """The last user message, word for word."""

    kind: Literal["echo"] = "echo"


class Rule(Spec):
    """`answer` when the last user message holds `match` (case-insensitive)."""

    match: str = Field(min_length=1)
    answer: str


class Scripted(Spec):
    """The first rule that matches; else the `texts` in turn, each prompt from the first; else an echo."""

    kind: Literal["scripted"]
    rules: tuple[Rule, ...] = ()
    texts: tuple[str, ...] = ()


class Lookup(Spec):
    """The expected answer of the dataset case whose rendered last user message this is; else an echo.

    verbatim: the answer alone (`always`), inside sentences (`never`), or what the case's scorer can bear.
    """

    kind: Literal["lookup"]
    datasets: tuple[str, ...] = Field(min_length=1)
    accuracy: float = Field(1.0, ge=0, le=1)
    verbatim: Literal["auto", "always", "never"] = "auto"


Answers = Annotated[Echo | Scripted | Lookup, Field(discriminator="kind")]


class ScriptedCall(Spec):
    """One tool call; `arguments` is an object, sent as JSON."""

    name: str = Field(min_length=1)
    arguments: dict[str, Any] = Field(default_factory=dict)


class ToolTurn(Spec):
    """What is called in which round of a conversation (1 = before any tool result)."""

    match: str = ""
    turn: int = Field(1, ge=1)
    text: str = ""
    calls: tuple[ScriptedCall, ...] = Field(min_length=1)


class Reasoning(Spec):
    """A phase before the answer. Not `visible`: it takes its time and its tokens but sends nothing."""

    tokens: Distribution
    token_ms: Distribution = Fixed(value=0)
    visible: bool = True


class Law(Spec):
    """How one model behaves."""

    ttft_ms: Distribution = Fixed(value=0)
    token_ms: Distribution = Fixed(value=0)
    first_byte_ms: Distribution | None = None
    tokens_out: Distribution | Literal["answer"] = "answer"
    tokens_per_chunk: Distribution = Fixed(value=1)
    reasoning: Reasoning | None = None
    answers: Answers = Echo()
    tool_calls: tuple[ToolTurn, ...] = ()
    scripts: tuple[str, ...] = ()
    lapses: float = Field(0.0, ge=0, le=1)
    usage: bool = True
    cached_share: float = Field(0.0, ge=0, le=1)
    prefix_cache: bool = False
    prefill_token_ms: float = Field(0.0, ge=0)
    unavailable: bool = False
    streaming: bool = True
    tools: bool = True
    system: bool = True
    max_context: int | None = Field(None, ge=1)
    max_output: int | None = Field(None, ge=1)
    served_as: str | None = None
    fingerprint: str | None = None

    def over(self, base: Law) -> Law:
        """This law, with what it leaves out taken from `base`."""
        return base.model_copy(update={name: getattr(self, name) for name in self.model_fields_set})


def is_steady(law: Law) -> bool:
    """Whether a prompt gets the same answer at the same times however often it is asked."""
    reasoning = () if law.reasoning is None else (law.reasoning.tokens, law.reasoning.token_ms)
    drawn = (law.ttft_ms, law.token_ms, law.first_byte_ms, law.tokens_out, law.tokens_per_chunk, *reasoning)
    takes_turns = isinstance(law.answers, Scripted) and len(law.answers.texts) > 1
    chancy = takes_turns or law.prefix_cache or law.lapses > 0
    return not chancy and not any(isinstance(one, Uniform | Lognormal) for one in drawn)


class Profile(Spec):
    """A whole profile. `folder` is where relative dataset paths start from."""

    seed: int = 42
    require_key: str | None = Field(None, min_length=1)
    coalesce: bool = False
    default: Law = Law()
    models: dict[str, Law] = Field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    folder: str = Field(".", exclude=True)

    def law(self, model: str) -> Law:
        """The law of a model: its own name, else the first pattern that fits, else `default`."""
        own = self.models.get(model)
        if own is None:
            own = next((law for pattern, law in self.models.items() if fnmatchcase(model, pattern)), Law())
        return own.over(self.default)

    def listed(self) -> tuple[str, ...]:
        """Names (not patterns) of the models that are available, in the profile's order."""
        names = (name for name in self.models if not set("*?[") & set(name))
        return tuple(name for name in names if not self.law(name).unavailable)

    def laws(self) -> Iterator[Law]:
        """Every law in effect."""
        yield self.default
        yield from (law.over(self.default) for law in self.models.values())


_MODELS: Mapping[str, type[BaseModel]] = {
    "fixed": Fixed,
    "uniform": Uniform,
    "lognormal": Lognormal,
    "echo": Echo,
    "scripted": Scripted,
    "lookup": Lookup,
    "reasoning": Reasoning,
    "rules": Rule,
    "tool_calls": ToolTurn,
    "calls": ScriptedCall,
    "default": Law,
    "models": Law,
    **FAULTS,
}
_PROFILE = Form("profile", Profile, _MODELS, "ready ones lie under datasets/simulator/")


def load_profile(path: str | Path | None) -> Profile:
    """Read a profile; None gives the instant default. Raises PlanError with file, line, what and right."""
    return Profile() if path is None else read_model(Path(path), _PROFILE, Profile)
