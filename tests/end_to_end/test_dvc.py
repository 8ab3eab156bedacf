"""The pipeline under DVC, each law in a temporary clone: a measurement is no build product, everything else is."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from zc.lockfile import LockFile

from benchbook.stages import Executed, Job
from flows.recording import record
from tests.worlds import PLAN, World, measured_world

DATASET = "datasets/hello/hello.json"


@pytest.fixture
def world(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    return measured_world(shared).copy(tmp_path / "world")


def change_plan(world: World, section: str, **values: Any) -> None:
    (world.path / "params.yaml").write_text(yaml.safe_dump({**PLAN, section: {**PLAN[section], **values}}))


def touch_dataset(world: World) -> None:
    document = json.loads((world.path / DATASET).read_text())
    document["test_cases"][0]["prompt"] += " Please."
    (world.path / DATASET).write_text(json.dumps(document))


def test_a_fresh_clone_pulls_and_has_nothing_to_do(world: World) -> None:
    world.run("git", "clone", "-q", str(world.path), str(world.folder / "other"))
    other = World(world.folder, "other")
    other.run("dvc", "pull", "-q")
    assert other.repro() == []
    assert other.runs() == world.runs()
    folders = ("journal", "tables", "aggregate", "report")
    assert other.digests(*folders) == world.digests(*folders)
    assert (other.path / "results/history.sql").is_file()


def test_touching_a_statistic_redoes_statistics_only(world: World) -> None:
    before = world.runs()
    change_plan(world, "aggregate", confidence=0.9)
    assert world.repro() == ["aggregate", "report"]
    assert world.runs() == before


def test_touching_a_dataset_takes_a_new_run_and_the_way_back_finds_the_old(world: World) -> None:
    old = world.digests("journal")
    touch_dataset(world)
    assert world.repro() == ["validate", "execute", "store", "aggregate", "report"]
    both = world.digests("journal")
    assert old.items() < both.items()
    assert len(world.runs()) == 2

    metrics = json.loads(world.run("dvc", "metrics", "diff", "--json"))["results/metrics.json"]
    assert {"a.ttft_ms_p50", "b.e2e_ms_p50"} <= metrics.keys()
    plots = json.loads(world.run("dvc", "plots", "diff", "--json"))["data"]
    curve = plots["results/aggregate/curves/a.api.ttft_ms.csv"]
    assert {revision for drawn in curve for revision in drawn["revisions"]} == {"HEAD", "workspace"}

    world.run("git", "checkout", "-q", DATASET)
    ran = world.repro()
    assert "execute" in ran
    assert world.digests("journal") == both


def test_tables_and_reports_are_recomputed_bit_for_bit(world: World) -> None:
    folders = ("tables", "aggregate", "report")
    before = world.digests(*folders)
    for folder in folders:
        shutil.rmtree(world.path / "results" / folder)
    for stage in ("store", "aggregate", "report"):
        assert world.repro("-f", "-s", stage) == [stage]
    assert world.digests(*folders) == before


def test_another_run_of_the_same_plan_is_taken_when_asked_for(world: World) -> None:
    before = world.runs()
    assert world.repro("-f", "-s", "execute") == ["execute"]
    assert world.runs() == before
    world.run("dvc", "repro", "-f", "-s", "execute", BENCHBOOK_AGAIN="1")
    assert len(world.runs()) == 2


def test_a_flow_run_is_recorded_and_leaves_nothing_to_measure(world: World) -> None:
    touch_dataset(world)
    said = world.run("benchbook", "run", "-q", "--json")
    assert json.loads(said)["verdict"] == "VALID"
    assert len(world.runs()) == 2
    assert world.repro() == []
    assert world.run("dvc", "status", "--cloud") == "Cache and remote 'beside' are in sync.\n"


def test_what_may_not_be_recorded_is_not(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another plan's run beside an unmeasured edit; the plan's own run while DVC is at work."""
    monkeypatch.chdir(world.path)
    own = Executed(world.runs()[0], "finished", measured=True, progress={})
    lock = LockFile(".dvc/tmp/lock")
    assert "the run is kept, `dvc repro` will record it" in asyncio.run(record(Job(), own))
    lock.close()

    touch_dataset(world)
    (world.path / "other.yaml").write_text(yaml.safe_dump({**PLAN, "execute": {**PLAN["execute"], "repetitions": 7}}))
    said = asyncio.run(record(Job(plan="other.yaml"), own))
    assert said == "dvc: not recorded: params.yaml is yet to be measured as it is now; `dvc repro` will record both"
    assert "modified:           datasets/hello/hello.json" in world.run("dvc", "status", "execute")

    world.run("git", "checkout", "-q", DATASET)
    change_plan(world, "aggregate", confidence=0.9)
    assert asyncio.run(record(Job(plan="other.yaml"), own)).startswith(
        "dvc: recorded in dvc.lock; `dvc repro` redoes aggregate, report"
    )
