"""A target's circuit breaker as a state machine: no clock, no loop, time is an argument (monotonic ns).

    closed --- the window's share of failures ---> open --- its pause is over ---> half_open
      ^                                             ^------- a probe fails ------------|
      '-------------------------------- as many probes as asked succeed ---------------'

It holds calls back and fails none. A pause doubles with each opening in a row up to a cap, and is never shorter than
the longest Retry-After among the failures behind it. Evidence is what a call says that began in the present state:
stragglers from before a change say nothing about what came after it. Every change is told as an event, with the
numbers behind it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from benchbook.records import Event

CLOSED, OPEN, HALF_OPEN = "closed", "open", "half_open"
NO_EVIDENCE = frozenset({"local", "cancelled"})
"""Ends of calls that say nothing about the target, unless a rule counts them."""
LONGEST_ASKED_NS = 3_600_000_000_000
"""A Retry-After beyond an hour is taken as an hour."""
_SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Rule:
    """When a breaker opens, and for how long.

    It opens when at least `min_calls` of the last `window` calls (with `window_ns`, of those that ended within it)
    are known and at least `failure_share` of them failed by a kind in `counts`. The first pause is `open_ns`, the
    longest that grows from it `cap_ns`. Half open, `probes` calls at most are let through, and so many must succeed.
    """

    failure_share: float
    window: int
    min_calls: int
    open_ns: int
    cap_ns: int
    probes: int
    counts: frozenset[str]
    window_ns: int | None = None

    def pause_ns(self, opening: int) -> int:
        """The pause of the n-th opening in a row, from 1."""
        doubled = self.open_ns << min(opening - 1, 40)
        return min(doubled, max(self.cap_ns, self.open_ns))


@dataclass(frozen=True, slots=True)
class Heard:
    """How a call ended: when it began and ended, its error kind (None: success), the Retry-After it came with."""

    began_ns: int
    ended_ns: int
    error_kind: str | None = None
    retry_after_s: float | None = None


class Breaker:
    """One target's breaker, closed at first. `tell` takes each change as an event of kind `breaker`."""

    def __init__(self, rule: Rule, target: str, at_ns: int, tell: Callable[[Event], None]) -> None:
        self._rule, self._target, self._tell = rule, target, tell
        self._window: deque[tuple[int, bool, int]] = deque()
        """Of each call: its end, whether it failed, until when it asked to be left alone."""
        self._failures = 0
        """How many in the window failed."""
        self._openings = 0
        self._probing = self._succeeded = 0
        self._left_ns = at_ns
        """When it was last closed."""
        self.until_ns = at_ns
        """Open: the end of the pause."""
        self.state, self.since_ns = CLOSED, at_ns
        self._event(at_ns, CLOSED, reason="start", value=0.0)

    def admit(self, at_ns: int) -> bool:
        """Whether a call may begin now. A yes while half open makes it a probe, whose end must be heard."""
        if self.state == OPEN and at_ns >= self.until_ns:
            self._change(HALF_OPEN, at_ns, value=(at_ns - self.since_ns) / _SECOND_NS, openings=self._openings)
        if self.state == HALF_OPEN:
            if self._probing + self._succeeded >= self._rule.probes:
                return False
            self._probing += 1
        return self.state != OPEN

    def hear(self, heard: Heard) -> None:
        """Take in how a call ended, whoever let it through."""
        failed = heard.error_kind in self._rule.counts
        if self.state == OPEN and failed:
            self.until_ns = max(self.until_ns, _asked_until(heard))
        elif heard.began_ns < self.since_ns:
            return
        elif heard.error_kind in NO_EVIDENCE and not failed:
            self._probing = max(0, self._probing - 1)
        elif self.state == HALF_OPEN:
            self._hear_probe(heard, failed=failed)
        elif self.state == CLOSED:
            self._hear_call(heard, failed=failed)

    def _hear_call(self, heard: Heard, *, failed: bool) -> None:
        self._window.append((heard.ended_ns, failed, _asked_until(heard) if failed else 0))
        self._failures += failed
        self._forget(heard.ended_ns)
        calls = len(self._window)
        if calls >= self._rule.min_calls and self._failures >= self._rule.failure_share * calls:
            asked_ns = max(until_ns for _, _, until_ns in self._window)
            self._open(heard.ended_ns, asked_ns, reason="share", failures=self._failures, calls=calls)

    def _forget(self, now_ns: int) -> None:
        """Drop what has left the window."""
        horizon_ns = None if self._rule.window_ns is None else now_ns - self._rule.window_ns
        while len(self._window) > self._rule.window or (horizon_ns is not None and self._window[0][0] <= horizon_ns):
            self._failures -= self._window.popleft()[1]

    def _hear_probe(self, heard: Heard, *, failed: bool) -> None:
        self._probing = max(0, self._probing - 1)
        if failed:
            self._open(heard.ended_ns, _asked_until(heard), reason="probe", failures=1, calls=self._succeeded + 1)
            return
        self._succeeded += 1
        if self._succeeded >= self._rule.probes:
            out_s = (heard.ended_ns - self._left_ns) / _SECOND_NS
            fields = {"value": out_s, "probes": self._succeeded, "openings": self._openings}
            self._openings = 0
            self._change(CLOSED, heard.ended_ns, reason="probes", **fields)

    def _open(self, at_ns: int, asked_ns: int, *, reason: str, failures: int, calls: int) -> None:
        if self.state == CLOSED:
            self._left_ns = at_ns
        self._openings += 1
        grown_ns = self._rule.pause_ns(self._openings)
        self.until_ns = max(at_ns + grown_ns, asked_ns)
        self._change(
            OPEN,
            at_ns,
            reason=reason,
            value=(self.until_ns - at_ns) / _SECOND_NS,
            failures=failures,
            calls=calls,
            openings=self._openings,
            asked_s=max(0, asked_ns - at_ns) / _SECOND_NS,
        )

    def _change(self, state: str, at_ns: int, **fields: object) -> None:
        self.state, self.since_ns = state, max(at_ns, self.since_ns)
        self._window.clear()
        self._failures = 0
        self._probing = self._succeeded = 0
        self._event(self.since_ns, state, **fields)

    def _event(self, at_ns: int, name: str, **fields: object) -> None:
        self._tell(Event(at_ns, "breaker", name, self._target, fields))


def _asked_until(heard: Heard) -> int:
    """Until when a failed call asks to be left alone; its own end where it asks nothing."""
    asked_ns = min((heard.retry_after_s or 0.0) * _SECOND_NS, LONGEST_ASKED_NS)
    return heard.ended_ns + round(asked_ns)
