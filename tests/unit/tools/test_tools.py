"""What holds for every tool: how it is described, what arguments and settings it takes, and how it fails."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from benchbook import tools
from benchbook.errors import PlanError
from benchbook.tools import FAILURES, TOOLS, Outcome, Place, failure
from benchbook.tools.jail import door


@pytest.mark.parametrize("name", TOOLS)
def test_description_is_what_a_model_can_be_told(name: str) -> None:
    spec = tools.described(name)
    assert spec.name == name
    assert len(spec.description) < 600
    jsonschema.Draft202012Validator.check_schema(spec.parameters)
    assert spec.parameters["type"] == "object"
    assert spec.parameters["additionalProperties"] is False
    assert not re.search(r'"title": "', json.dumps(spec.parameters))


@pytest.mark.parametrize("name", TOOLS)
async def test_arguments_that_do_not_fit_are_an_outcome(name: str, tmp_path: Path) -> None:
    for arguments in ("{", "[]", '"text"', "null", "", {"nonesuch": 1}, {1: 2}):
        outcome = await tools.use(name, arguments, {}, Place(tmp_path))  # type: ignore[arg-type]
        assert outcome.failed
        assert outcome.detail == {"kind": "bad_arguments"}
        assert outcome.text.startswith(f"arguments of {name}: ")
        assert "\n" not in outcome.text


async def test_text_and_object_are_the_same(tmp_path: Path) -> None:
    as_text = await tools.use("python", '{"code": "6 * 7"}', {}, Place(tmp_path, 60.0))
    as_object = await tools.use("python", {"code": "6 * 7"}, {}, Place(tmp_path, 60.0))
    assert as_text.text == as_object.text == "42\n"


UNFIT: list[tuple[str, Any, dict[str, Any], str, str]] = [
    ("abacus", {}, {}, "unknown_tool", "tool abacus: there is no such tool; choose one of sql, search,"),
    ("", {}, {}, "unknown_tool", "there is no such tool"),
    ("sql", {"query": 3}, {}, "bad_arguments", "arguments of sql: query: Input should be a valid string"),
    ("sql", {"query": "", "x": 1}, {}, "bad_arguments", "; x: Extra inputs are not permitted"),
    ("python", {"code": "1"}, {"memory_mb": 1}, "bad_settings", "tool python, settings: memory_mb: Input should be"),
    ("python", {"code": "1"}, {"may_lack": ["all"]}, "bad_settings", "may_lack.0: Input should be 'landlock' or"),
]


@pytest.mark.parametrize(("name", "arguments", "settings", "kind", "told"), UNFIT)
async def test_unfit_use_is_told_in_one_line(
    name: str, arguments: Any, settings: dict[str, Any], kind: str, told: str, tmp_path: Path
) -> None:
    outcome = await tools.use(name, arguments, settings, Place(tmp_path))
    assert outcome.failed
    assert outcome.detail["kind"] == kind
    assert kind in FAILURES
    assert told in outcome.text


def test_configured_raises_before_a_run() -> None:
    with pytest.raises(PlanError, match="rows: Input should be less than or equal to 10000; it has: folder, tables"):
        tools.configured("sql", {"rows": 10**6})
    with pytest.raises(PlanError, match="tool abacus: there is no such tool"):
        tools.described("abacus")


async def test_limit_holds_for_whatever_a_tool_waits_for(tmp_path: Path) -> None:
    """Also where a tool's own clock is late: here the limit is over before anything was begun."""
    outcome = await tools.use("python", {"code": "while True: pass"}, {}, Place(tmp_path, 0.0))
    assert outcome.failed
    assert outcome.detail["kind"] == "timeout"


async def test_fault_of_a_tool_is_an_outcome(tmp_path: Path) -> None:
    """The folder it should write to is a file."""
    (tmp_path / "file").write_text("")
    outcome = await tools.use("python", {"code": "1"}, {}, Place(tmp_path / "file", 60.0))
    assert outcome.failed
    assert outcome.detail["kind"] == "crash"
    assert outcome.text.startswith("python: ")


def test_failure_is_one_line_of_bounded_length() -> None:
    assert failure("error", "a\n  b", status=3) == Outcome("a b", failed=True, detail={"kind": "error", "status": 3})
    assert len(failure("error", "x" * 9000).text) == 600


def test_place_keeps_its_keys_to_itself(tmp_path: Path) -> None:
    assert "secret" not in repr(Place(tmp_path, environ={"KEY": "secret"}))


@pytest.mark.parametrize(
    ("name", "settings", "missing"),
    [
        ("chart", {}, None),
        ("python", {}, None),
        ("python", {"remote": "e2b"}, "no key: $E2B_API_KEY is not set"),
        ("search", {"folder": "."}, None),
        ("search", {"folder": "none"}, "the folder none is not there"),
        ("search", {"provider": "tavily"}, "no key: $TAVILY_API_KEY is not set"),
        ("search", {"provider": "tavily", "key_env": "SET"}, None),
        ("documents", {"folder": "none"}, "the folder none is not there"),
        ("documents", {"folder": "."}, None),
        ("repository", {"clone": "none"}, "the clone none is not there"),
        ("repository", {"github": "ada/kites"}, "no key: $GITHUB_TOKEN is not set"),
        ("repository", {"github": "ada/kites", "token_env": "SET"}, None),
        ("sql", {"folder": "none"}, "none: no such folder"),
        (
            "sql",
            {"folder": ".", "tables": {"t": "t.csv"}},
            "table t: t.csv is no file in . that can be read as a table",
        ),
        ("sql", {"folder": "."}, None),
    ],
)
def test_what_a_tool_lacks_is_known_before_a_run(
    name: str, settings: dict[str, Any], missing: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert tools.lacking(name, settings, {"SET": "a-key", "E2B_API_KEY": " "}) == missing


async def test_tools_are_made_ready_before_a_run() -> None:
    """Processes are started and indexes made, once; what has a price or can't work is left for its use to say."""
    door.close()
    tools._warmed.clear()
    uses = [(name, {}) for name in TOOLS]
    dear = [("search", {"provider": "tavily"}), ("python", {"remote": "e2b"}), ("repository", {"github": "ada/kites"})]
    await tools.ready([*uses, *dear, ("sql", {"folder": "none"}), ("chart", {})])
    keepers = dict(door._keepers)
    assert {program for _, program, _ in keepers} == {"sql", "python", "chart"}
    await tools.ready(uses)
    assert door._keepers == keepers
    assert [tools.tool(name).warming(tools.configured(name, settings)) for name, settings in dear] == [None] * 3


@pytest.mark.parametrize(
    ("name", "settings", "asks"),
    [
        *((name, {}, None) for name in TOOLS),
        ("search", {"provider": "tavily"}, "tavily"),
        ("python", {"remote": "e2b"}, "e2b"),
        ("repository", {"github": "ada/kites"}, "github"),
        ("repository", {"nope": 1}, None),
        ("nope", {}, None),
    ],
)
def test_which_service_a_tool_asks(name: str, settings: dict[str, Any], asks: str | None) -> None:
    assert tools.service(name, settings) == asks
