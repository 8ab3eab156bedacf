"""What an earlier validation found stands while nothing that it depends on has changed, and not a moment longer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchbook.checks import DatasetChecks
from benchbook.datasets import read
from benchbook.results.paths import checks_file, data_docs_folder, validated_file
from benchbook.stages import Validated
from benchbook.stages.standing import UNCHANGED, remember, standing

CASE = {"id": "a", "category": "c", "prompt": "p", "expected": "e"}
TRACE = "timestamp_s,input_tokens,output_tokens\n0.0,20,5\n0.1,30,6\n"


@dataclass
class Passed:
    """A results folder after these files passed."""

    results: Path
    paths: list[Path]

    @property
    def memory(self) -> Path:
        return validated_file(self.results)

    def alter(self, **fields: object) -> None:
        self.memory.write_text(json.dumps({**json.loads(self.memory.read_text()), **fields}))

    def remember(self, *, docs: bool = False) -> None:
        datasets = tuple(read(path).dataset for path in self.paths)
        outcome = Validated(len(datasets), 2, str(checks_file(self.results)), ("a note",))
        remember(self.results, DatasetChecks((), datasets, (), ("a note",)), outcome, docs=docs)


@pytest.fixture
def passed(tmp_path: Path) -> Passed:
    paths = [tmp_path / "one.json", tmp_path / "two.json"]
    for path in paths:
        path.write_text(json.dumps({"name": path.stem, "version": "1", "test_cases": [CASE]}))
    results = tmp_path / "results"
    checks_file(results).parent.mkdir(parents=True)
    checks_file(results).write_text("{}\n")
    made = Passed(results, paths)
    made.remember()
    return made


def test_what_was_found_stands_with_its_notes(passed: Passed) -> None:
    there = str(checks_file(passed.results))
    assert standing(passed.results, passed.paths, docs=False) == Validated(2, 2, there, (UNCHANGED, "a note"))


CHANGES: dict[str, Callable[[Passed], object]] = {
    "a dataset has another byte": lambda p: p.paths[1].write_text(p.paths[1].read_text() + "\n"),
    "a dataset is gone": lambda p: p.paths[0].unlink(),
    "another dataset is asked for": lambda p: p.paths.append(p.paths[0]),
    "their order is another": lambda p: p.paths.reverse(),
    "fewer are asked for": lambda p: p.paths.pop(),
    "the checks are gone": lambda p: checks_file(p.results).unlink(),
    "the checks are damaged": lambda p: checks_file(p.results).write_text("{}"),
    "the memory is gone": lambda p: p.memory.unlink(),
    "the memory is torn": lambda p: p.memory.write_text(p.memory.read_text()[:-20]),
    "the memory is no memory": lambda p: p.memory.write_text("[]"),
    "the memory lacks a part": lambda p: p.memory.write_text('{"datasets": []}'),
    "other code checked": lambda p: p.alter(by={**json.loads(p.memory.read_text())["by"], "benchbook": "0"}),
    "another version checked": lambda p: p.alter(
        by={**json.loads(p.memory.read_text())["by"], "great-expectations": "0"}
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_any_change_has_them_checked_anew(passed: Passed, change: Callable[[Passed], object]) -> None:
    change(passed)
    assert standing(passed.results, passed.paths, docs=False) is None


def test_data_docs_must_have_been_made_of_them_and_be_there(passed: Passed) -> None:
    page = data_docs_folder(passed.results) / "index.html"
    page.parent.mkdir()
    page.write_text("of others")
    assert standing(passed.results, passed.paths, docs=True) is None
    passed.remember(docs=True)
    assert standing(passed.results, passed.paths, docs=True) is not None
    page.unlink()
    assert standing(passed.results, passed.paths, docs=True) is None
    assert standing(passed.results, passed.paths, docs=False) is not None


def test_a_dataset_that_reads_another_file_is_not_remembered(passed: Passed) -> None:
    (passed.results.parent / "t.csv").write_text(TRACE)
    passed.paths[0].write_text(json.dumps({"name": "one", "version": "1", "synthetic": {"trace": "t.csv"}}))
    passed.memory.unlink()
    passed.remember()
    assert not passed.memory.exists()
