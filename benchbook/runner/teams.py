"""Teams in a plan: which team a trial is given, and what of it can only be checked where tools are known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from benchbook.config import PlanSpec
from benchbook.errors import PlanError
from benchbook.providers.capabilities import Capabilities
from benchbook.records import TEAM_WORKLOADS, Member, PlannedTrial, Target, Team, ToolUse

HANDS_OVER = ("supervisor", "swarm")
"""Kinds of teams whose members call tools even where none is named: that is how they pass work on."""


def ways_of(spec: PlanSpec) -> list[tuple[str, str]]:
    """What is done with each prompt: (workload, name of its team, "" where there is none)."""
    ways: list[tuple[str, str]] = []
    for workload in spec.execute.workloads:
        teams = spec.teams.get(workload, ())
        ways += [(workload, team.name) for team in teams] if teams else [(workload, "")]
    return ways


def team_named(teams: Mapping[str, tuple[Team, ...]], workload: str, name: str) -> Team | None:
    """The workload's team of that name, None where it has none."""
    return next((team for team in teams.get(workload, ()) if team.name == name), None)


def team_of(teams: Mapping[str, tuple[Team, ...]], trial: PlannedTrial) -> Team:
    """The trial's team. Raises KeyError for a workload without teams."""
    found = team_named(teams, trial.workload, trial.team)
    if found is None:
        raise KeyError(f"{trial.workload} {trial.team}")
    return found


def every_team(spec: PlanSpec) -> Iterator[Team]:
    """All teams of the plan."""
    for workload in TEAM_WORKLOADS:
        yield from spec.teams.get(workload, ())


def unable(team: Team, target: Target, can: Capabilities) -> str | None:
    """Why a target can't serve this team's members, or None."""
    if target.wire == "bedrock_invoke":
        return f"{target.model} is asked over bedrock_invoke, and agents speak Converse"
    if not can.system:
        return f"{target.model} takes no system prompt, and agents have one"
    if not can.tools and (team.kind in HANDS_OVER or any(member.tools for member in team.members)):
        return f"{target.model} takes no tools, and team {team.name} needs them"
    return None


def require_tools(spec: PlanSpec) -> None:
    """Raise PlanError where a member's tool is not there, its settings are wrong, or one name would mean two tools."""
    for team in every_team(spec):
        for member in team.members:
            _require_known(team, member)
        if team.kind in HANDS_OVER:
            _require_distinct(team)


def require_ready(spec: PlanSpec, environ: Mapping[str, str]) -> None:
    """Raise PlanError where a member's tool lacks what it needs on this machine: a folder, a repository, a key."""
    for team in every_team(spec):
        for member in team.members:
            for use in member.tools:
                _require_ready(f"{team.path}: member {member.name}, tool {use.name}", use, environ)


async def ready_tools(spec: PlanSpec) -> None:
    """Use each tool of the plan's teams once, before anything is measured."""
    uses = [(use.name, use.settings) for team in every_team(spec) for member in team.members for use in member.tools]
    if uses:
        from benchbook.tools import ready

        await ready(uses)


def _require_ready(where: str, use: ToolUse, environ: Mapping[str, str]) -> None:
    from benchbook.tools import lacking

    missing = lacking(use.name, use.settings, environ)
    if missing is not None:
        raise PlanError(where, missing, "provide it, or change the tool's settings")


def _require_known(team: Team, member: Member) -> None:
    from benchbook.tools import TOOLS, configured

    for use in member.tools:
        where = f"{team.path}: member {member.name}"
        if use.name not in TOOLS:
            raise PlanError(where, f"no tool {use.name!r}", f"tools are {', '.join(TOOLS)}")
        try:
            if use.settings:
                configured(use.name, use.settings)
        except PlanError as error:
            raise PlanError(f"{where}, {error.where}", error.what, error.right) from None


def _require_distinct(team: Team) -> None:
    """A member that others may call is a tool by its name."""
    names = {member.name for member in team.members}
    for member in team.members:
        for use in member.tools:
            if use.name in names:
                what = f"has a tool {use.name}, and a member is called {use.name} as well"
                raise PlanError(f"{team.path}: member {member.name}", what, "rename the member")
