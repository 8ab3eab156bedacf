"""The columns against the tools' own answers about fixed requests, as `ask_tools.py` has stored them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchbook.history.definitions import tokens_us
from benchbook.measure.definitions import RELEASES, TOOLS, figures
from benchbook.measure.definitions.facts import Attempt, Observed, Request
from tests.spec.definitions import ask_tools
from tests.spec.definitions.asking.events import SLOS, drawn, pieces

HERE = Path(__file__).parent
TABLE: dict[str, Any] = json.loads((HERE / "tool_answers.json").read_text(encoding="utf-8"))


def _attempt(row: dict[str, Any]) -> Attempt:
    def ns(*kinds: str) -> tuple[int, ...]:
        return tuple(1000 * at for at, kind, _ in row["events"] if kind in kinds)

    sent = list(pieces(row))
    stored = {
        "body": b"".join(data for _, data in sent),
        "piece_offsets_us": [at for at, _ in sent],
        "piece_sizes": [len(data) for _, data in sent],
    }
    return Attempt(
        1000 * row["start"],
        1000 * row["end"],
        1000 * row["sent"],
        failed=row["failed"],
        content_ns=ns("text", "reasoning"),
        text_ns=ns("text"),
        output_ns=tuple(1000 * at for at in tokens_us(stored)),
        tokens_out=row["tokens"],
        tokens_reasoning=row.get("reasoning"),
    )


def _observed() -> Observed:
    requests = (
        Request(1000 * row["started"], 1000 * row["ended"], tuple(map(_attempt, row["attempts"])))
        for row in TABLE["requests"]
    )
    return Observed(tuple(requests), TABLE["slos"])


@pytest.mark.parametrize("name", TOOLS)
def test_a_column_is_what_the_tool_itself_answers(name: str) -> None:
    found: dict[str, dict[str, float | None]] = {}
    for figure in figures(name, _observed()):
        found.setdefault(figure.quantity, {})[figure.statistic] = figure.value
    answers = TABLE["tools"][name]["answers"]
    assert set(found) == set(answers)
    for quantity, values in answers.items():
        assert found[quantity] == pytest.approx(values, rel=1e-9), quantity


def test_the_answers_are_those_of_the_releases_that_are_named() -> None:
    assert {name: row["asked"] for name, row in TABLE["tools"].items()} == {
        name: f"{name} {release}" for name, release in RELEASES.items()
    }


def test_the_stored_requests_are_those_that_the_script_draws() -> None:
    assert TABLE["requests"] == drawn()
    assert TABLE["slos"] == SLOS
    assert set(ask_tools.TOOLS) == set(TOOLS)


def test_the_page_and_the_script_name_the_same_releases() -> None:
    page = (HERE.parents[2] / "docs" / "METHODOLOGY.md").read_text(encoding="utf-8")
    words = ask_tools.__doc__ or ""
    for name, release in RELEASES.items():
        assert f"{name} {release}" in page
        assert f"{name}=={release}" in words or f"{name} {release}" in words
