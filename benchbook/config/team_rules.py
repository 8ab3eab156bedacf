"""What makes a team runnable, beyond its fields' types: every rule gives the place, what is wrong, what would be right.

Pure: a team in, problems out, the first one first. Graphs are small (tens of members), so the plain walk will do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from benchbook.records import Team

Problem = tuple[tuple[str, ...], str, str]
"""Place in the file, what is wrong, what would be right."""

_ONLY_OF = {"edges": "graph", "steps": "workflow", "planner": "workflow", "aggregator": "workflow"}
_NAMED_STEP = re.compile(r"\bsteps\s*(?:\.\s*(\w[\w-]*)|\[\s*['\"]([^'\"]+)['\"]\s*\])")


def problems(team: Team, *, limited: bool) -> Iterator[Problem]:
    """Everything that keeps the team from being run. limited: its file says steps or handoffs itself."""
    yield from _twice("members", [member.name for member in team.members], "members")
    for place, member in enumerate(team.members):
        yield from _twice("tools", [tool.name for tool in member.tools], f"members.{place}.tools")
    yield from _shape(team)
    yield from _entry(team)
    yield from _edges(team)
    yield from _cycles(team, limited=limited)
    yield from _steps(team)


def cycle_in(ways: Mapping[str, Iterable[str]]) -> list[str]:
    """The names along some cycle, the first one again at the end; empty where there is none."""
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for other in ways.get(name, ()):
            if found := walk(other, [*path, name]):
                return found
        done.add(name)
        return []

    return next((found for name in ways if (found := walk(name, []))), [])


def reached_from(start: str, ways: Mapping[str, Iterable[str]]) -> set[str]:
    """All names that the ways lead to from `start`, itself included."""
    found, left = {start}, [start]
    while left:
        new = [name for name in ways.get(left.pop(), ()) if name not in found]
        found.update(new)
        left += new
    return found


def _twice(what: str, names: list[str], place: str) -> Iterator[Problem]:
    for at, name in enumerate(names):
        if name in names[:at]:
            yield (*place.split("."), str(at)), f"{name!r} is used twice", f"names of {what} must be unique"


def _shape(team: Team) -> Iterator[Problem]:
    """The fields that its kind needs, and those that it has no use for."""
    for name, kind in _ONLY_OF.items():
        if getattr(team, name) and team.kind != kind:
            yield (name,), f"a team of kind {team.kind} has no {name}", f"leave it out, or make it kind: {kind}"
    if team.kind == "agent" and len(team.members) > 1:
        yield ("members",), f"kind agent is one agent, here are {len(team.members)}", "take kind supervisor or graph"
    if team.kind in ("supervisor", "swarm") and len(team.members) < 2:
        yield ("members",), f"a {team.kind} of one member has nobody to hand work to", "add a member, or kind: agent"
    if team.kind == "graph" and not team.edges:
        yield ("kind",), "a graph needs edges", "edges: [{from: NAME, to: NAME}]"
    if team.kind == "workflow" and not team.steps and team.planner is None:
        yield ("kind",), "a workflow needs steps, or a planner that makes them", "steps: [...] or planner: NAME"


def _entry(team: Team) -> Iterator[Problem]:
    names = [member.name for member in team.members]
    members = f"members are {', '.join(names)}"
    if team.kind == "workflow":
        if team.entry:
            yield ("entry",), "a workflow begins with the steps that need none", "leave entry out"
    elif not team.entry:
        yield ("kind",), f"a {team.kind} needs an entry, the member that gets the task first", members
    for field in ("entry", "planner", "aggregator"):
        name = getattr(team, field)
        if name and name not in names:
            yield (field,), f"no member {name!r}", members


def _edges(team: Team) -> Iterator[Problem]:
    names = [member.name for member in team.members]
    for at, edge in enumerate(team.edges):
        for end, name in (("from", edge.source), ("to", edge.to)):
            if name not in names:
                yield ("edges", str(at), end), f"no member {name!r}", f"members are {', '.join(names)}"
        if any((edge.source, edge.to) == (other.source, other.to) for other in team.edges[:at]):
            yield (
                ("edges", str(at)),
                f"{edge.source} to {edge.to} is there twice",
                "join their conditions into one",
            )
    if team.kind == "graph" and team.entry in names:
        left = set(names) - reached_from(team.entry, _ways(team))
        for at, name in enumerate(names):
            if name in left:
                yield ("members", str(at)), f"no edge leads to {name!r} from {team.entry}", "add one, or take it out"


def _cycles(team: Team, *, limited: bool) -> Iterator[Problem]:
    cycle = cycle_in(_ways(team))
    if cycle and not limited:
        way = " -> ".join(cycle)
        yield ("edges",), f"{way} is a cycle, and no limit ends it", "add limits: {handoffs: N} or {steps: N}"


def _ways(team: Team) -> dict[str, list[str]]:
    ways: dict[str, list[str]] = {}
    for edge in team.edges:
        ways.setdefault(edge.source, []).append(edge.to)
    return ways


def _steps(team: Team) -> Iterator[Problem]:
    names = [step.name for step in team.steps]
    members = [member.name for member in team.members]
    yield from _twice("steps", names, "steps")
    for at, step in enumerate(team.steps):
        if step.agent not in members:
            yield ("steps", str(at), "agent"), f"no member {step.agent!r}", f"members are {', '.join(members)}"
        for need in step.needs:
            if need not in names:
                yield ("steps", str(at), "needs"), f"no step {need!r}", f"steps are {', '.join(names)}"
    needs = {step.name: step.needs for step in team.steps}
    if cycle := cycle_in(needs):
        yield ("steps",), f"{' needs '.join(cycle)}: a cycle, so none of them can begin", "take one need out"
        return
    for at, step in enumerate(team.steps):
        before = reached_from(step.name, needs) - {step.name}
        for dotted, quoted in _NAMED_STEP.findall(step.task):
            name = dotted or quoted
            if name not in before:
                what = f"uses the answer of step {name!r}, which does not come before it"
                yield ("steps", str(at), "task"), what, f"add needs: [{name}]" if name in names else "no such step"
