"""Workloads that are not one: paired by the prompts that both ask alike, or refused with what differs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchbook.config import build_plan
from benchbook.datasets import to_dict
from benchbook.errors import UserError
from benchbook.history.alike import older_alike
from benchbook.history.comparing import compare_sides
from benchbook.history.selecting import Side
from benchbook.records import Case, Dataset
from benchbook.results.journal import create_run
from benchbook.runner.plan import freeze
from tests.spec.sql.stored import Stored, run_row, trial_row


class Bench:
    """Runs with a journal that holds their plan, and rows whose values the test says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stored = Stored()

    def run(self, run_id: str, cases: range, factor: float = 1.0, renamed: str = "", **execute: Any) -> None:
        targets = [{"name": "alpha", "provider": "openai", "model": "m", "params": execute.pop("params", {})}]
        made = tuple(Case(id=f"{renamed}c{n}", category="k", prompt=f"What is {n}?") for n in cases)
        dataset = Dataset(name="d", version="1", cases=made, sha256=f"sha-{cases}")
        document = {"validate": {"datasets": ["d.json"]}, "execute": {"targets": targets, **execute}}
        plan = freeze(build_plan(document, "p"), [dataset])
        hashes = {"plan_hash": plan.plan_hash, "workload_hash": plan.workload_hash}
        manifest = {"run_id": run_id, **hashes, "plan": plan.spec.frozen(), "started_wall_ns": 0}
        snapshot = [{"path": "d.json", "sha256": dataset.sha256, "content": to_dict(dataset)}]
        create_run(self.folder, run_id, manifest, snapshot)
        self.stored.rows["runs"].append(run_row(run_id, **hashes))
        for number, (_, prompt) in enumerate(plan.prompts.items()):
            facts = {"test_id": prompt.case.id, "prompt_sha256": prompt.rendered.prompt_sha256}
            for trial in range(3):
                value = factor * (100.0 + number + trial)
                row = trial_row(run_id, 10 * number + trial, e2e_ms=value, **facts)
                self.stored.rows["trials"].append(row)

    def compare(self, a: str, b: str) -> Any:
        return compare_sides(self.stored.write(self.folder), Side(a, (a,)), Side(b, (b,)))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_prompts_that_both_ask_alike_are_paired_whatever_their_names(bench: Bench) -> None:
    bench.run("r1", range(12))
    bench.run("r2", range(4, 20), factor=1.0, renamed="new-")
    found = bench.compare("r1", "r2")
    row = next(row for row in found.rows if row["metric"] == "e2e_ms")
    assert (row["cases"], row["only_a"], row["only_b"]) == (8, 0, 0)
    assert found.notes[0].startswith(
        "the workloads differ in their cases: of 12 cases of A and 16 of B the 8 prompts that both ask alike are paired"
    )
    assert found.exit_code == 4


def test_one_run_a_side_of_unlike_cases_is_never_changed(bench: Bench) -> None:
    bench.run("r1", range(12))
    bench.run("r2", range(14), factor=4.0)
    assert {row["verdict"] for row in bench.compare("r1", "r2").rows} == {"CANNOT TELL"}


@pytest.mark.parametrize(
    ("second", "says"),
    [
        ({"params": {"temperature": 0.5}}, "no prompt is asked by both with the same parameters"),
        ({"load": {"kind": "closed", "concurrency": 9}}, "unlike workloads: they differ in load"),
        ({"delay_s": 1.0, "cache": "cold"}, "unlike workloads: they differ in delay_s, cache"),
    ],
)
def test_anything_else_is_refused(bench: Bench, second: dict[str, Any], says: str) -> None:
    bench.run("r1", range(8))
    bench.run("r2", range(8), **second)
    with pytest.raises(UserError, match=says):
        bench.compare("r1", "r2")


def test_without_the_journal_nothing_can_be_paired(bench: Bench) -> None:
    bench.run("r1", range(8))
    bench.run("r2", range(9))
    (bench.folder / "journal" / "r1" / "datasets.json").write_text("gone")
    with pytest.raises(UserError, match="unlike workloads: what was asked of the targets differs; the plan of r1"):
        bench.compare("r1", "r2")


def test_the_run_to_compare_with_is_the_newest_older_one_that_asked_the_same(bench: Bench) -> None:
    bench.run("r1", range(8))
    bench.run("r2", range(9))
    bench.run("r3", range(8))
    results = bench.stored.write(bench.folder)
    rows = {row["run_id"]: row for row in bench.stored.rows["runs"]}
    assert [older_alike(results, rows[run_id]) for run_id in ("r1", "r2", "r3")] == [None, None, "r1"]
