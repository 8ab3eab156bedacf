"""The bare API call: one request, retried by our own policy, every attempt a row.

The slot is given back as soon as a good-looking exchange is over; decoding follows off the critical path. An
exchange that failed visibly keeps its slot through back-off and retry, as a real client's would be kept.
"""

from __future__ import annotations

import random
from dataclasses import replace

from benchbook.clock import monotonic_ns, sleep_until
from benchbook.providers.calls import Asked
from benchbook.providers.retry import Decision
from benchbook.records import RETRYABLE, Answer, Call, PlannedTrial, Trial
from benchbook.workloads import Desk, Slot

_SECOND_NS = 1_000_000_000
STAYED_OPEN = Decision(None, "not retried: the target's breaker stayed open until the trial's time was up")


async def run(planned: PlannedTrial, desk: Desk, slot: Slot) -> Trial:
    """One trial: attempts until success, a failure that no retry mends, or the trial's timeout."""
    started_ns = monotonic_ns()
    deadline_ns = started_ns + round(desk.timeout_s * _SECOND_NS)
    provider = desk.provider(planned.target)
    request = desk.request(planned)
    chance = random.Random(planned.seed)  # noqa: S311
    calls: list[Call] = []
    answers: list[Answer] = []
    backoff_ns = 0
    while True:
        number = len(calls) + 1
        asked = Asked(
            call_id=f"{planned.trial_id}-{number}",
            attempt=number,
            intended_ns=slot.intended_ns,
            taken_up_ns=started_ns,
            deadline_ns=deadline_ns,
            backoff_ns=backoff_ns,
            over=slot.release,
        )
        raw = await desk.attempt(provider, request, asked)
        call, answer = await desk.decode(raw)
        calls.append(call)
        answers.append(answer)
        decision = desk.retries.decide(call, number, chance, deadline_ns)
        if decision.wait_s is None:
            break
        waits_from = monotonic_ns()
        await sleep_until(waits_from + round(decision.wait_s * _SECOND_NS))
        await slot.retake()
        if not await desk.admitted(planned.target, deadline_ns):
            decision = STAYED_OPEN
            break
        backoff_ns = monotonic_ns() - waits_from
    slot.release(calls[-1].closed_ns)
    trial = finished(planned, (slot.intended_ns, started_ns), tuple(calls), tuple(answers))
    if trial.error_kind in RETRYABLE:
        return replace(trial, error_message=f"{trial.error_message} ({decision.reason})")
    return trial


def finished(
    planned: PlannedTrial, stamps: tuple[int, int], calls: tuple[Call, ...], answers: tuple[Answer, ...]
) -> Trial:
    """The trial that its last call decides. `stamps`: intended and started, in ns."""
    last = calls[-1]
    status = "success" if last.error_kind is None else "timeout" if last.error_kind == "timeout" else "failure"
    return Trial(
        planned=planned,
        status=status,
        intended_ns=stamps[0],
        started_ns=stamps[1],
        ended_ns=last.closed_ns,
        calls=calls,
        answers=answers,
        error_kind=last.error_kind,
        error_message=last.error_message,
    )
