"""`show TRIAL --timeline` and `--trace`: which trial is meant, and what is printed of it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from benchbook.cli.show import command
from benchbook.errors import UserError
from tests.spec.sql.agents import agents_history
from tests.spec.sql.stored import Row, Stored


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> tuple[Stored, Path]:
    stored = agents_history(4, cases=2, repetitions=2)
    return stored, stored.write(tmp_path_factory.mktemp("agents") / "results")


def shown(results: Path, *words: str) -> str:
    done = CliRunner().invoke(command, [*words, "--results", str(results)])
    if done.exception is not None:
        raise done.exception
    return done.output


def one(stored: Stored) -> Row:
    return next(row for row in stored.rows["trials"] if row["workload"] == "workflow" and row["status"] == "success")


def test_a_trial_is_found_by_the_beginning_of_its_id(agents: tuple[Stored, Path]) -> None:
    stored, results = agents
    trial = one(stored)["trial_id"]
    drawn = shown(results, trial[:8], "--timeline")
    assert drawn.startswith(f"trial {trial}: workflow (research)")
    assert drawn == shown(results, "latest", "--trial", trial[:8], "--timeline")
    assert "= wall" in drawn
    with pytest.raises(UserError, match="no trial of any stored run has an id that starts so"):
        shown(results, "latest", "--timeline")
    several = Counter(row["trial_id"][0] for row in stored.rows["trials"]).most_common(1)[0][0]
    with pytest.raises(UserError, match="write more of its id"):
        shown(results, several, "--trace")


def test_json_holds_every_span_and_every_step(agents: tuple[Stored, Path]) -> None:
    stored, results = agents
    trial = one(stored)
    found: dict[str, Any] = json.loads(shown(results, trial["trial_id"], "--timeline", "--trace", "--json"))
    spans = [row for row in stored.rows["spans"] if row["trial_id"] == trial["trial_id"]]
    assert {row["span_id"] for row in found["spans"]} == {row["span_id"] for row in spans}
    assert found["trial"]["wall_ms"] == trial["wall_ms"]
    said = {row["output"] for row in spans if row["kind"] in ("model", "tool", "handoff", "human_wait")}
    assert {row["text"] for row in found["steps"] if row["step"] != "action"} == said
    printed = shown(results, trial["trial_id"], "--trace")
    assert all(text in printed for text in said)
