"""Scripts: what the models of a team say, case by case and agent by agent, as YAML files read into frozen models.

Here is their form and their reading; `scripts` plays them. The reference of all fields is docs/SIMULATOR.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, model_validator

from benchbook.errors import PlanError
from benchbook.simulator.fault_kinds import Spec
from benchbook.simulator.profile import Distribution, Fixed, Lognormal, Uniform
from benchbook.simulator.reading import Form, read_model

DEFAULT = "default"
"""The agent that a request is for whose system prompt names nobody, or nobody whom the entry names."""

PLACEHOLDER = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
FILLED = re.compile(r"\s*(case|said|observation)(?:\s+([1-9]\d*))?(?:\s+~\s+(.+?))?\s*", re.DOTALL)
_RIGHT = "{{ case }}, {{ said }}, {{ observation }}, {{ observation N }}, each with ~ REGEX if wanted"


def _checked(value: Any) -> Any:
    """Every placeholder of the texts in it can be filled."""
    if isinstance(value, Mapping):
        for part in value.values():
            _checked(part)
    elif isinstance(value, list | tuple):
        for part in value:
            _checked(part)
    elif isinstance(value, str):
        for inside in PLACEHOLDER.findall(value):
            _check(inside)
    return value


def _check(inside: str) -> None:
    read = FILLED.fullmatch(inside)
    if read is None or (read[2] and read[1] != "observation"):
        raise ValueError(f"{{{{{inside}}}}} is no placeholder: {_RIGHT}")
    try:
        re.compile(read[3] or "")
    except re.error as error:
        raise ValueError(f"{{{{{inside}}}}}: {read[3]} is no regular expression ({error})") from None


Text = Annotated[str, AfterValidator(_checked)]
Value = Annotated[Any, AfterValidator(_checked)]


class Call(Spec):
    """A tool call. arguments: an object, or a text that is sent as it stands, JSON or not."""

    name: str = Field(min_length=1)
    arguments: Annotated[dict[str, Any] | str, AfterValidator(_checked)] = Field(default_factory=dict)


class Handoff(Spec):
    """Work passes to another agent, by the tool that is on offer for it."""

    to: str = Field(min_length=1)
    message: Text = "{{ said }}"
    context: Annotated[dict[str, Any], AfterValidator(_checked)] = Field(default_factory=dict)


class Step(Spec):
    """One answer: a text, or a value as JSON text, with tool calls or handoffs or without; at its own pace."""

    say: Text = ""
    plan: Value = None
    calls: tuple[Call, ...] = ()
    handoffs: tuple[Handoff, ...] = ()
    sure: bool = False
    ttft_ms: Distribution | None = None
    token_ms: Distribution | None = None
    first_byte_ms: Distribution | None = None
    tokens_per_chunk: Distribution | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Step:
        if self.say and self.plan is not None:
            raise ValueError("a step has say or plan, not both")
        if not (self.say or self.plan is not None or self.calls or self.handoffs):
            raise ValueError("a step says nothing: give it say, plan, calls or handoffs")
        return self

    @property
    def answers(self) -> bool:
        """Whether nothing comes after it: a text without a call."""
        return not self.calls and not self.handoffs and self.plan is None

    def pace(self) -> dict[str, Any]:
        """What of a law it sets itself."""
        timed = ("ttft_ms", "token_ms", "first_byte_ms", "tokens_per_chunk")
        return {name: value for name in timed if (value := getattr(self, name)) is not None}


Steps = Annotated[tuple[Step, ...], Field(min_length=1)]


class Entry(Spec):
    """What the agents say in one case, named by its id or by a text that its first message holds ("": any)."""

    case: str | None = Field(None, min_length=1)
    match: str | None = None
    said: str = ""
    loop: bool = False
    agents: dict[str, Steps] = Field(min_length=1)

    @model_validator(mode="after")
    def _one_key(self) -> Entry:
        if (self.case is None) == (self.match is None):
            raise ValueError("an entry needs exactly one of case and match")
        return self


class Script(Spec):
    """A whole file. dataset: where the cases are, its path from the file's folder."""

    dataset: str | None = Field(None, min_length=1)
    entries: tuple[Entry, ...] = Field(min_length=1)
    folder: str = Field(".", exclude=True)

    @model_validator(mode="after")
    def _cases_have_a_dataset(self) -> Script:
        named = next((entry.case for entry in self.entries if entry.case is not None), None)
        if named is not None and self.dataset is None:
            raise ValueError(f"case {named!r} is looked up nowhere: name the dataset, or use match")
        return self


_SECTIONS: Mapping[str, type[BaseModel]] = {
    "entries": Entry,
    "agents": Step,
    "calls": Call,
    "handoffs": Handoff,
    "fixed": Fixed,
    "uniform": Uniform,
    "lognormal": Lognormal,
}
_SCRIPT = Form("script", Script, _SECTIONS, "ready ones lie under datasets/scripts/")


def load_script(path: str | Path) -> Script:
    """Read a script. Raises PlanError with file, line, what and right."""
    return read_model(Path(path), _SCRIPT, Script)


def prompts(script: Script, path: str | Path) -> dict[str, str]:
    """Case id -> its rendered first message, for the cases that the script names. Raises PlanError, DatasetError."""
    if script.dataset is None:
        return {}
    from benchbook.datasets import read, render

    dataset = read(Path(script.folder) / script.dataset).dataset
    cases = {case.id: case for case in dataset.cases}
    named = dict.fromkeys(entry.case for entry in script.entries if entry.case is not None)
    for case in named:
        if case not in cases:
            raise PlanError(str(path), f"case {case!r} is not in {script.dataset}", f"known there: {', '.join(cases)}")
    return {case: next(m.content for m in render(dataset, cases[case]).messages if m.role == "user") for case in named}
