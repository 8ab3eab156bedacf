"""One trial's work by agents: from its taking up to its row, whatever its body does in between.

    perform(planned, desk, slot, body) -> Trial      body: async (Work) -> Reached

`perform` makes the trial's `Work`, runs the body until it ends, fails, or the trial's time is up, gives the place in
the load back, waits for what is still being decoded, and writes down everything that was measured, however it ended.
A cancelled trial (Ctrl-C twice) leaves no request, task or tool behind and no row.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

from benchbook.clock import monotonic_ns
from benchbook.errors import BenchbookError, StorageError
from benchbook.records import Answer, Call, Message, ModelRequest, PlannedTrial, Span, Trial
from benchbook.records.teams import Team
from benchbook.workloads import Desk, Slot
from benchbook.workloads.attempts import SECOND_NS, STAYED_OPEN
from benchbook.workloads.team.asking import Asking, Exchanging
from benchbook.workloads.team.collector import Collector, Opening, here, is_under, one_line
from benchbook.workloads.team.limiting import Stop, refuses_step

T = TypeVar("T")
_WORTH_NS = 1_000_000
"""From here on it was a wait for the breaker and not our own work."""


@dataclass(frozen=True, slots=True)
class Reached:
    """What a body came to. text: the final answer; error_kind (of ERROR_KINDS) and error_message where it failed;
    reported: the SDK's own figures; end_state: few facts about what was reached; status: where it is neither a
    success nor a plain failure."""

    text: str = ""
    error_kind: str | None = None
    error_message: str | None = None
    reported: Mapping[str, float] = field(default_factory=dict)
    end_state: Mapping[str, Any] = field(default_factory=dict)
    status: str | None = None


Body = Callable[["Work"], Awaitable[Reached]]


@dataclass(slots=True)
class Excused:
    """Time that no limit of time counts: the union of the waits for people. waits: how many go on now."""

    waits: int = 0
    before_ns: int = 0
    from_ns: int = 0

    def begin(self) -> None:
        self.from_ns = self.from_ns if self.waits else monotonic_ns()
        self.waits += 1

    def end(self) -> None:
        self.waits -= 1
        if not self.waits:
            self.before_ns += monotonic_ns() - self.from_ns

    @property
    def so_far_ns(self) -> int:
        """How long, until now."""
        return self.before_ns + (monotonic_ns() - self.from_ns if self.waits else 0)


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """Something that goes on beside the agents. after: what it follows; around: the span that it began under."""

    after: asyncio.Future[Any]
    around: Opening | None

    def is_under(self, around: Opening) -> bool:
        return is_under(self.around, around)


class Work:
    """What a body works with: the trial, its team and desk, its collector, its deadline (monotonic ns), its chance."""

    def __init__(self, planned: PlannedTrial, desk: Desk, slot: Slot) -> None:
        self.planned, self.desk, self.slot = planned, desk, slot
        self.started_ns = monotonic_ns()
        self.team: Team = desk.team(planned)
        self.request: ModelRequest = desk.request(planned)
        self.collector = Collector(planned.trial_id)
        self.chance = Random(planned.seed)  # noqa: S311 - of back-offs
        self.intended_ns = slot.intended_ns
        self.excused = Excused()
        self.limit: asyncio.Timeout | None = None
        self.numbered_from = 0
        self.steps = 0
        self.steps_of: dict[str, int] = {}
        self.handoffs = 0
        self.stopped_by: str | None = None
        self.stopped_how = ""
        self.stops: dict[str, Stop] = {}
        self.reasons: dict[str, str] = {}
        self.reported: dict[str, float] = {}
        self.figures: dict[Any, Mapping[str, float]] = {}
        self.files: list[str] = []
        self.finished_calls: list[Call] = []
        self._let_in = True
        self._open: list[Exchanging] = []
        self._under_way: dict[asyncio.Task[Any], _UnderWay] = {}

    @property
    def task(self) -> str:
        """What the user asks: the last thing they say in the request."""
        return self.request.messages[-1].content

    @property
    def before(self) -> tuple[Message, ...]:
        """What was said before that."""
        return self.request.messages[:-1]

    # ------------------------------------------------------------ time

    @property
    def trial_deadline_ns(self) -> int:
        """When the trial's time is up; later by as much as a person was waited for."""
        return self.started_ns + round(self.desk.timeout_s * SECOND_NS) + self.excused.so_far_ns

    @property
    def deadline_ns(self) -> int:
        """When its time or the team's is up, whichever comes first."""
        limit_s = self.team.limits.time_s
        if limit_s is None or limit_s >= self.desk.timeout_s:
            return self.trial_deadline_ns
        return self.started_ns + round(limit_s * SECOND_NS) + self.excused.so_far_ns

    @contextmanager
    def waiting_for_a_person(self) -> Iterator[None]:
        """Time that no limit of time counts."""
        self.excused.begin()
        self._reschedule()
        try:
            yield
        finally:
            self.excused.end()
            self._reschedule()

    def resumes(self, started_ns: int, intended_ns: int, excused_ns: int) -> None:
        """The trial began in an earlier process: `started_ns`, on this one's clock."""
        self.started_ns, self.intended_ns = started_ns, intended_ns
        self.excused.before_ns += excused_ns
        self._reschedule()

    def restore(self, calls: Sequence[tuple[Call, Answer]], spans: Sequence[Span]) -> None:
        """Take in what an earlier process recorded; it counts for all limits."""
        self.collector.restore(spans, calls)
        self.finished_calls += (call for call, _ in calls)
        asked = {(call.agent, call.turn) for call, _ in calls}
        self.steps += len(asked)
        for agent, _ in asked:
            self.steps_of[agent] = self.steps_of.get(agent, 0) + 1
        self.numbered_from = max((turn for _, turn in asked), default=0) - self.steps
        self.files += [name for span in spans for name in span.detail.get("files", ())]

    def _reschedule(self) -> None:
        if self.limit is not None and not self.limit.expired():
            loop = asyncio.get_running_loop()
            left_s = (self.deadline_ns - monotonic_ns()) / SECOND_NS
            self.limit.reschedule(None if self.excused.waits else loop.time() + left_s)

    # ------------------------------------------------------------ limits

    def stop(self, by: str, how: str) -> None:
        """No further step: `by` is the limit's name (steps, tokens, time, usd, handoffs), `how` says it in a line."""
        if self.stopped_by is None:
            self.stopped_by, self.stopped_how = by, how

    async def allows_step(self, agent: str, since_ns: int) -> bool:
        """Whether an agent that was asked at `since_ns` may make another model call now; False once a limit of the
        team's, or of its own, is reached. Counts the step."""
        found = await refuses_step(self, agent, since_ns)
        if found is not None:
            self.stops[agent] = found
            return False
        self.stops.pop(agent, None)
        self.steps += 1
        self.steps_of[agent] = self.steps_of.get(agent, 0) + 1
        return True

    def hands_over(self, times: int = 1) -> bool:
        """Whether work may pass on that many times more; if so, they are counted."""
        limit = self.team.limits.handoffs
        if self.handoffs + times > limit:
            self.stop("handoffs", f"the limit of {limit} handoffs of the team is reached")
            return False
        self.handoffs += times
        return True

    def out_of_time(self) -> None:
        """The deadline has come: a limit, if it is the team's and not the trial's."""
        if self.deadline_ns < self.trial_deadline_ns:
            self.stop("time", f"the limit of {self.team.limits.time_s:g} s of the team is reached")

    async def admitted(self, target: str, around: Opening) -> bool:
        """Wait for the target's breaker before a step; False if the time is up before. The loop has let the trial's
        first call through already."""
        if self._let_in and target == self.planned.target:
            self._let_in = False
            return True
        from_ns, held = monotonic_ns(), self.desk.holds(target)
        admitted = await self.desk.admitted(target, self.deadline_ns)
        if held and monotonic_ns() - from_ns >= _WORTH_NS:
            opening = self.collector.open("rate_limit_wait", "the breaker", under=around, started_ns=from_ns)
            self.collector.close(opening)
        if not admitted:
            self.stops[around.agent] = "breaker", STAYED_OPEN
            around.fails(STAYED_OPEN)
        return admitted

    # ------------------------------------------------------------ calls

    def asks(self, around: Opening) -> Asking:
        """An agent's next model call begins."""
        asking = around.asking = Asking(self, around, self.numbered_from + self.steps)
        return asking

    def found(self, call: Call, answer: Answer, asking: Asking) -> None:
        """An attempt was decoded."""
        self.finished_calls.append(call)
        detail = {"attempt": call.attempt, "step": asking.number}
        self.collector.keep(call, answer, asking.around, detail)

    def opens(self, carried: Exchanging) -> None:
        """A request is under way."""
        self._open.append(carried)

    def closes(self, carried: Exchanging) -> None:
        """It is over."""
        self._open.remove(carried)

    @property
    def busy(self) -> bool:
        """Whether a request is still under way."""
        return any(not carried.exchange.done() for carried in self._open)

    def cut_off(self, kind: str) -> None:
        """End every request that is still under way, as that error kind; what came of them is kept."""
        for carried in self._open:
            carried.give_up(kind)

    def follow(self, coroutine: Coroutine[Any, Any, T], after: asyncio.Future[Any]) -> asyncio.Task[T]:
        """Something that goes on beside the agents, once `after` is over, and must be over before the trial is."""
        task = asyncio.create_task(coroutine)
        self._under_way[task] = _UnderWay(after, here())
        task.add_done_callback(lambda done: self._under_way.pop(done, None))
        return task

    async def settled(self) -> None:
        """Wait for what follows what is over by now: nobody waits for a call that another agent has under way."""
        over = [task for task, what in self._under_way.items() if what.after.done()]
        if over:
            await asyncio.wait(over)

    async def decoded(self, under: Opening | None = None) -> None:
        """Wait until everything that goes on beside the agents is over, or all of it that began under a span."""
        while left := [task for task, what in self._under_way.items() if under is None or what.is_under(under)]:
            await asyncio.wait(left)

    async def end(self) -> None:
        """Leave nothing behind. Where the loop let a call through that was never made, the breaker hears of it."""
        if self._let_in:
            now_ns = monotonic_ns()
            unmade = Call("", 1, self.request.model, False, now_ns, now_ns, None, now_ns, error_kind="cancelled")  # noqa: FBT003
            self.desk.hear(self.planned.target, unmade)
        self.cut_off("cancelled")
        left = list(self._under_way)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


async def perform(planned: PlannedTrial, desk: Desk, slot: Slot, body: Body) -> Trial:
    """One trial around a body. Raises asyncio.CancelledError, and what is a defect of our own."""
    work = Work(planned, desk, slot)
    try:
        reached = await _within_time(work, body)
        ended_ns = monotonic_ns()
        if not work.busy:
            slot.release(ended_ns)
        await work.decoded()
    finally:
        await work.end()
    trial = _finished(work, reached, ended_ns)
    work.figures.clear()  # agents hold their hooks and these the work: a circle that would wait for a sweep of the heap
    return trial


async def _within_time(work: Work, body: Body) -> Reached:
    limit = asyncio.timeout((work.deadline_ns - monotonic_ns()) / SECOND_NS)
    work.limit = limit
    try:
        async with limit:
            return await body(work)
    except StorageError:
        raise
    except TimeoutError:
        if not limit.expired():
            raise
        work.out_of_time()
        work.cut_off("timeout")
        return Reached(error_kind="timeout", error_message=f"{work.desk.timeout_s:g} s were over")
    except BenchbookError as error:
        return Reached(error_kind="agent", error_message=one_line(error))


def _finished(work: Work, reached: Reached, ended_ns: int) -> Trial:
    """The row. The trial ends with its last span, be it an exchange that outlived its agent."""
    collector = work.collector
    pairs = collector.calls
    ended_ns = max([ended_ns, *(call.closed_ns for call, _ in pairs)])
    work.slot.release(ended_ns)
    collector.end_all(ended_ns)
    if reached.error_kind == "timeout" and ended_ns >= work.deadline_ns:  # a call's own end came first
        work.out_of_time()
    status, kind, message = _verdict(work, reached, ended_ns)
    end_state = {"steps": work.steps, **reached.end_state}
    if work.stopped_by is not None:
        end_state["stopped_by"] = work.stopped_by
    if work.files:
        end_state["files"] = sorted(set(work.files))
    return Trial(
        planned=work.planned,
        status=status,
        intended_ns=work.intended_ns,
        started_ns=work.started_ns,
        ended_ns=ended_ns,
        calls=tuple(call for call, _ in pairs),
        answers=tuple(answer for _, answer in pairs),
        error_kind=kind,
        error_message=message,
        spans=collector.spans,
        output=reached.text,
        reported={**_summed(work.figures.values()), **work.reported, **reached.reported},
        end_state=end_state,
    )


def _verdict(work: Work, reached: Reached, ended_ns: int) -> tuple[str, str | None, str | None]:
    """Status, error kind and message: a limit or the trial's end says more than what it brought about."""
    if reached.status is not None:
        return reached.status, reached.error_kind, reached.error_message
    if work.stopped_by is not None:
        return "failure", "limit", f"stopped: {work.stopped_how}"
    if reached.error_kind == "timeout" or ended_ns >= work.trial_deadline_ns:
        return "timeout", "timeout", reached.error_message or f"{work.desk.timeout_s:g} s were over"
    if reached.error_kind is not None:
        return "failure", reached.error_kind, reached.error_message
    if not reached.text.strip():
        return "failure", "empty", "the final answer has no text"
    return "success", None, None


def _summed(figures: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """All agents' figures as one."""
    total: dict[str, float] = {}
    for figure in figures:
        for name, value in figure.items():
            total[name] = total.get(name, 0.0) + value
    return total


def hush() -> None:
    """Strands' own log lines about failures stay off the screen: each is a row or a span already. So do those that its
    tracing has where an agent is cut off in the middle of its work."""
    for name in ("strands", "opentelemetry.context"):
        logging.getLogger(name).addHandler(logging.NullHandler())
        logging.getLogger(name).propagate = False
