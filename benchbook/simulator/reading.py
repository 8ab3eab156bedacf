"""A YAML file into a frozen model, or one line that says file, YAML line, what is wrong, what would be right.

Profiles and scripts are read here. An unknown key is an error: a mistyped law would be believed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from benchbook.config.documents import Lines, parse, where
from benchbook.errors import PlanError

ModelT = TypeVar("ModelT", bound=BaseModel)
FOLDER = "folder"
"""Where a file's relative paths start: its own folder, filled in here and no field of the file."""


@dataclass(frozen=True, slots=True)
class Form:
    """What a file is to be. sections: the model of what stands under a key, wherever it stands."""

    noun: str
    root: type[BaseModel]
    sections: Mapping[str, type[BaseModel]]
    ready: str

    def known(self, loc: tuple[int | str, ...]) -> str:
        """The fields that may stand where `loc` stands."""
        inside = [self.sections[part] for part in loc[:-1] if isinstance(part, str) and part in self.sections]
        return names(inside[-1] if inside else self.root)


def names(model: type[BaseModel]) -> str:
    """A model's fields, for an error."""
    return ", ".join(name for name in model.model_fields if name != FOLDER)


def read_model(path: Path, form: Form, model: type[ModelT]) -> ModelT:
    """The file as the form's model. Raises PlanError with file, line, what and right."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise PlanError(str(path), f"no such {form.noun}", form.ready) from None
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(str(path), f"can't be read ({error})", f"a {form.noun} is a UTF-8 YAML file") from None
    document, lines = parse(text, str(path), f"a {form.noun} has the fields {names(form.root)}")
    if FOLDER in document:
        raise PlanError(f"{path}:{lines[FOLDER,]}", "folder: unknown field", f"paths start at the {form.noun}")
    try:
        return model.model_validate({**document, FOLDER: str(path.parent)})
    except ValidationError as error:
        raise _refusal(error, str(path), (document, lines), form) from None


def _refusal(error: ValidationError, source: str, read: tuple[dict[str, Any], Lines], form: Form) -> PlanError:
    document, lines = read
    first = error.errors()[0]
    place = _place(first["loc"], document, form)
    if first["type"] == "missing" and place[-1:] != first["loc"][-1:]:
        place = (*place, str(first["loc"][-1]))
    what = first["msg"].removeprefix("Value error, ")
    right = ""
    if first["type"] == "extra_forbidden":
        what, right = "unknown field", f"known here: {form.known(first['loc'])}"
    elif first["type"].startswith("union_tag"):
        what, right = f"unknown kind {first.get('ctx', {}).get('tag', '')!r}".strip(), "see docs/SIMULATOR.md"
    return PlanError(where(source, place, lines), f"{'.'.join(place) or form.noun}: {what}", right)


def _place(loc: tuple[Any, ...], document: Any, form: Form) -> tuple[str, ...]:
    """pydantic's location without the names of union members, which stand nowhere in the file."""
    place: list[str] = []
    for position, part in enumerate(loc):
        known = part in document if isinstance(document, dict) else isinstance(document, list)
        if known:
            document = document[part]
        elif position < len(loc) - 1 or part in form.sections:
            continue
        place.append(str(part))
    return tuple(place)
