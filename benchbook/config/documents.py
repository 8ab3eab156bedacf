"""YAML documents as plain data, with the line of every place in them, and overrides of single values.

A plan that comes as data, as the measuring process gets it, never loads the reader of YAML.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from benchbook.errors import PlanError

if TYPE_CHECKING:
    import yaml

Place = tuple[str, ...]
"""A way into a document: keys, and numbers of list entries as texts."""
Lines = Mapping[Place, int]
"""Place -> YAML line, counted from 1."""


def parse(text: str, source: str, right: str) -> tuple[dict[str, Any], Lines]:
    """The document and the lines of its places; an empty text is an empty document.

    Raises PlanError where it is not YAML or no mapping; `right` says what would be right then.
    """
    import yaml

    try:
        node, document = _loaded(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{source}:{mark.line + 1}" if mark else source
        problem = getattr(error, "problem", None) or "not YAML"
        raise PlanError(where, f"not valid YAML: {problem}", "check indentation and quotes on this line") from None
    if node is None or document is None:
        return {}, {}
    if not isinstance(document, dict):
        raise PlanError(source, "is not a mapping", right)
    return document, dict(_lines(node, ()))


def _loaded(text: str) -> tuple[Any, Any]:
    """The text's node and its document. libyaml's reader is many times as fast; PyYAML's own names mistakes better."""
    import yaml

    quick = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.compose(text, Loader=quick), yaml.load(text, Loader=quick)  # noqa: S506 - both are safe
    except yaml.YAMLError:
        return yaml.compose(text, Loader=yaml.SafeLoader), yaml.safe_load(text)


def _lines(node: yaml.Node | None, place: Place) -> Iterator[tuple[Place, int]]:
    import yaml

    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*place, str(key.value)), key.start_mark.line + 1
            yield from _lines(value, (*place, str(key.value)))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*place, str(index)), value.start_mark.line + 1
            yield from _lines(value, (*place, str(index)))


def where(source: str, place: Place, lines: Lines) -> str:
    """`FILE:LINE` of the innermost part of the place that the document has, else the file."""
    line = next((lines[place[:end]] for end in range(len(place), 0, -1) if place[:end] in lines), None)
    return f"{source}:{line}" if line else source


def apply_overrides(document: dict[str, Any], overrides: Sequence[str]) -> None:
    """Apply `-S key=value` texts to a plan given as plain data, in place. Raises PlanError."""
    for override in overrides:
        _apply(document, override)


def _apply(document: dict[str, Any], override: str) -> None:
    """Apply `a.b.0.c=VALUE` (VALUE is YAML) to the document in place."""
    import yaml

    key, sign, value = override.partition("=")
    if not sign or not key:
        raise PlanError(f"-S {override}", "is no override", "write -S section.field=value")
    *parents, last = key.strip().split(".")
    holder: Any = document
    try:
        for part in parents:
            holder = holder[int(part)] if isinstance(holder, list) else holder.setdefault(part, {})
        parsed = yaml.safe_load(value)
        if isinstance(holder, list):
            holder[int(last)] = parsed
        else:
            holder[last] = parsed
    except (ValueError, IndexError, TypeError, AttributeError):
        raise PlanError(f"-S {override}", "names no place in the plan", "list places count from 0") from None
    except yaml.YAMLError:
        raise PlanError(f"-S {override}", "the value is not valid YAML", "quote it") from None
