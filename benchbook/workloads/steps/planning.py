"""A task decomposed by a member: what the planner is asked, and its answer read as steps. Pure.

The answer is JSON, and nothing else is believed: names, agents and needs are checked before a single step runs.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from benchbook.datasets.template import escape
from benchbook.records import Step, Team
from benchbook.workloads.steps.order import problem

_FORM = '{"steps": [{"name": "...", "agent": "...", "task": "...", "needs": []}]}'
_ORDER = "`needs` names the steps whose results a step builds on; steps that don't need each other run side by side."
_FIELDS = {"name", "agent", "task", "needs", "approval"}


class PlanRefusedError(ValueError):
    """A planner's answer that is no plan; the message says what is wrong in one line."""


def assignable(team: Team) -> tuple[str, ...]:
    """The members that a step may be given to: all but the planner and the aggregator."""
    return tuple(member.name for member in team.members if member.name not in (team.planner, team.aggregator))


def asked(team: Team, task: str, refused: str = "") -> str:
    """What the planner is asked. refused: what was wrong with its last answer."""
    members = "\n".join(f"- {member.name}: {member.role}" for member in team.members if member.name in assignable(team))
    parts = [
        f"Break this task into at most {team.limits.handoffs} steps and give each to an agent.",
        f"Task: {task}",
        f"Agents:\n{members}",
        f"Answer with JSON alone, in this form: {_FORM}\n{_ORDER}",
    ]
    if refused:
        parts.append(f"Your last plan can't be used: {refused}. Answer with a corrected plan.")
    return "\n\n".join(parts)


def plan_of(answer: str, team: Team) -> tuple[Step, ...]:
    """The steps of a planner's answer, fences and words around its JSON forgiven. Raises PlanRefusedError."""
    start, end = answer.find("{"), answer.rfind("}")
    if start < 0 or end < start:
        raise PlanRefusedError("it holds no JSON object")
    try:
        found = json.loads(answer[start : end + 1])
    except ValueError as error:
        raise PlanRefusedError(f"its JSON can't be read ({error})") from None
    listed = found.get("steps")
    if not isinstance(listed, list):
        raise PlanRefusedError('it has no list "steps"')
    steps = tuple(_step(number, fields) for number, fields in enumerate(listed, 1))
    wrong = problem(steps, assignable(team), team.limits.handoffs)
    if wrong:
        raise PlanRefusedError(wrong)
    return steps


def _step(number: int, fields: Any) -> Step:
    if not isinstance(fields, dict):
        raise PlanRefusedError(f"step {number} is no object")
    unknown = sorted(set(fields) - _FIELDS)
    if unknown:
        raise PlanRefusedError(f"step {number} has an unknown field {unknown[0]!r}")
    for name in ("name", "agent", "task"):
        if not isinstance(fields.get(name), str) or not fields[name].strip():
            raise PlanRefusedError(f"step {number} needs a text {name!r}")
    needs = fields.get("needs", [])
    if not isinstance(needs, list) or not all(isinstance(need, str) for need in needs):
        raise PlanRefusedError(f"step {number}: needs is no list of step names")
    approval = fields.get("approval", False)
    if not isinstance(approval, bool):
        raise PlanRefusedError(f"step {number}: approval is neither true nor false")
    return Step(fields["name"], fields["agent"], escape(fields["task"]), tuple(needs), approval=approval)


def listed(steps: Collection[Step]) -> list[dict[str, Any]]:
    """Steps as plain data, for the checkpoint; `steps_of` reads them back."""
    return [
        {"name": s.name, "agent": s.agent, "task": s.task, "needs": list(s.needs), "approval": s.approval}
        for s in steps
    ]


def steps_of(data: Collection[Mapping[str, Any]]) -> tuple[Step, ...]:
    """What `listed` gave."""
    return tuple(Step(**{**fields, "needs": tuple(fields["needs"])}) for fields in data)
