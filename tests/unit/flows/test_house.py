"""The house checks itself: stage = section = task = function = DVC stage, and dvc.yaml reads what params.yaml names."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchbook.config import PlanSpec, load_plan
from benchbook.datasets import files
from benchbook.stages import STAGES

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def stages() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())
    return document["stages"]


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_has_one_name_everywhere(name: str, stages: dict[str, Any]) -> None:
    assert stages[name]["cmd"] == f"benchbook stage {name}"
    assert stages[name]["params"] == [name]
    assert getattr(import_module(f"tasks.{name}"), name).name == name
    assert callable(getattr(import_module(f"benchbook.stages.{name}"), name))
    assert name in {field.alias or key for key, field in PlanSpec.model_fields.items()}


def test_dvc_has_the_five_stages_in_order(stages: dict[str, Any]) -> None:
    assert tuple(stages) == STAGES


def test_the_flow_is_called_benchmark() -> None:
    assert import_module("flows.benchmark").benchmark.name == "benchmark"


@pytest.mark.parametrize("name", ["validate", "execute"])
def test_dvc_watches_the_default_plans_datasets(
    name: str, stages: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    listed = {str(path) for path in files(load_plan("params.yaml").validate_.datasets)}
    deps = {dep for dep in stages[name]["deps"] if Path(dep).parent == Path("datasets")}
    assert deps == listed


def test_dvc_watches_prices_teams_and_simulator(stages: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    spec = load_plan("params.yaml")
    execute = spec.execute
    teams = {team.path for group in spec.teams.values() for team in group}
    prices = {target.price.partition("#")[0] for target in execute.targets if target.price}
    assert {*prices, *teams, execute.simulator} <= set(stages["execute"]["deps"])


def test_runs_are_appended_and_never_replaced(stages: dict[str, Any]) -> None:
    assert stages["execute"]["outs"] == [{"results/journal": {"persist": True}}]
    assert stages["store"]["outs"] == [{"results/tables": {"persist": True}}]
