"""The folder of requests: there whole or not at all, asked again by a resume, decided once."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from benchbook.errors import ApprovalError
from benchbook.records import ApprovalRequest, Decision
from benchbook.results import approvals


def request(name: str = "t1.draft", asked: int = 1) -> ApprovalRequest:
    return ApprovalRequest(name, "r1", name.split(".")[0], "draft", "writer", "write", "text", asked_wall_ns=asked)


def decided(verdict: str = "approved", by: str = "ada") -> Decision:
    return Decision(verdict, by, "command line", "good", 1_790_000_000_000_000_000)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return approvals.approvals_folder(tmp_path, "r1")


def test_a_request_is_read_back_as_it_was_asked(tmp_path: Path, folder: Path) -> None:
    assert approvals.ask(folder, request()) is None
    (found,) = approvals.approvals(tmp_path)
    assert (found.request, found.decision, found.run_id) == (request(), None, "r1")


def test_requests_of_all_runs_are_listed_in_order_of_asking(tmp_path: Path, folder: Path) -> None:
    for run, name, asked in (("r1", "b.x", 2), ("r2", "a.x", 3), ("r2", "c.x", 1)):
        approvals.ask(approvals.approvals_folder(tmp_path, run), request(name, asked))
    assert [one.request.request_id for one in approvals.approvals(tmp_path)] == ["c.x", "b.x", "a.x"]


def test_a_decision_holds_and_a_second_one_is_refused_and_changes_nothing(folder: Path) -> None:
    approvals.ask(folder, request())
    approvals.decide(folder, "t1.draft", decided())
    before = (folder / "t1.draft.decision.json").read_bytes()
    with pytest.raises(ApprovalError, match=r"t1\.draft: was approved already, by ada \(command line\) at 2026-"):
        approvals.decide(folder, "t1.draft", decided("rejected", "bob"))
    assert (folder / "t1.draft.decision.json").read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["t1.draft.decision.json", "t1.draft.request.json"]


def test_after_the_time_was_up_a_decision_is_refused(folder: Path) -> None:
    approvals.ask(folder, request())
    approvals.decide(folder, "t1.draft", decided("timeout", "nobody"))
    with pytest.raises(ApprovalError, match="timed out at"):
        approvals.decide(folder, "t1.draft", decided())


def test_of_many_decisions_at_once_exactly_one_holds(folder: Path) -> None:
    approvals.ask(folder, request())
    outcomes: list[Any] = []

    def one(number: int) -> None:
        try:
            approvals.decide(folder, "t1.draft", decided(by=f"person {number}"))
            outcomes.append(f"person {number}")
        except ApprovalError:
            outcomes.append(None)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = [outcome for outcome in outcomes if outcome]
    found = approvals.decision(folder, "t1.draft")
    assert found is not None
    assert found.by == winner


def test_a_request_that_was_decided_before_a_resume_is_not_asked_again(folder: Path) -> None:
    approvals.ask(folder, request())
    approvals.decide(folder, "t1.draft", decided())
    before = (folder / "t1.draft.request.json").read_bytes()
    assert approvals.ask(folder, request(asked=9)) == decided()
    assert (folder / "t1.draft.request.json").read_bytes() == before


def test_a_damaged_file_is_no_request_and_no_decision(tmp_path: Path, folder: Path) -> None:
    approvals.ask(folder, request())
    path = folder / "t1.draft.request.json"
    path.write_bytes(path.read_bytes().replace(b"writer", b"waiter"))
    (folder / "t2.draft.decision.json").write_bytes(b'{"crc32":"0000')
    assert list(approvals.approvals(tmp_path)) == []
    assert approvals.decision(folder, "t2.draft") is None


@pytest.mark.parametrize(
    ("text", "found"), [("t1.draft", "t1.draft"), ("t1.d", "t1.draft"), ("t", "t2.draft"), ("t1", "t1.draft")]
)
def test_a_request_is_found_by_its_beginning_the_undecided_one_first(
    tmp_path: Path, folder: Path, text: str, found: str
) -> None:
    approvals.ask(folder, request("t1.draft"))
    approvals.ask(folder, request("t2.draft"))
    approvals.decide(folder, "t1.draft", decided())
    assert approvals.find(tmp_path, text).request.request_id == found


def test_an_unknown_or_ambiguous_beginning_is_one_clear_line(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(ApprovalError, match="request x: none in .* begins so"):
        approvals.find(tmp_path, "x")
    for name in ("t1.draft", "t1.final"):
        approvals.ask(folder, request(name))
    with pytest.raises(ApprovalError, match=r"2 requests begin so; one of t1\.draft, t1\.final"):
        approvals.find(tmp_path, "t1")
