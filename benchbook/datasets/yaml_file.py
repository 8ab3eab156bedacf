"""YAML, built from the parser's events: ten times as fast as a loader, knows lines, and constructs nothing but data.

Plain scalars are read in JSON's sense: `true`, `null`, `12`, `0.5`. What YAML 1.1 would turn into something else
(`no`, `3:40`, `2026-11-21`, `007`) stays the text that was written. So do numbers and words in fields that are
text (`version: 1.10`, `expected: true`). Anchors and merge keys work; tags other than YAML's own basic ones don't.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from benchbook.datasets.notes import Note, Parsed, problem

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18})")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+][0-9]+)?")
_WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_TEXT_FIELDS = {
    1: frozenset({"name", "description", "version", "schema_version"}),
    3: frozenset({"id", "category", "prompt", "system", "expected"}),
}
"""Depth of the mapping -> fields that are text whatever they look like: the document, and each test case."""
_TAGS = {"null", "bool", "int", "float", "str", "seq", "map", "timestamp"}
_MAX_DEPTH = 200


class _Stop(Exception):  # noqa: N818 - ends the walk, is never seen outside
    """The rest can't be read."""


def parse(text: str, path: str) -> Parsed:
    builder = _Builder(path)
    document: Any = None
    try:
        document = builder.document(yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        builder.problems.append(_syntax(path, error))
    except yaml.reader.ReaderError as error:
        what = f"the character U+{ord(error.character):04X}" if isinstance(error.character, str) else "a byte"
        builder.problems.append(
            problem(
                path, f"{what} at position {error.position} may not stand in YAML", 'write it as an escape in "..."'
            )
        )
    except yaml.YAMLError as error:
        builder.problems.append(problem(path, f"no valid YAML: {' '.join(str(error).split())}", "mend the syntax"))
    except _Stop:
        pass
    return Parsed(document, builder.case_lines, tuple(builder.problems))


def dump(document: Mapping[str, Any]) -> str:
    return str(yaml.dump(document, Dumper=_DUMPER, allow_unicode=True, sort_keys=False, width=110))


def _syntax(path: str, error: yaml.MarkedYAMLError) -> Note:
    mark = error.problem_mark or error.context_mark
    where = path if mark is None else f"{path}:{mark.line + 1}:{mark.column + 1}"
    return problem(where, f"no valid YAML: {error.problem or error.context}", "mend the syntax")


class _Builder:
    """Events to data. `depth` 1 is the document, 2 a list in it, 3 a test case."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.problems: list[Note] = []
        self.case_lines: list[int] = []
        self.anchors: dict[str, Any] = {}

    def document(self, events: Iterator[Any]) -> Any:
        self.events = events
        next(events)  # stream start
        if isinstance(next(events), yaml.StreamEndEvent):
            return None
        made = self.node(next(events), 0)
        next(events)  # document end
        if not isinstance(event := next(events), yaml.StreamEndEvent):
            self.report(event, "a second document starts here", "one dataset a file")
            raise _Stop
        return made

    def report(self, event: Any, what: str, right: str) -> None:
        self.problems.append(problem(f"{self.path}:{event.start_mark.line + 1}", what, right))

    def node(self, event: Any, depth: int, *, as_text: bool = False) -> Any:
        kind = type(event)
        if kind is yaml.AliasEvent:
            return self.alias(event)
        made: Any
        if kind is yaml.ScalarEvent:
            made = self.scalar(event, as_text=as_text)
        elif depth >= _MAX_DEPTH:
            self.report(event, "nested too deeply", "flatten the document")
            raise _Stop
        else:
            made = (self.mapping if kind is yaml.MappingStartEvent else self.sequence)(event, depth + 1)
        if event.anchor is not None:
            self.anchors[event.anchor] = made
        return made

    def alias(self, event: Any) -> Any:
        if event.anchor not in self.anchors:
            self.report(event, f"*{event.anchor} stands for nothing", f"define &{event.anchor} before it")
            return None
        return self.anchors[event.anchor]

    def sequence(self, start: Any, depth: int) -> list[Any]:
        self.tag(start)
        made: list[Any] = []
        while type(event := next(self.events)) is not yaml.SequenceEndEvent:
            if depth == 2 and self.in_cases:
                self.case_lines.append(event.start_mark.line + 1)
            made.append(self.node(event, depth))
        return made

    in_cases = False

    def mapping(self, start: Any, depth: int) -> dict[str, Any]:
        self.tag(start)
        made: dict[str, Any] = {}
        merged: list[Any] = []
        text_fields = _TEXT_FIELDS.get(depth, frozenset()) if depth == 1 or self.in_cases else frozenset()
        while type(event := next(self.events)) is not yaml.MappingEndEvent:
            key = self.key(event)
            if depth == 1:
                self.in_cases = key == "test_cases"
            value = self.node(next(self.events), depth, as_text=key in text_fields)
            if key == "<<" and event.implicit[0]:
                merged.extend(value if isinstance(value, list) else [value])
            elif key in made:
                self.report(event, f"the key {key!r} stands more than once", "keep one")
            else:
                made[key] = value
        return self.merge(start, merged, made) if merged else made

    def key(self, event: Any) -> str:
        if type(event) is yaml.ScalarEvent:
            return str(event.value)
        if type(event) is yaml.AliasEvent and isinstance(known := self.anchors.get(str(event.anchor)), str):
            return known
        self.report(event, "a key is not text", "write a word")
        raise _Stop

    def merge(self, start: Any, merged: list[Any], made: dict[str, Any]) -> dict[str, Any]:
        base: dict[str, Any] = {}
        for part in reversed(merged):
            if isinstance(part, dict):
                base |= part
            else:
                self.report(start, "<< merges something that is no mapping", "name a mapping")
        return base | made

    def scalar(self, event: Any, *, as_text: bool) -> Any:
        value: str = event.value
        tag = self.tag(event)
        if tag == "str" or (tag is None and not event.implicit[0]):
            return value
        if value in _WORDS and not (as_text and isinstance(_WORDS[value], bool)):
            return _WORDS[value]
        if as_text:
            return value
        if _INTEGER.fullmatch(value) and -(2**63) <= (number := int(value)) < 2**63:
            return float(number) if tag == "float" else number
        return float(value) if _FLOAT.fullmatch(value) and len(value) < 40 else value

    def tag(self, event: Any) -> str | None:
        """The short name of an explicit tag; reports one that YAML itself does not define."""
        if event.tag is None or event.tag == "!":
            return None if event.tag is None else "str"
        name = str(event.tag).removeprefix("tag:yaml.org,2002:")
        if name not in _TAGS:
            self.report(event, f"the tag {event.tag} means nothing here", "leave it out")
        return name
