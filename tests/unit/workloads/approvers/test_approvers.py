"""Three kinds of approvers behind one protocol: at once, by a script, by a person through the folder of requests."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from benchbook.errors import ApprovalError
from benchbook.records import ApprovalRequest, Decision
from benchbook.results import approvals
from benchbook.workloads.approvers import approver
from benchbook.workloads.approvers.scripted import Scripted


def request(number: int = 0, trial: str = "t1", seed: int = 1) -> ApprovalRequest:
    return ApprovalRequest(f"{trial}.draft", "r1", trial, "draft", "writer", "write", "x", number=number, seed=seed)


@pytest.mark.parametrize(
    ("settings", "number", "verdict", "feedback"),
    [
        (None, 0, "approved", ""),
        ({"kind": "automatic", "feedback": "fine"}, 3, "approved", "fine"),
        ({"kind": "scripted", "delay_s": 0}, 0, "approved", ""),
        ({"kind": "scripted", "delay_s": 0, "approve": [True, False], "feedback": ["a", "b"]}, 0, "approved", "a"),
        ({"kind": "scripted", "delay_s": 0, "approve": [True, False], "feedback": ["a", "b"]}, 1, "rejected", "b"),
        ({"kind": "scripted", "delay_s": 0, "approve": [True, False], "feedback": ["a", "b"]}, 7, "rejected", "b"),
        ({"kind": "scripted", "delay_s": 30, "timeout_s": 0.001}, 0, "timeout", ""),
        ({"kind": "human", "timeout_s": 0.001}, 0, "timeout", ""),
    ],
)
async def test_a_decision(tmp_path: Path, settings: Any, number: int, verdict: str, feedback: str) -> None:
    made = await approver(settings, tmp_path / "approvals").decide(request(number))
    assert (made.verdict, made.feedback) == (verdict, feedback)
    assert made.decided_wall_ns > 0


def test_a_scripted_delay_is_a_matter_of_the_seeds() -> None:
    script = Scripted(delay_s=0.1, jitter_s=0.2)
    assert script.delay_of(request()) == script.delay_of(request())
    delays = {script.delay_of(request(number, seed=seed)) for number in range(4) for seed in range(4)}
    assert len(delays) == 16
    assert all(0.1 <= delay <= 0.3 for delay in delays)
    own = Scripted(delay_s=0.1, jitter_s=0.2, seed=5)
    assert own.delay_of(request(seed=1)) == own.delay_of(request(seed=2))
    assert own.delay_of(request(trial="t1")) != own.delay_of(request(trial="t2"))


async def test_a_person_decides_while_others_wait_on(tmp_path: Path) -> None:
    folder = tmp_path / "approvals"
    human = approver({"kind": "human", "timeout_s": 60}, folder)
    waiting = [asyncio.create_task(human.decide(request(trial=name))) for name in ("t1", "t2")]
    while len(list(folder.glob("*.request.json"))) < 2:  # noqa: ASYNC110 - a file appears
        await asyncio.sleep(0.01)
    approvals.decide(folder, "t2.draft", Decision("rejected", "ada", "command line", "no sources", 5))
    made = await waiting[1]
    assert (made.verdict, made.by, made.feedback, made.decided_wall_ns) == ("rejected", "ada", "no sources", 5)
    assert not waiting[0].done()
    approvals.decide(folder, "t1.draft", Decision("approved", "ada", "command line", "", 6))
    assert (await waiting[0]).verdict == "approved"


async def test_after_the_time_was_up_nobody_decides_any_more(tmp_path: Path) -> None:
    folder = tmp_path / "approvals"
    made = await approver({"kind": "human", "timeout_s": 0.01}, folder).decide(request())
    assert made.verdict == "timeout"
    with pytest.raises(ApprovalError, match="timed out at"):
        approvals.decide(folder, "t1.draft", Decision("approved", "ada", "command line"))


async def test_a_decision_of_before_a_resume_holds(tmp_path: Path) -> None:
    folder = tmp_path / "approvals"
    approvals.ask(folder, request())
    approvals.decide(folder, "t1.draft", Decision("approved", "ada", "command line", "go on", 4))
    made = await approver({"kind": "human", "timeout_s": 0.01}, folder).decide(request())
    assert (made.verdict, made.feedback) == ("approved", "go on")


async def test_an_interrupt_leaves_who_waits_for_a_person_to_a_resume(tmp_path: Path) -> None:
    folder = tmp_path / "approvals"
    human = approver({"kind": "human", "timeout_s": 60}, folder)
    waiting = asyncio.create_task(human.decide(request()))
    while not list(folder.glob("*.request.json")):  # noqa: ASYNC110 - a file appears
        await asyncio.sleep(0.01)
    human.leave()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(asyncio.CancelledError):
        await human.decide(request(trial="t2"))
    assert approvals.decision(folder, "t1.draft") is None
    assert sorted(path.name for path in folder.glob("*.request.json")) == [
        "t1.draft.request.json",
        "t2.draft.request.json",
    ]
