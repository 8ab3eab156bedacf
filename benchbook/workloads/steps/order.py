"""The arithmetic of a graph of steps: whether it can be run, what may start now, what stands before what. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence

from benchbook.config.team_rules import cycle_in, reached_from
from benchbook.records import Step

_NAME = re.compile(r"[A-Za-z0-9][\w-]{0,39}")


def problem(steps: Sequence[Step], agents: Collection[str], most: int) -> str | None:
    """The first thing that is wrong with a list of steps, in one line; None: it can be run.

    agents: who may be given a step; most: how many steps there may be.
    """
    return next(_problems(steps, agents, most), None)


def _problems(steps: Sequence[Step], agents: Collection[str], most: int) -> Iterator[str]:
    names = [step.name for step in steps]
    if not steps:
        yield "it has no step"
    if len(steps) > most:
        yield f"it has {len(steps)} steps, at most {most} are allowed"
    for step in steps:
        if not _NAME.fullmatch(step.name):
            yield f"step name {step.name!r} is not one of up to 40 letters, digits, _ and -"
        if names.count(step.name) > 1:
            yield f"two steps are called {step.name!r}"
        if step.agent not in agents:
            yield f"step {step.name!r}: there is no agent {step.agent!r}, only {', '.join(sorted(agents))}"
        for need in step.needs:
            if need not in names:
                yield f"step {step.name!r} needs {need!r}, which is no step"
    if around := cycle_in({step.name: step.needs for step in steps}):
        yield f"its steps wait for each other in a circle: {' -> '.join(around)}"


def ready(steps: Sequence[Step], done: Collection[str], begun: Collection[str]) -> list[Step]:
    """The steps that may begin now, in the order of the list."""
    return [step for step in steps if step.name not in done and step.name not in begun and set(step.needs) <= set(done)]


def before(steps: Iterable[Step], name: str) -> set[str]:
    """Every step that stands before that one, however far."""
    return reached_from(name, {step.name: step.needs for step in steps}) - {name}


def last(steps: Sequence[Step]) -> list[Step]:
    """The steps that no other one needs: what they came to is what the workflow came to."""
    needed = {need for step in steps for need in step.needs}
    return [step for step in steps if step.name not in needed]
