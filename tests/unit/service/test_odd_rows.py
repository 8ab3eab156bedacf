"""Pages of histories that hold little or odd rows: each is made, or refused in a line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchbook.errors import UnknownRunError, UserError
from benchbook.service import compare, overview, runs, trials
from benchbook.service.guard import Guard
from benchbook.service.shown import Asked
from tests.spec.sql.stored import Stored, generated, run_row, trial_row


def little() -> Stored:
    """A run that says nothing but its name, and two whose trials all failed."""
    stored = Stored()
    stored.rows["runs"] += [{"run_id": "a"}, run_row("b"), run_row("c")]
    for run_id in "bc":
        stored.rows["trials"] += [
            trial_row(run_id, number, status="failure", error_kind="reset") for number in range(3)
        ]
    return stored


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return little().write(tmp_path_factory.mktemp("odd") / "results")


def test_runs_without_a_number_are_shown(results: Path) -> None:
    text = overview.history(Asked(results)).page()
    assert "TOO FEW RUNS" in text
    assert "3 runs, the newest first" in text
    assert '<a href="/runs/a">a</a>' in runs.listed(Asked(results)).page()
    assert "No trial fits" in trials.listed(Asked(results, {"run": "a"})).page()
    shown = compare.sides(Asked(results, words={"a": ("b",), "b": ("c",)}))
    assert shown.data["exit_code"] == 4
    assert "CANNOT TELL" in shown.page()


def test_sides_that_share_nothing_are_refused_on_the_form(results: Path) -> None:
    shown = compare.sides(Asked(results, words={"a": ("a",), "b": ("c",)}))
    assert shown.status == 400
    assert 'value="c"' in shown.page()
    with pytest.raises(UnknownRunError):
        runs.one(Asked(results, {"run": "z"}))
    with pytest.raises(UserError, match="write 2026-10-01"):
        runs.listed(Asked(results, words={"since": ("soon",)}))


def test_a_trial_with_calls_of_every_kind_is_shown(tmp_path: Path) -> None:
    stored = generated(3)
    stored.write(tmp_path)
    kinds: dict[Any, str] = {}
    for call in stored.rows["calls"]:
        if call["run_id"] == "r3":
            offsets = call["chunk_offsets_us"]
            kinds[None if offsets is None else len(offsets)] = call["trial_id"]
    assert {None, 0, 1, 5} <= kinds.keys()
    for trial_id in kinds.values():
        shown = trials.one(Asked(tmp_path, {"run": "r3", "trial": trial_id}))
        listed = sum(len(call["chunk_offsets_us"] or ()) for call in shown.data["calls"])
        assert shown.page().count("text</td></tr>") == listed


@pytest.mark.parametrize(
    ("host", "remote", "ours"),
    [
        ("127.0.0.1:8765", False, True),
        ("127.9.9.9", False, True),
        ("[::1]:8765", False, True),
        ("localhost", False, True),
        ("LOCALHOST:1", False, True),
        ("localhost.evil.example", False, False),
        ("127.0.0.1.evil.example", False, False),
        ("evil.example:8765", True, False),
        ("192.0.2.1:8765", False, False),
        ("192.0.2.1:8765", True, True),
        ("bench.lan:8765", True, True),
        ("", True, False),
        ("[::1", False, False),
        ("user@127.0.0.1", False, True),
    ],
)
def test_whose_name_a_request_may_bear(host: str, *, remote: bool, ours: bool) -> None:
    async def nothing(*_: Any) -> None: ...

    guard = Guard(nothing, policy="", names=("Bench.lan",), remote=remote)
    assert guard._ours(host) is ours
