"""When a run may be recorded: never outside DVC's reach, and only stages made as params.yaml says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchbook.config import PlanSpec, build_plan
from benchbook.stages import Executed, Job
from flows.recording import made_alike, out_of_scope, record

EXECUTED = Executed("r", "finished", measured=True, progress={})


def plan(**sections: Any) -> PlanSpec:
    target = {"name": "a", "provider": "openai", "model": "m", "base_url": "simulator"}
    return build_plan({"validate": {"datasets": ["d.json"]}, "execute": {"targets": [target]}, **sections}, "p.yaml")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def test_a_folder_without_dvc_is_left_alone() -> None:
    assert await record(Job(), EXECUTED) == "dvc: not recorded: this folder is no DVC repository"


async def test_another_results_folder_is_none_of_dvcs_business(folder: Path) -> None:
    (folder / ".dvc").mkdir()
    (folder / "dvc.yaml").touch()
    assert "elsewhere is not the results folder" in await record(Job(results="elsewhere"), EXECUTED)
    assert out_of_scope(Job(results=str(folder / "results"))) == ""


ALIKE: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({}, ("store", "aggregate", "report")),
    ({"report": {"formats": ["csv"]}}, ("store", "aggregate")),
    ({"aggregate": {"confidence": 0.9}}, ("store",)),
    ({"store": {"bodies": "none"}}, ()),
    ({"store": {"bodies": "none"}, "report": {"formats": ["csv"]}}, ()),
]


@pytest.mark.parametrize(("sections", "stages"), ALIKE)
def test_a_stage_counts_if_it_and_all_before_it_were_made_alike(
    sections: dict[str, Any], stages: tuple[str, ...]
) -> None:
    assert made_alike(plan(**sections), plan()) == stages
