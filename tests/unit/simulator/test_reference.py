"""docs/SIMULATOR.md names every field of a profile, every fault and every field of the truth."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from benchbook.simulator import profile
from benchbook.simulator.fault_kinds import FAULTS, FaultSpec
from benchbook.simulator.truth import Log, Meant, Record

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs/SIMULATOR.md").read_text(encoding="utf-8")
TABLED = {profile.Profile: {"folder"}, profile.Law: set(), FaultSpec: set()}
INLINE = (profile.Fixed, profile.Uniform, profile.Lognormal, profile.Scripted, profile.Lookup, profile.Rule,
          profile.ToolTurn, profile.ScriptedCall, profile.Reasoning)  # fmt: skip


def row(name: str, text: str = TEXT) -> str:
    found = re.search(rf"^\| `{name}` \|.*$", text, re.MULTILINE)
    assert found, f"no table row for {name}"
    return found[0]


@pytest.mark.parametrize("model", TABLED, ids=lambda model: model.__name__)
def test_every_field_has_a_row_with_its_default(model: type[BaseModel]) -> None:
    for name, field in model.model_fields.items():
        if name in TABLED[model]:
            continue
        default = field.get_default(call_default_factory=True)
        if isinstance(default, profile.Fixed):
            assert f"| `{default.value:g}` |" in row(name)
        elif default is None:
            assert "| null |" in row(name)
        elif isinstance(default, bool | int | str):
            assert f"| `{json.dumps(default).strip(chr(34))}` |" in row(name)
        else:
            assert row(name)


@pytest.mark.parametrize("model", INLINE, ids=lambda model: model.__name__)
def test_every_other_field_is_named(model: type[BaseModel]) -> None:
    assert all(f"`{name}`" in TEXT for name in model.model_fields if name != "kind")


@pytest.mark.parametrize("kind", FAULTS)
def test_every_fault_names_its_fields_and_their_defaults(kind: str) -> None:
    entry = row(kind, TEXT.partition("## Faults")[2])
    for name, field in FAULTS[kind].model_fields.items():
        if name in ("kind", *FaultSpec.model_fields):
            continue
        default = field.get_default()
        assert f"`{name}`" in entry
        if kind != "refused" and name != "message" and default is not PydanticUndefined:
            assert f"`{name}` ({'null' if default is None else f'`{default}`'}" in entry


def test_every_field_of_the_truth_is_named() -> None:
    section = TEXT.partition("## The truth")[2]
    assert all(f"`{name}`" in section for name in Record("", 1, 1, 0, Meant("POST", "/")).as_json(1))
    assert all(f"`{name}`" in section for name in Log().summary())
