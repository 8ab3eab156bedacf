"""Approvals: what a workflow asks before it goes on, and what was decided. Wall stamps date them for people."""

from __future__ import annotations

from dataclasses import dataclass

from benchbook.errors import RecordError

VERDICTS = ("approved", "rejected", "timeout")
"""`timeout`: nobody decided in time; the engine itself says so."""


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """A step's result that waits for a decision.

    request_id: the trial's and the step's, so that a resumed run asks the same again; number: which request of its
    trial it is, from 0; task: what the step was to do; output: what came of it; timeout_s: None = it waits for ever;
    seed: of the trial, for approvers who draw their delay.
    """

    request_id: str
    run_id: str
    trial_id: str
    step: str
    agent: str
    task: str
    output: str
    test_id: str = ""
    target: str = ""
    number: int = 0
    seed: int = 0
    asked_wall_ns: int = 0
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided, once. by: who; via: how they were reached (`automatic`, `scripted`, `command line`, ...)."""

    verdict: str
    by: str
    via: str
    feedback: str = ""
    decided_wall_ns: int = 0

    def __post_init__(self) -> None:
        if self.verdict not in VERDICTS:
            raise RecordError(f"verdict {self.verdict!r} is not one of {VERDICTS}")
