"""`benchbook recommend` as a person and a script see it."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from benchbook.cli.recommend import Volume, command
from tests.spec.sql.stored import Stored
from tests.unit.history.test_recommending import run_of


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    stored = Stored()
    run_of(stored, "r1")
    run_of(stored, "r2", cases=6, reps=1, verdict="INVALID")
    for row in stored.rows["trials"]:
        if row["target"] == "slow":
            row["status"] = "failure"
    return stored.write(tmp_path_factory.mktemp("recommend"))


def test_the_answer_comes_first(results: Path) -> None:
    found = CliRunner().invoke(
        command, ["--results", str(results), "--volume", "1e6/month"], standalone_mode=False, env={"COLUMNS": "100"}
    )
    lines = found.stdout.splitlines()
    assert found.return_value == 0
    assert lines[0].startswith("Take small: every other target is worse")
    assert any(line.startswith("small is equivalent to big") for line in lines)
    assert "slow: every one of its 72 trials failed" in found.stdout
    assert "by small" in found.stdout
    assert max(map(len, lines)) <= 100
    assert "note: one run: latencies" in found.stderr


def test_json_has_it_all(results: Path) -> None:
    found = CliRunner().invoke(command, ["--results", str(results), "--json"], standalone_mode=False)
    answer = json.loads(found.stdout)
    assert set(answer) == {"runs", "workload_hash", "sentences", "rows", "pairs", "refusals", "notes"}
    assert {row["standing"] for row in answer["rows"]} == {"front", "may be dominated", "not comparable"}
    assert found.stderr == ""


def test_nothing_to_compare_can_not_tell(results: Path) -> None:
    found = CliRunner().invoke(command, ["--results", str(results), "r2"], standalone_mode=False)
    assert found.return_value == 4
    assert "none can be used: run r2 is INVALID" in found.stdout
    assert "    benchbook show r2" in found.stdout


@pytest.mark.parametrize(
    ("text", "volume"),
    [
        ("1e6/month", (1e6, "trials")),
        ("1_000", (1000, "trials")),
        ("365.25/year", (365.25 / 12, "trials")),
        ("16 tokens/day", (16 * 365.25 / 12, "tokens")),
        ("5e9 tokens/month", (5e9, "tokens")),
    ],
)
def test_volumes(text: str, volume: tuple[float, str]) -> None:
    found = Volume().convert(text, None, None)
    assert found == (pytest.approx(volume[0]), volume[1])


@pytest.mark.parametrize("text", ["many", "-3", "0", "1e6/hour", "1e99", "nan", ""])
def test_volumes_that_are_none(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is no volume; write 1e6/month"):
        Volume().convert(text, None, None)
