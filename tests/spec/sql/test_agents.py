"""The questions about agents against slow plain answers over random trees of spans."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchbook.history import ask
from tests.spec.sql.agents import agents_history, detail
from tests.spec.sql.plain import same
from tests.spec.sql.stored import Row, Stored


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> tuple[Stored, Path]:
    stored = agents_history(4)
    return stored, stored.write(tmp_path_factory.mktemp("agents") / "results")


def test_timeline(agents: tuple[Stored, Path]) -> None:
    stored, results = agents
    trial = next(
        row for row in stored.rows["trials"] if row["workload"] == "multi_agent" and row["status"] == "success"
    )
    spans = [row for row in stored.rows["spans"] if row["trial_id"] == trial["trial_id"]]
    expected: list[Row] = []
    for span in sorted(spans, key=lambda row: (row["started_ns"], -row["ended_ns"], row["span_id"])):
        row = {name: trial[name] for name in ("run_id", "trial_id", "team", "wall_ms", "orchestration_ms", "score")}
        row |= {**span, "trial_status": "success", "starts_ms": (span["started_ns"] - trial["started_ns"]) / 1e6}
        expected.append(row | {"attempt": detail(span)["attempt"], "tokens_out": None})
    same(ask("timeline", results, trial=trial["trial_id"][:8]), expected)
    assert len(expected) > 3


def test_timeline_of_a_trial_that_was_not_started_and_of_none(agents: tuple[Stored, Path]) -> None:
    stored, results = agents
    skipped = next(row for row in stored.rows["trials"] if row["status"] == "skipped")
    (row,) = ask("timeline", results, trial=skipped["trial_id"])
    assert (row["trial_status"], row["span_id"], row["wall_ms"]) == ("skipped", None, None)
    assert ask("timeline", results) == []
