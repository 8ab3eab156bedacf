"""The teams that a plan's workloads ask for, and teams as plain data.

Team files are read by `config.team_files`, which is imported only where a plan has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from benchbook.config.documents import where
from benchbook.config.loads import Section
from benchbook.errors import PlanError
from benchbook.records import TEAM_KINDS, TEAM_WORKLOADS, Edge, Limits, Member, Step, Team, ToolUse, Tries

TEAMS_FOLDER = "teams lie in datasets/teams/"


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Files = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_listed), Field(min_length=1)]


class TeamsSpec(Section):
    """`execute.teams`: the team files of each workload that runs agents, one or several."""

    agent: Files = ("datasets/teams/assistant.yaml",)
    multi_agent: Files = ("datasets/teams/research-supervisor.yaml",)
    workflow: Files = ("datasets/teams/research-workflow.yaml",)


def read_team(path: str | Path) -> Team:
    """The team that a file declares. Raises PlanError with file, line, what is wrong and what would be right."""
    from benchbook.config.team_files import read

    return read(Path(path), str(path))[0]


def resolve_teams(files: TeamsSpec, workloads: Iterable[str], source: str) -> dict[str, tuple[Team, ...]]:
    """Workload -> its teams, for those of the plan that run agents. Files are looked for from here, else from the
    plan's folder. Raises PlanError."""
    found: dict[str, tuple[Team, ...]] = {}
    for workload in TEAM_WORKLOADS:
        if workload in workloads:
            found[workload] = tuple(_fitting(name, workload, source) for name in getattr(files, workload))
            _require_unique(found[workload])
    return found


def require_targets(teams: Mapping[str, tuple[Team, ...]], priced: Mapping[str, bool]) -> None:
    """Raise PlanError where a member names a target that the plan lacks, or money can't be counted.

    priced: the plan's targets -> whether each has a price.
    """
    for team in (team for group in teams.values() for team in group):
        for member in team.members:
            if member.target is not None and member.target not in priced:
                right = f"targets of the plan are {', '.join(priced)}"
                raise PlanError(f"{team.path}: member {member.name}", f"no target {member.target!r}", right)
        if team.limits.usd is None and all(m.limits is None or m.limits.usd is None for m in team.members):
            continue
        unpriced = next((name for name, has in priced.items() if not has), None)
        if unpriced is not None:
            what = f"a limit in usd, and target {unpriced} has no price to count by"
            raise PlanError(f"{team.path}: limits.usd", what, "give the target a price, or limit tokens")


def team_fields(team: Team) -> dict[str, Any]:
    """A team as plain data; `team_of` reads it back."""
    return asdict(team)


def team_of(fields: Mapping[str, Any]) -> Team:
    """What `team_fields` gave."""

    def limits(part: Mapping[str, Any] | None) -> Limits | None:
        return None if part is None else Limits(**part)

    def member(part: Mapping[str, Any]) -> Member:
        tools = tuple(ToolUse(**tool) for tool in part["tools"])
        return Member(**{**part, "tools": tools, "limits": limits(part["limits"])})

    rebuilt = {
        "members": tuple(member(part) for part in fields["members"]),
        "edges": tuple(Edge(**part) for part in fields["edges"]),
        "steps": tuple(Step(**{**part, "needs": tuple(part["needs"])}) for part in fields["steps"]),
        "limits": Limits(**fields["limits"]),
        "retries": Tries(**fields["retries"]),
    }
    return Team(**{**fields, **rebuilt})


def _fitting(name: str, workload: str, source: str) -> Team:
    from benchbook.config.team_files import read

    path = Path(name) if Path(name).exists() else Path(source).parent / name
    if not path.exists():
        raise PlanError(f"{source}: execute.teams.{workload}", f"no team file {name}", TEAMS_FOLDER)
    team, lines = read(path, name)
    if team.workload != workload:
        fit = " or ".join(kind for kind, runs in TEAM_KINDS.items() if runs == workload)
        what = f"a team of kind {team.kind} does not fit the workload {workload}"
        right = f"name it under execute.teams.{team.workload}, or take kind {fit}"
        raise PlanError(where(name, ("kind",), lines), what, right)
    return team


def _require_unique(teams: tuple[Team, ...]) -> None:
    paths: dict[str, str] = {}
    for team in teams:
        if team.name in paths:
            what = f"team {team.name!r} is declared in {paths[team.name]} as well"
            raise PlanError(team.path, what, "names must be unique among a workload's teams")
        paths[team.name] = team.path
