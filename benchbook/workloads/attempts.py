"""One model call, whatever attempts it takes: our own retry policy, every attempt a row. What workloads share.

A trial's place in the load is given back as soon as a good-looking exchange is over, if it is the trial's last one;
decoding follows off the critical path. An exchange that failed visibly keeps its place through back-off and retry, as
a real client's would be kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from benchbook.clock import monotonic_ns, sleep_until
from benchbook.providers import Provider
from benchbook.providers.calls import Asked
from benchbook.records import RETRYABLE, Answer, Call, ModelRequest, PlannedTrial, Trial, record
from benchbook.workloads import Desk, Slot

SECOND_NS = 1_000_000_000
STAYED_OPEN = "the target's breaker stayed open until the trial's time was up"


@record
class Ask:
    """What is asked. name: call ids are it and the attempt's number; stamps and the deadline are monotonic ns;
    seed: of the back-off's jitter; last: whether the trial is over with its answer; waited_ns: for the target's
    breaker, before the first attempt."""

    name: str
    provider: Provider
    request: ModelRequest
    intended_ns: int
    taken_up_ns: int
    deadline_ns: int
    seed: int
    turn: int = 1
    last: bool = True
    waited_ns: int = 0


def first_ask(planned: PlannedTrial, desk: Desk, slot: Slot, *, name: str, last: bool = True) -> Ask:
    """What a trial asks first, taken up now; its time and its chance are the trial's own."""
    started_ns = monotonic_ns()
    return Ask(
        name=name,
        provider=desk.provider(planned.target),
        request=desk.request(planned),
        intended_ns=slot.intended_ns,
        taken_up_ns=started_ns,
        deadline_ns=started_ns + round(desk.timeout_s * SECOND_NS),
        seed=planned.seed,
        last=last,
    )


@dataclass(slots=True)
class Told:
    """What came of it, call by call; why there was no further attempt."""

    calls: list[Call]
    answers: list[Answer]
    reason: str = ""


async def ask(desk: Desk, slot: Slot, one: Ask) -> Told:
    """Attempts until success, a failure that no retry mends, or the deadline."""
    told = Told([], [])
    backoff_ns = one.waited_ns
    chance: Random | None = None
    while True:
        number = len(told.calls) + 1
        asked = Asked(
            call_id=f"{one.name}{number}",
            attempt=number,
            intended_ns=one.intended_ns,
            taken_up_ns=one.taken_up_ns,
            deadline_ns=one.deadline_ns,
            backoff_ns=backoff_ns,
            turn=one.turn,
            over=slot.release if one.last else None,
        )
        raw = await desk.attempt(one.provider, one.request, asked)
        call, answer = await desk.decode(raw)
        told.calls.append(call)
        told.answers.append(answer)
        if call.error_kind is None:
            return told
        chance = chance or Random(one.seed)  # noqa: S311
        decision = desk.retries.decide(call, number, chance, one.deadline_ns)
        if decision.wait_s is None:
            told.reason = decision.reason
            return told
        waits_from = monotonic_ns()
        await sleep_until(waits_from + round(decision.wait_s * SECOND_NS))
        await slot.retake()
        if not await desk.admitted(one.provider.target.name, one.deadline_ns):
            told.reason = f"not retried: {STAYED_OPEN}"
            return told
        backoff_ns = monotonic_ns() - waits_from


def finished(planned: PlannedTrial, stamps: tuple[int, int], told: Told) -> Trial:
    """The trial that its last call decides. `stamps`: intended and started, in ns."""
    last = told.calls[-1]
    status = "success" if last.error_kind is None else "timeout" if last.error_kind == "timeout" else "failure"
    said = f"{last.error_message} ({told.reason})" if last.error_kind in RETRYABLE else last.error_message
    return Trial(
        planned=planned,
        status=status,
        intended_ns=stamps[0],
        started_ns=stamps[1],
        ended_ns=last.closed_ns,
        calls=tuple(told.calls),
        answers=tuple(told.answers),
        error_kind=last.error_kind,
        error_message=said,
    )
