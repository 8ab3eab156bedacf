"""Cases made ready to be asked and judged: templates filled in, parameters merged, the prompt's hash."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from benchbook.datasets.notes import Note, place, problem
from benchbook.datasets.template import UndefinedError, fill, names, odd
from benchbook.errors import DatasetError
from benchbook.records import Case, Dataset, Message, Turn

_SAMPLING = ("temperature", "max_tokens", "top_p", "stop", "seed")


@dataclass(frozen=True, slots=True)
class Rendered:
    """What is sent for a case: its conversation, its system prompt, and the SHA-256 (hex) over all of it.

    later: the user's further turns, each sent with what was said before it.
    """

    messages: tuple[Message, ...]
    system: str | None
    prompt_sha256: str
    later: tuple[Turn, ...] = ()


def render(dataset: Dataset, case: Case) -> Rendered:
    """Fill in what is sent. Raises DatasetError naming file, case, field and variable."""
    fields = {name: _fill(dataset, case, name, template) for name, template in _sent(case)}
    return rendered(case, fields)


def rendered(case: Case, fields: Mapping[str, str]) -> Rendered:
    """What is sent, from the filled-in fields by name (see `templates`)."""
    system = fields.get("system")
    if case.turns:
        said = tuple(replace(turn, content=fields[f"turns.{number}.content"]) for number, turn in enumerate(case.turns))
        opening = (Message("user", said[0].content),)
        return Rendered(opening, system, _hash(opening, system, said[1:]), said[1:])
    if case.prompt is not None:
        messages: tuple[Message, ...] = (Message("user", fields["prompt"]),)
    else:
        messages = tuple(
            replace(message, content=fields[f"messages.{turn}.content"]) for turn, message in enumerate(case.messages)
        )
    return Rendered(messages, system, _hash(messages, system))


def rendered_case(dataset: Dataset, case: Case) -> Case:
    """`case` with every template filled in and no variables left: what scorers judge by. Raises DatasetError."""
    fields = {name: _fill(dataset, case, name, template) for name, template in templates(case)}
    made = rendered(case, fields)
    return replace(
        case,
        prompt=fields.get("prompt"),
        messages=made.messages if case.messages else (),
        turns=(replace(case.turns[0], content=made.messages[0].content), *made.later) if case.turns else (),
        system=made.system,
        variables={},
        expected=fields.get("expected"),
        references=tuple(fields[f"references.{index}"] for index in range(len(case.references))),
    )


def params(dataset: Dataset, case: Case) -> dict[str, Any]:
    """Sampling parameters of a case: the dataset's defaults, then the case's own."""
    merged = {**_set(dataset.defaults), **_set(case.config)}
    return {name: merged[name] for name in _SAMPLING if name in merged}


def templates(case: Case) -> Iterator[tuple[str, str]]:
    """Each field of a case that is a template, by name."""
    yield from _sent(case)
    if case.expected is not None:
        yield "expected", case.expected
    for index, reference in enumerate(case.references):
        yield f"references.{index}", reference


def variables(case: Case) -> list[str]:
    """The variables that a case's templates use, each once, in order of first use."""
    return list(dict.fromkeys(name for _, text in templates(case) for name in names(text)))


def generated_sizes(dataset: Dataset) -> dict[str, float] | None:
    """Of a dataset's generated cases: how many, tokens of their prompts as declared, the tokens that all of them
    begin with, and those over the mean prompt. None where every case is written."""
    made = [case.generated for case in dataset.cases if case.generated is not None]
    if not made:
        return None
    tokens, shared = [one.prompt_tokens for one in made], made[0].shared_tokens
    mean = sum(tokens) / len(tokens)
    return {
        "cases": len(made),
        "prompt_tokens_min": min(tokens),
        "prompt_tokens_mean": mean,
        "prompt_tokens_max": max(tokens),
        "shared_tokens": shared,
        "shared_share": shared / mean,
    }


def undefined(case: Case) -> list[tuple[str, str]]:
    """(field, variable) of every variable that is used and not defined, each pair once."""
    found = [(field, name) for field, text in templates(case) for name in names(text) if name not in case.variables]
    return list(dict.fromkeys(found))


def template_notes(case: Case, path: str, line: int | None) -> Iterator[Note]:
    """Warnings about a case's templates: variables that nothing uses, braces that look like a slip."""
    fields = list(templates(case))
    used = {name for _, text in fields for name in names(text)}
    for field, text in fields:
        for slip in odd(text):
            where = place(path, line, case.id, field)
            yield Note(where, f"{slip} is no variable and is sent as it is", r"write {{name}}, or \{{ for plain braces")
    for name in case.variables:
        if name not in used:
            where = place(path, line, case.id, "variables", name)
            yield Note(where, "defined, but no template uses it", "use it or leave it out")


def undefined_note(where: str, name: str, variables: Mapping[str, Any]) -> Note:
    """The problem of one undefined variable."""
    known = ", ".join(variables) or "none"
    right = rf"define it under variables (there: {known}), or write \{{{{ for plain braces"
    return problem(where, f"the variable {name!r} is not defined", right)


def _sent(case: Case) -> Iterator[tuple[str, str]]:
    if case.prompt is not None:
        yield "prompt", case.prompt
    for turn, message in enumerate(case.messages):
        yield f"messages.{turn}.content", message.content
    for number, said in enumerate(case.turns):
        yield f"turns.{number}.content", said.content
    if case.system is not None:
        yield "system", case.system


def _fill(dataset: Dataset, case: Case, field: str, template: str) -> str:
    try:
        return fill(template, case.variables)
    except UndefinedError as error:
        note = undefined_note(place(dataset.path, None, case.id, field), error.name, case.variables)
        raise DatasetError(note.where, note.what, note.right, (str(note),)) from None


def _set(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _hash(messages: tuple[Message, ...], system: str | None, later: tuple[Turn, ...] = ()) -> str:
    turns: list[Any] = [
        [m.role, m.content, [[call.id, call.name, call.arguments] for call in m.tool_calls], m.tool_call_id]
        for m in messages
    ]
    turns += [["later", turn.content, turn.think_s] for turn in later]
    return sha256(json.dumps([system, turns], separators=(",", ":")).encode()).hexdigest()
