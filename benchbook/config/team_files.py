"""Team files: YAML -> `records.Team`, checked.

A wrong file is one clear line: file and line, the field, what is wrong, what would be right. What names of tools there
are is not known on this floor: the runner checks them when it expands the plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, field_validator

from benchbook.config.documents import Lines, parse, where
from benchbook.config.loads import Section
from benchbook.config.team_rules import problems
from benchbook.config.teams import TEAMS_FOLDER
from benchbook.errors import PlanError, RecordError
from benchbook.records import Edge, Limits, Member, Step, Team, ToolUse, Tries

NAME = r"^[A-Za-z][A-Za-z0-9_-]{0,47}$"
"""A member's name is the name of a tool where a supervisor may call it, and providers take no other."""


class LimitsSpec(Section):
    steps: int = Field(20, ge=1, le=10_000)
    tokens: int | None = Field(None, ge=1)
    time_s: float | None = Field(None, gt=0, le=86_400, allow_inf_nan=False)
    usd: float | None = Field(None, gt=0, allow_inf_nan=False)
    handoffs: int = Field(10, ge=0, le=10_000)
    tool_timeout_s: float = Field(5.0, gt=0, le=600, allow_inf_nan=False)

    def record(self) -> Limits:
        return Limits(**self.model_dump())


class TriesSpec(Section):
    tool_attempts: int = Field(3, ge=1, le=10)
    agent_attempts: int = Field(2, ge=1, le=10)
    base_s: float = Field(0.1, ge=0, le=60, allow_inf_nan=False)
    cap_s: float = Field(2.0, ge=0, le=600, allow_inf_nan=False)


class ToolUseSpec(Section):
    name: str = Field(min_length=1)
    settings: dict[str, Any] = Field(default_factory=dict)


def _tool(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class MemberSpec(Section):
    name: str = Field(pattern=NAME)
    role: str = Field(min_length=1, max_length=200)
    goal: str = Field(min_length=1)
    tools: tuple[Annotated[ToolUseSpec, BeforeValidator(_tool)], ...] = ()
    target: str | None = None
    instructions: str = ""
    limits: LimitsSpec | None = None

    @field_validator("role")
    @classmethod
    def _one_line(cls, value: str) -> str:
        if "\n" in value.strip():
            raise ValueError("a role is one line: more goes into instructions")
        return value.strip().rstrip(".")

    def record(self, team: LimitsSpec) -> Member:
        """As a record; what its limits leave unsaid of steps and a tool's time is as the team's limits have it."""
        limits = None
        if self.limits is not None:
            unsaid = {"steps": team.steps, "handoffs": team.handoffs, "tool_timeout_s": team.tool_timeout_s}
            limits = Limits(**{**unsaid, **self.limits.model_dump(exclude_unset=True)})
        return Member(
            name=self.name,
            role=self.role,
            goal=self.goal.strip(),
            tools=tuple(ToolUse(tool.name, tool.settings) for tool in self.tools),
            target=self.target,
            instructions=self.instructions.strip(),
            limits=limits,
        )


class EdgeSpec(Section):
    source: str = Field(alias="from")
    to: str
    when: str | None = None

    @field_validator("when")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        try:
            Edge("", "", value)
        except RecordError as error:
            raise ValueError(str(error)) from None
        return value


class StepSpec(Section):
    name: str = Field(pattern=NAME)
    agent: str
    task: str = Field("{{ task }}", min_length=1)
    needs: tuple[str, ...] = ()
    approval: bool = False


class TeamSpec(Section):
    """A team file, whole."""

    name: str = Field(pattern=NAME)
    kind: Literal["agent", "supervisor", "graph", "swarm", "workflow"]
    description: str = ""
    entry: str | None = None
    members: tuple[MemberSpec, ...] = Field(min_length=1)
    edges: tuple[EdgeSpec, ...] = ()
    steps: tuple[StepSpec, ...] = ()
    planner: str | None = None
    aggregator: str | None = None
    limits: LimitsSpec = LimitsSpec()
    retries: TriesSpec = TriesSpec()

    @property
    def limited(self) -> bool:
        """Whether the file itself says how far the team may go."""
        return bool({"steps", "handoffs"} & self.limits.model_fields_set)

    def record(self, path: str, digest: str) -> Team:
        """As a record. A team of one needs no entry: there is no other."""
        alone = self.members[0].name if self.kind == "agent" else ""
        return Team(
            name=self.name,
            kind=self.kind,
            members=tuple(member.record(self.limits) for member in self.members),
            entry=self.entry or alone,
            edges=tuple(Edge(edge.source, edge.to, edge.when) for edge in self.edges),
            steps=tuple(Step(**step.model_dump()) for step in self.steps),
            planner=self.planner,
            aggregator=self.aggregator,
            limits=self.limits.record(),
            retries=Tries(**self.retries.model_dump()),
            description=self.description.strip(),
            path=path,
            sha256=digest,
        )


def read(path: Path, shown: str) -> tuple[Team, Lines]:
    """The team that a file declares, and its lines. shown: the file's name as the user gave it. Raises PlanError."""
    try:
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
    except FileNotFoundError:
        raise PlanError(shown, "no such team file", TEAMS_FOLDER) from None
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(shown, f"can't be read ({error})", "a team is a UTF-8 YAML file") from None
    document, lines = parse(text, shown, "a team has name, kind and members")
    try:
        spec = TeamSpec.model_validate(document)
    except ValidationError as error:
        raise _refusal(error, shown, lines) from None
    team = spec.record(shown, sha256(data).hexdigest())
    for place, what, right in problems(team, limited=spec.limited):
        raise PlanError(where(shown, place, lines), f"{'.'.join(place)}: {what}", right)
    return team, lines


_MODELS: Mapping[str, type[BaseModel]] = {
    "members": MemberSpec,
    "edges": EdgeSpec,
    "steps": StepSpec,
    "limits": LimitsSpec,
    "retries": TriesSpec,
    "tools": ToolUseSpec,
}


def _refusal(error: ValidationError, shown: str, lines: Lines) -> PlanError:
    first = error.errors()[0]
    place = tuple(str(part) for part in first["loc"])
    what, right = first["msg"].removeprefix("Value error, "), ""
    if first["type"] == "extra_forbidden":
        what, right = "unknown field", f"known fields: {', '.join(_known(place[:-1]))}"
    elif first["type"] == "string_pattern_mismatch":
        what = f"{first['input']!r} is no name"
        right = "a letter, then letters, digits, - and _, 48 at most"
    elif first["type"] == "missing":
        what, right = "is missing", "see docs/AGENTS.md for a team's fields"
    return PlanError(where(shown, place, lines), f"{'.'.join(place)}: {what}", right)


def _known(place: tuple[str, ...]) -> list[str]:
    """The fields that stand at that place of a team file, by the names that the file uses."""
    section = next((part for part in reversed(place) if not part.isdigit()), "")
    model = _MODELS.get(section, TeamSpec)
    return [field.alias or name for name, field in model.model_fields.items()]
