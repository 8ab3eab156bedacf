"""What agents may use: one file per kind, each safe by construction, and the one way to use any of them.

A tool never raises: whatever goes wrong (arguments that do not fit, a time limit, a fault of its own) is an `Outcome`
with `failed`, whose text is what the model gets to read. Tools are imported when they are first asked for.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

from benchbook.errors import PlanError, ToolError, UserError
from benchbook.records import ToolSpec

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import BaseModel, ValidationError

TOOLS: dict[str, str] = {
    "sql": "benchbook.tools.sql",
    "search": "benchbook.tools.search",
    "python": "benchbook.tools.python",
    "chart": "benchbook.tools.charts",
    "documents": "benchbook.tools.documents",
    "repository": "benchbook.tools.repositories",
}
"""The name that models and team files use -> the tool's module."""

FAILURES = ("unknown_tool", "bad_settings", "bad_arguments", "timeout", "error", "crash")
"""What `Outcome.detail["kind"]` of a failed use may be (`crash`: a fault of the tool's own); a tool may say something
more precise."""
_LINE_LIMIT = 600
_WARMING_S = 30.0
_warmed: set[str] = set()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one use. text: what the model reads; files: names of what was written, relative to the place's
    folder; detail: small facts that can be JSON. `detail["kind"]` of a failed one says how it failed."""

    text: str
    failed: bool = False
    files: tuple[str, ...] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tool works. folder: what it may write to, and nothing else is; environ: where its keys are read."""

    folder: Path
    timeout_s: float = 5.0
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)


class Tool(Protocol):
    """What a tool's module holds. Input: the arguments that a model gives; Settings: what a team file may set."""

    NAME: str
    DESCRIPTION: str
    Input: type[BaseModel]
    Settings: type[BaseModel]

    def lacking(self, settings: Any, environ: Mapping[str, str]) -> str | None:
        """What it needs and does not have here: a folder, a repository, a key. None: it can be used."""
        ...

    def warming(self, settings: Any) -> Mapping[str, Any] | None:
        """Arguments of a first use that only makes later ones quick (a process that starts, an index that is made);
        None where there is nothing to be made, or where a use has a price."""
        ...

    async def run(self, asked: Any, settings: Any, place: Place) -> Outcome: ...


@cache
def tool(name: str) -> Tool:
    """The tool's module, imported on first use. Raises PlanError for a name that is none."""
    if name not in TOOLS:
        raise PlanError(f"tool {name}", "there is no such tool", f"choose one of {', '.join(TOOLS)}")
    return cast("Tool", import_module(TOOLS[name]))


@cache
def described(name: str) -> ToolSpec:
    """What a model is told of a tool, worked out once: agents are built often. Raises PlanError for an unknown name."""
    module = tool(name)
    schema = module.Input.model_json_schema()
    schema.pop("description", None)  # the class's own docstring, meant for readers of the code
    return ToolSpec(module.NAME, module.DESCRIPTION, _plain(schema))


def configured(name: str, settings: Mapping[str, Any]) -> BaseModel:
    """A team file's settings of a tool, checked. Raises PlanError with the first thing that is wrong."""
    from pydantic import ValidationError

    module = tool(name)
    try:
        return module.Settings.model_validate(dict(settings))
    except ValidationError as error:
        known = ", ".join(module.Settings.model_fields) or "none"
        raise PlanError(f"tool {name}, settings", _first(error), f"it has: {known}") from None


def lacking(name: str, settings: Mapping[str, Any], environ: Mapping[str, str]) -> str | None:
    """What a tool needs and does not have here, or None. Raises PlanError for settings that are wrong."""
    return tool(name).lacking(configured(name, settings), environ)


def service(name: str, settings: Mapping[str, Any]) -> str | None:
    """The outside service that the tool would ask with these settings; None for one that asks none, or is wrong."""
    try:
        asks = getattr(tool(name), "service", None)
        found: str | None = asks(configured(name, settings)) if asks is not None else None
    except (UserError, ImportError):
        return None
    return found


async def use(name: str, arguments: Mapping[str, Any] | str, settings: Mapping[str, Any], place: Place) -> Outcome:
    """Use a tool once, within `place.timeout_s`. arguments: as the model gave them, JSON text or an object.

    Raises nothing but a cancellation from outside.
    """
    from asyncio import timeout

    from pydantic import ValidationError

    try:
        wishes = configured(name, settings)
        asked = _asked(tool(name), arguments)
    except ValidationError as error:
        return failure("bad_arguments", f"arguments of {name}: {_all(error)}")
    except (UserError, ImportError) as error:
        return failure("bad_settings" if name in TOOLS else "unknown_tool", str(error))
    limit = timeout(place.timeout_s)
    try:
        async with limit:
            return await tool(name).run(asked, wishes, place)
    except ToolError as error:
        outside = {"service": error.service} if error.service else {}
        return failure(error.kind, f"{name}: {error}", **outside)
    except Exception as error:  # noqa: BLE001 - whatever a tool does wrong is told to the model, and the agent goes on
        if limit.expired():
            return failure("timeout", f"{name} was stopped after {place.timeout_s:g} s, its time limit")
        return failure("crash", f"{name}: {error or type(error).__name__}")


async def ready(uses: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    """Use each tool once, all at the same time, so that no trial waits for what is made once in a process.

    uses: names with their settings. A use that fails changes nothing: the next one will say so.
    """
    from asyncio import gather
    from pathlib import Path
    from tempfile import TemporaryDirectory

    cold = {f"{os.getpid()} {name} {sorted(settings.items())}": (name, settings) for name, settings in uses}
    wanted = [cold[key] for key in cold.keys() - _warmed]
    _warmed.update(cold)
    with TemporaryDirectory(prefix="benchbook-warming-") as folder:
        first = [(name, tool(name).warming(configured(name, settings)), settings) for name, settings in wanted]
        place = Place(Path(folder), _WARMING_S)
        await gather(*(use(name, asked, settings, place) for name, asked, settings in first if asked is not None))


def failure(kind: str, text: str, **detail: Any) -> Outcome:
    """A failed outcome; its text becomes one line."""
    line = " ".join(text.split())
    short = line if len(line) <= _LINE_LIMIT else line[: _LINE_LIMIT - 3] + "..."
    return Outcome(short, failed=True, detail={"kind": kind, **detail})


def _asked(module: Tool, arguments: Mapping[str, Any] | str) -> BaseModel:
    """Raises ValidationError, also for a text that is no JSON object."""
    if isinstance(arguments, str):
        return module.Input.model_validate_json(arguments if arguments.strip() else "{}")
    return module.Input.model_validate(dict(arguments))


def _all(error: ValidationError) -> str:
    return "; ".join(_problem(dict(problem)) for problem in error.errors(include_url=False, include_context=False))


def _first(error: ValidationError) -> str:
    return _problem(dict(error.errors(include_url=False, include_context=False)[0]))


def _problem(problem: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in problem["loc"])
    return f"{where}: {problem['msg']}" if where else str(problem["msg"])


def _plain(schema: Any) -> Any:
    """The schema without the titles that pydantic adds: a model pays for each word."""
    if isinstance(schema, dict):
        kept = {key: _plain(value) for key, value in schema.items() if not (key == "title" and isinstance(value, str))}
        return {key: value for key, value in kept.items() if key != "description" or value}
    return [_plain(entry) for entry in schema] if isinstance(schema, list) else schema
