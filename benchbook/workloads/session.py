"""A conversation: turn by turn, each with everything that was said before it, the model's own answers included.

One trial is one conversation. A turn is one model call with its retries; the next one waits for its decode, then for
the user's pause (think time, counted from the end of the answer). The place in the load is kept from the first turn to
the last. A turn that fails ends the conversation: the trial fails, and the calls of the turns before it are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from benchbook.clock import monotonic_ns, sleep_until
from benchbook.records import Message, ModelRequest, PlannedTrial, Trial, Turn
from benchbook.workloads import Desk, Slot
from benchbook.workloads.attempts import SECOND_NS, STAYED_OPEN, Ask, Told, ask, finished, first_ask

Broken = tuple[str, str, str]
"""The trial's status, error kind and message."""


@dataclass(slots=True)
class _Conversation:
    """What was said so far: the request that goes on with it, and all calls and answers."""

    request: ModelRequest
    told: Told

    def goes_on(self, turn: Turn) -> None:
        """Put the last answer and the user's next turn at the end of the request."""
        said = (Message("assistant", self.told.answers[-1].text), Message("user", turn.content))
        self.request = replace(self.request, messages=(*self.request.messages, *said))

    def keep(self, told: Told) -> None:
        self.told.calls += told.calls
        self.told.answers += told.answers
        self.told.reason = told.reason


async def run(planned: PlannedTrial, desk: Desk, slot: Slot) -> Trial:
    """One trial: every turn, until one fails or the trial's time is up."""
    opening = first_ask(planned, desk, slot, name=f"{planned.trial_id}-1.", last=not desk.later(planned))
    talk = _Conversation(opening.request, await ask(desk, slot, opening))
    broken = await _later(planned, desk, slot, (opening, talk))
    slot.release(talk.told.calls[-1].closed_ns)
    trial = finished(planned, (slot.intended_ns, opening.taken_up_ns), talk.told)
    if broken is not None:
        status, kind, message = broken
        return replace(trial, status=status, error_kind=kind, error_message=message)
    return trial


async def _later(planned: PlannedTrial, desk: Desk, slot: Slot, begun: tuple[Ask, _Conversation]) -> Broken | None:
    """Every turn after the first. Gives the reason where the conversation ends early and no call failed."""
    opening, talk = begun
    turns = desk.later(planned)
    for number, turn in enumerate(turns, start=2):
        last = talk.told.calls[-1]
        if last.error_kind is not None:
            return None
        if not talk.told.answers[-1].text.strip():
            return "failure", "empty", f"the answer to turn {number - 1} has no visible text to go on with"
        intended_ns = last.closed_ns + round(turn.think_s * SECOND_NS)
        if intended_ns >= opening.deadline_ns:
            return "timeout", "timeout", f"the pause before turn {number} would take the rest of the trial's time"
        talk.goes_on(turn)
        await sleep_until(intended_ns)
        taken_up_ns, held = monotonic_ns(), desk.holds(planned.target)
        if not await desk.admitted(planned.target, opening.deadline_ns):
            return "timeout", "timeout", f"turn {number} was not asked: {STAYED_OPEN}"
        one = replace(
            opening,
            name=f"{planned.trial_id}-{number}.",
            request=talk.request,
            intended_ns=intended_ns,
            taken_up_ns=taken_up_ns,
            turn=number,
            waited_ns=monotonic_ns() - taken_up_ns if held else 0,
            last=number == len(turns) + 1,
        )
        talk.keep(await ask(desk, slot, one))
    return None
