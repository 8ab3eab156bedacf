"""The border: a parsed document becomes a Dataset, or a list of everything that is wrong with it, each with its place.

pydantic checks types over the whole list at once. Ranges, duplicates and the rest of what makes cases fit to be
measured with are for `checks`. Unknown fields are noted: nothing is dropped silently. null means left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Required

from pydantic import BeforeValidator, ConfigDict, Field, Strict, TypeAdapter, ValidationError, with_config
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from benchbook.datasets.notes import Note, Parsed, place, problem
from benchbook.records import Case, Dataset, Message, ToolCall, Turn

SAMPLING = ("temperature", "max_tokens", "top_p", "stop", "seed")

_LAX_TEXT = ConfigDict(coerce_numbers_to_str=True)
_Number = Annotated[float, Strict()]
_Whole = Annotated[int, Strict()]
_Text = Annotated[str, Strict()]
_Stop = Annotated[list[_Text], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)]


def _scorers(value: Any) -> Any:
    """A scorer as a mapping, or several as a list of them; one error for whatever else stands there."""
    if isinstance(value, list) and value:
        return [_scorers([]) if isinstance(part, list) else _scorers(part) for part in value]
    if not isinstance(value, str | dict):
        raise PydanticCustomError("scorer", "is no scorer; write a name, a mapping with its kind, or a list of these")
    return {"kind": value} if isinstance(value, str) else value


_Scorer = Annotated[Any, BeforeValidator(_scorers)]


class _Tool(TypedDict, total=False):
    name: Required[_Text]
    description: _Text | None
    parameters: dict[str, Any] | None


class _Config(TypedDict, total=False):
    temperature: _Number | None
    max_tokens: _Whole | None
    top_p: _Number | None
    stop: _Stop | None
    seed: _Whole | None
    scorer: _Scorer | None
    extra: dict[str, Any] | None


class _CaseConfig(_Config, total=False):
    tools: list[_Tool] | None


class _ToolCall(TypedDict):
    id: str
    name: str
    arguments: str


class _Message(TypedDict, total=False):
    role: Required[Literal["user", "assistant", "tool"]]
    content: str | None
    tool_calls: list[_ToolCall] | None
    tool_call_id: str | None


class _Turn(TypedDict, total=False):
    content: Required[str]
    think_s: Annotated[float, Strict(), Field(ge=0, le=86_400)] | None


_Said = Annotated[_Turn, BeforeValidator(lambda value: {"content": value} if isinstance(value, str) else value)]


@with_config(_LAX_TEXT)
class _Case(TypedDict, total=False):
    id: Required[str]
    category: str | None
    prompt: str | None
    messages: list[_Message] | None
    turns: list[_Said] | None
    system: str | None
    variables: dict[str, Any] | None
    expected: str | None
    references: list[str] | None
    config: _CaseConfig | None
    metadata: dict[str, Any] | None


@with_config(_LAX_TEXT)
class _Header(TypedDict, total=False):
    name: Required[str]
    description: str | None
    version: str | None
    schema_version: str | None
    defaults: _Config | None
    metadata: dict[str, Any] | None
    synthetic: Any
    test_cases: list[Any]


_HEADER: TypeAdapter[_Header] = TypeAdapter(_Header)
_CASES: TypeAdapter[list[_Case]] = TypeAdapter(list[_Case])
_CASE_FIELDS = frozenset(_Case.__annotations__)
_CONFIG_FIELDS = frozenset({*SAMPLING, "scorer", "extra", "tools"})
_MESSAGE_FIELDS = frozenset({"role", "content", "tool_calls", "tool_call_id"})
_DEFAULTS_FIELDS = frozenset({*SAMPLING, "scorer", "extra"})
_HEADER_FIELDS = frozenset(_Header.__annotations__)


@dataclass(frozen=True, slots=True)
class Judged:
    """What the border made of a document. dataset: the cases that are whole (None if the file's own fields are
    broken); lines: per such case, where it starts, if known; numbers: its place in the file's list, from 1;
    problems and notes: everything found."""

    dataset: Dataset | None
    lines: tuple[int | None, ...]
    numbers: tuple[int, ...]
    problems: tuple[Note, ...]
    notes: tuple[Note, ...]


def judge_document(parsed: Parsed, path: str, sha256: str) -> Judged:
    """Check a parsed document's types and build the dataset."""
    document = parsed.document
    if not isinstance(document, dict):
        if parsed.problems:
            return Judged(None, (), (), parsed.problems, ())
        what = "is empty" if document is None else f"holds {_kind(document)}"
        return Judged(None, (), (), (problem(path, what, "write an object with name and test_cases"),), ())
    problems = [*parsed.problems, *_header_problems(document, path)]
    raw = document.get("test_cases")
    cases = raw if isinstance(raw, list) else []
    where = _Where(path, cases, parsed.lines)
    checked, bad = _check_cases(cases, where)
    problems += bad.notes
    kept = [index for index in range(len(cases)) if index not in bad.cases]
    notes = tuple(_unknown(document, cases, where))
    document, found = _with_trace(document, path)
    problems += found
    header = {**document, "defaults": document.get("defaults") if isinstance(document.get("defaults"), dict) else None}
    generated, found = _generated(document, path)
    problems += found
    if isinstance(document.get("name"), str | int | float):
        made = (*(_case(checked[index], cases[index]) for index in kept), *generated)
        dataset = _dataset(header, made, path, sha256)
        lines = (*(where.line(index) for index in kept), *(None for _ in generated))
        numbers = (*(index + 1 for index in kept), *range(len(cases) + 1, len(cases) + 1 + len(generated)))
        return Judged(dataset, lines, numbers, tuple(problems), notes)
    return Judged(None, (), (), tuple(problems), notes)


def _with_trace(document: dict[str, Any], path: str) -> tuple[dict[str, Any], list[Note]]:
    """The document, with the sizes of the trace that its generated cases are to have, where it names one."""
    declared = document.get("synthetic")
    if not isinstance(declared, Mapping) or not isinstance(declared.get("trace"), str):
        return document, []
    from benchbook.datasets.recorded import sized

    sizes, problems = sized(declared, path)
    return document | {"synthetic": None if sizes is None else {**declared, **sizes}}, problems


def _generated(document: Mapping[str, Any], path: str) -> tuple[tuple[Case, ...], list[Note]]:
    """The cases that the document declares instead of writing them."""
    if document.get("synthetic") is None:
        return (), []
    from benchbook.datasets.synthetic import generate, judge

    spec, problems = judge(document["synthetic"], path)
    return (() if spec is None else tuple(generate(spec))), problems


@dataclass(frozen=True, slots=True)
class _Where:
    """Names the place of the case at an index."""

    path: str
    cases: Sequence[Any]
    lines: Sequence[int]

    def line(self, index: int) -> int | None:
        return self.lines[index] if index < len(self.lines) else None

    def place(self, index: int, *fields: object) -> str:
        raw = self.cases[index]
        name = raw.get("id") if isinstance(raw, dict) else None
        case = str(name) if name not in (None, "") else f"number {index + 1}"
        return place(self.path, self.line(index), case, *fields)


@dataclass(slots=True)
class _Bad:
    cases: set[int]
    notes: list[Note]


def _header_problems(document: Mapping[str, Any], path: str) -> list[Note]:
    found = []
    try:
        _HEADER.validate_python(document)
    except ValidationError as error:
        found = [_explain(place(path, None, None, *_path(e["loc"])), e) for e in error.errors(include_url=False)]
    if document.get("name") == "":
        found.append(problem(place(path, None, None, "name"), "is empty", "name the dataset"))
    if document.get("synthetic") is not None:
        return found
    if "test_cases" not in document:
        found.append(problem(place(path, None, None, "test_cases"), "is missing", "it is required"))
    elif document["test_cases"] == []:
        found.append(problem(place(path, None, None, "test_cases"), "is empty", "write at least one test case"))
    return found


def _check_cases(cases: Sequence[Any], where: _Where) -> tuple[Mapping[int, _Case], _Bad]:
    """Validated cases by index, and what is wrong with the others."""
    bad = _Bad(set(), [])
    try:
        checked = dict(enumerate(_CASES.validate_python(cases)))
    except ValidationError as error:
        for e in error.errors(include_url=False):
            index, *fields = e["loc"]
            bad.cases.add(int(index))
            bad.notes.append(_explain(where.place(int(index), *_path(fields)), e))
        good = [index for index in range(len(cases)) if index not in bad.cases]
        checked = dict(zip(good, _CASES.validate_python([cases[index] for index in good]), strict=True))
    for index, case in checked.items():
        for field, what, right in _contradictions(case):
            bad.cases.add(index)
            bad.notes.append(problem(where.place(index, field), what, right))
    return checked, bad


def _contradictions(case: _Case) -> Iterator[tuple[str, str, str]]:
    """What types alone don't show: field, what is wrong, what would be right."""
    prompt, messages, turns = case.get("prompt"), case.get("messages"), case.get("turns")
    there = [prompt is not None, bool(messages), bool(turns)]
    if not any(there):
        yield "prompt", "neither prompt nor messages nor turns is there", "write one of them"
    elif there.count(True) > 1:
        names = [name for name, one in zip(("prompt", "messages", "turns"), there, strict=True) if one]
        yield names[-1], f"both {names[0]} and {names[-1]} are there", "keep one of them"
    elif messages and messages[-1]["role"] == "assistant":
        yield "messages", "the conversation ends with the assistant", "end with the user (or a tool's answer)"


def _path(loc: Sequence[int | str]) -> list[int | str]:
    """A pydantic location without its own markers (`function-wrap[...]` and the like)."""
    return [part for part in loc if not (isinstance(part, str) and "[" in part)]


_RIGHTS: Mapping[str, str] = {
    "string_type": "write text, in quotes",
    "float_type": "write a number",
    "int_type": "write a whole number",
    "int_from_float": "write a whole number",
    "list_type": "write a list",
    "dict_type": "write an object with named fields",
}


def _explain(where: str, error: Any) -> Note:
    """A pydantic error in our words."""
    kind, value = error["type"], error["input"]
    if kind == "missing":
        return problem(where, "is missing", "it is required")
    if kind == "literal_error":
        advice = "put a system prompt in the case's field system" if value == "system" else "write one of them"
        return problem(where, f"is {value!r}, not one of {error['ctx']['expected']}", advice)
    if kind in _RIGHTS:
        return problem(where, f"is {_kind(value)}", _RIGHTS[kind])
    return problem(where, str(error["msg"]), "")


def _kind(value: Any) -> str:
    names = {
        bool: "a boolean",
        int: "a whole number",
        float: "a number",
        str: "text",
        list: "a list",
        dict: "an object",
    }
    if value is None:
        return "null"
    shown = f" ({str(value)[:40]})" if isinstance(value, bool | int | float | str) else ""
    return names.get(type(value), type(value).__name__) + shown


def _unknown(document: Mapping[str, Any], cases: Sequence[Any], where: _Where) -> Iterator[Note]:
    right = "it is not used: mend its name, move it into metadata, or leave it out"
    defaults = document.get("defaults")
    for key in sorted(document.keys() - _HEADER_FIELDS):
        yield Note(place(where.path, None, None, key), "unknown field", right)
    for key in sorted(defaults.keys() - _DEFAULTS_FIELDS) if isinstance(defaults, dict) else ():
        yield Note(place(where.path, None, None, "defaults", key), "unknown field", right)
    for index, raw in enumerate(cases):
        if not isinstance(raw, dict):
            continue
        for key in sorted(raw.keys() - _CASE_FIELDS):
            yield Note(where.place(index, key), "unknown field", right)
        config, messages = raw.get("config"), raw.get("messages")
        for key in sorted(config.keys() - _CONFIG_FIELDS) if isinstance(config, dict) else ():
            yield Note(where.place(index, "config", key), "unknown field", right)
        for turn, message in enumerate(messages) if isinstance(messages, list) else ():
            for key in sorted(message.keys() - _MESSAGE_FIELDS) if isinstance(message, dict) else ():
                yield Note(where.place(index, "messages", turn, key), "unknown field", right)
        turns = raw.get("turns")
        for turn, said in enumerate(turns) if isinstance(turns, list) else ():
            for key in sorted(said.keys() - _Turn.__annotations__.keys()) if isinstance(said, dict) else ():
                yield Note(where.place(index, "turns", turn, key), "unknown field", right)


# ---------------------------------------------------------------- building the records


def _dataset(header: Mapping[str, Any], cases: tuple[Case, ...], path: str, sha256: str) -> Dataset:
    return Dataset(
        name=str(header["name"]),
        cases=cases,
        version=_text(header.get("version")),
        schema_version=_text(header.get("schema_version")),
        description=_text(header.get("description")),
        defaults=header.get("defaults") or {},
        metadata=header["metadata"] if isinstance(header.get("metadata"), dict) else {},
        synthetic=header["synthetic"] if isinstance(header.get("synthetic"), dict) else {},
        path=path,
        sha256=sha256,
    )


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _case(checked: _Case, raw: Mapping[str, Any]) -> Case:
    """The validated text fields, and the free-form mappings as they were written."""
    return Case(
        id=checked["id"],
        category=checked.get("category") or "",
        prompt=checked.get("prompt"),
        messages=tuple(_message(turn) for turn in checked.get("messages") or ()),
        turns=tuple(Turn(turn["content"], turn.get("think_s") or 0.0) for turn in checked.get("turns") or ()),
        system=checked.get("system"),
        variables=raw.get("variables") or {},
        expected=checked.get("expected"),
        references=tuple(checked.get("references") or ()),
        config=raw.get("config") or {},
        metadata=raw.get("metadata") or {},
    )


def _message(turn: _Message) -> Message:
    return Message(
        role=turn["role"],
        content=turn.get("content") or "",
        tool_calls=tuple(ToolCall(**call) for call in turn.get("tool_calls") or ()),
        tool_call_id=turn.get("tool_call_id"),
    )
