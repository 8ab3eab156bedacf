"""What a step's agent and the aggregator are told: the step's template, and what came before it. Pure.

A template names what it wants (`{{ task }}`, `{{ steps.NAME }}`, `{{ feedback }}`). What a step needs and its template
does not name is put below it, so that no result and no approver's word is lost between two steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchbook.datasets.template import fill, names
from benchbook.records import Step


def told(step: Step, task: str, outputs: Mapping[str, str], feedback: Sequence[str]) -> str:
    """The prompt of a step. outputs: of the steps done so far; feedback: of the approvals before it."""
    said = "\n".join(filter(None, feedback))
    used = set(names(step.task))
    values = {"task": task, "feedback": said, **{f"steps.{name}": text for name, text in outputs.items()}}
    parts = [fill(step.task, {**dict.fromkeys(used, ""), **values})]
    parts += [f"Result of {need}:\n{outputs[need]}" for need in step.needs if f"steps.{need}" not in used]
    if said and "feedback" not in used:
        parts.append(f"Feedback of the approver:\n{said}")
    return "\n\n".join(parts)


def gathered(task: str, outputs: Mapping[str, str], feedback: Sequence[str]) -> str:
    """The prompt of the aggregator."""
    parts = [f"Make one answer to this task of the results below.\n\nTask: {task}"]
    parts += [f"Result of {name}:\n{text}" for name, text in outputs.items()]
    said = "\n".join(filter(None, feedback))
    return "\n\n".join([*parts, *([f"Feedback of the approver:\n{said}"] if said else [])])


def joined(steps: Sequence[Step], outputs: Mapping[str, str]) -> str:
    """The answer where no member makes one: the last steps' results, with their names where there are several."""
    if len(steps) == 1:
        return outputs[steps[0].name]
    return "\n\n".join(f"{step.name}:\n{outputs[step.name]}" for step in steps)
