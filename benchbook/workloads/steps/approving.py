"""An approval inside a trial: the approver is asked, its answer awaited as a `human_wait` span, by this trial alone.

No limit of time counts the wait. Where the approver is a person and no other step of the trial is at work, the place
in the load is given back meanwhile; getting one again is a `rate_limit_wait` of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchbook.clock import monotonic_ns
from benchbook.records import ApprovalRequest, Decision, Span, Step
from benchbook.workloads.team.collector import Opening
from benchbook.workloads.team.work import Reached, Work


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the approver: a step's result. number: which request of its trial it is, from 0."""

    step: Step
    prompt: str
    output: str
    number: int


async def decided(work: Work, asked: Question, *, alone: bool) -> tuple[Decision, tuple[Span, ...]]:
    """The decision, and the spans of the wait. alone: whether the trial does nothing else meanwhile."""
    approver = work.desk.approver
    leaves = approver.frees_place and alone
    if leaves:
        work.slot.release(monotonic_ns())
    spans: list[Opening] = []
    with (
        work.waiting_for_a_person(),
        work.collector.inside("human_wait", f"approval of {asked.step.name}", input=asked.output) as waiting,
    ):
        spans.append(waiting)
        made = await approver.decide(_request(work, asked))
        waiting.says(f"{made.verdict}: {made.feedback}" if made.feedback else made.verdict)
        waiting.detail |= {
            "step": asked.step.name,
            "verdict": made.verdict,
            "by": made.by,
            "via": made.via,
            "feedback": made.feedback,
            "decided_wall_ns": made.decided_wall_ns,
        }
    if leaves and made.verdict == "approved":
        with work.collector.inside("rate_limit_wait", "a place in the load") as back:
            spans.append(back)
            await work.slot.retake()
    return made, tuple(span for opening in spans for span in work.collector.under(opening)[0])


def ended_by(made: Decision, step: Step) -> Reached | None:
    """What the trial comes to because of the decision; None: it goes on."""
    if made.verdict == "approved":
        return None
    state = {"approved": False, "ended_at": step.name}
    if made.verdict == "rejected":
        said = f"step {step.name} was rejected by {made.by}" + (f": {made.feedback}" if made.feedback else "")
        return Reached(error_kind="rejected", error_message=said, end_state=state, status="failure")
    said = f"nobody decided about step {step.name} in time"
    return Reached(error_kind="unanswered", error_message=said, end_state=state, status="timeout")


def _request(work: Work, asked: Question) -> ApprovalRequest:
    planned = work.planned
    return ApprovalRequest(
        request_id=f"{planned.trial_id}.{asked.step.name}",
        run_id=work.desk.folder.name,
        trial_id=planned.trial_id,
        step=asked.step.name,
        agent=asked.step.agent,
        task=asked.prompt,
        output=asked.output,
        test_id=planned.test_id,
        target=planned.target,
        number=asked.number,
        seed=planned.seed,
    )
