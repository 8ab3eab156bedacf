"""The circuit breaker: a table by hand, and any history of calls against a plain reading of the rule."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from benchbook.records import Event
from benchbook.runner.breaker import CLOSED, HALF_OPEN, LONGEST_ASKED_NS, OPEN, Breaker, Heard, Rule

S = 1_000_000_000
RULE = Rule(0.5, window=4, min_calls=2, open_ns=5 * S, cap_ns=15 * S, probes=1, counts=frozenset({"rate_limited"}))


class Story:
    """A breaker told in seconds."""

    def __init__(self, rule: Rule = RULE) -> None:
        self.events: list[Event] = []
        self.breaker = Breaker(rule, "sim", 0, self.events.append)

    def call(self, at_s: float, kind: str | None = None, *, asks: float | None = None, began_s: float | None = None):  # type: ignore[no-untyped-def]
        began = at_s if began_s is None else began_s
        self.breaker.hear(Heard(round(began * S), round(at_s * S), kind, asks))
        return self

    def calls(self, *at_s: float, kind: str | None = "rate_limited"):  # type: ignore[no-untyped-def]
        for second in at_s:
            self.call(second, kind)
        return self

    def admit(self, at_s: float) -> bool:
        return self.breaker.admit(round(at_s * S))

    @property
    def told(self) -> list[tuple[float, str]]:
        return [(event.at_ns / S, event.name) for event in self.events]

    def fields(self, number: int = -1) -> dict[str, Any]:
        return dict(self.events[number].fields)


def test_a_storm_by_hand() -> None:
    story = Story().calls(1, 2)
    assert not story.admit(2)
    assert not story.admit(6.9)
    assert story.admit(7)
    assert not story.admit(7)  # one probe at a time
    story.call(7.5, "rate_limited", began_s=7)
    assert not story.admit(17.4)
    assert story.admit(17.5)  # the pause has doubled
    story.call(18, began_s=17.5)
    assert story.admit(18)
    assert story.told == [
        (0, CLOSED),
        (2, OPEN),
        (7, HALF_OPEN),
        (7.5, OPEN),
        (17.5, HALF_OPEN),
        (18, CLOSED),
    ]
    assert {event.target for event in story.events} == {"sim"}
    assert story.fields(1) == {
        "reason": "share", "value": 5.0, "failures": 2, "calls": 2, "openings": 1, "asked_s": 0.0
    }  # fmt: skip
    assert (story.fields(3)["reason"], story.fields(3)["value"], story.fields(3)["openings"]) == ("probe", 10.0, 2)
    assert story.fields() == {"reason": "probes", "value": 16.0, "probes": 1, "openings": 2}


@pytest.mark.parametrize(
    ("kinds", "opens"),
    [
        (["rate_limited"], False),  # too few calls
        (["rate_limited", "rate_limited"], True),
        ([None, "rate_limited"], True),  # half of two
        ([None, None, "rate_limited"], False),
        (["rate_limited", None], True),  # the second call makes it enough to judge
        ([None, None, None, "rate_limited", "rate_limited"], True),  # the first has left the window
        ([None, None, "protocol", "rate_limited"], False),  # a kind that is not counted is no failure of this sort
        (["local", "local", "rate_limited"], False),  # our own trouble says nothing
        (["local", "rate_limited", "cancelled", "rate_limited"], True),
    ],
)
def test_when_it_opens(kinds: list[str | None], opens: bool) -> None:
    story = Story()
    for second, kind in enumerate(kinds, 1):
        story.call(second, kind)
    assert (story.breaker.state == OPEN) is opens


def test_a_window_of_time_forgets() -> None:
    story = Story(replace(RULE, window_ns=10 * S)).calls(1).calls(11)
    assert story.breaker.state == CLOSED
    assert story.calls(11.5).breaker.state == OPEN


def test_the_pause_grows_to_the_cap_and_starts_anew_after_closing() -> None:
    story, now = Story().calls(1, 2), 2.0
    pauses = []
    for _ in range(5):
        pauses.append(story.fields()["value"])
        now += story.fields()["value"]
        assert story.admit(now)
        story.call(now, "rate_limited")
    assert pauses == [5, 10, 15, 15, 15]
    now += 15
    assert story.admit(now)
    story.call(now).calls(now, now)
    assert (story.breaker.state, story.fields()["value"]) == (OPEN, 5)


def test_retry_after_is_a_lower_bound_of_the_pause() -> None:
    story = Story().call(1, "rate_limited", asks=20).call(2, "rate_limited", asks=1)
    assert (story.breaker.until_ns, story.fields()["value"], story.fields()["asked_s"]) == (21 * S, 19.0, 19.0)
    story.call(3, "rate_limited", asks=30, began_s=0.5)  # one that was in flight asks for more
    assert not story.admit(32.9)
    assert story.admit(33)
    assert story.fields()["value"] == 31.0
    shorter = Story().call(1, "rate_limited", asks=0.1).calls(2)
    assert shorter.breaker.until_ns == 7 * S
    mad = Story().call(1, "rate_limited", asks=float("inf")).calls(2)
    assert mad.breaker.until_ns == S + LONGEST_ASKED_NS


def test_stragglers_say_nothing_about_a_later_state() -> None:
    story = Story().calls(1, 2)
    assert story.admit(7)
    story.call(7.1, began_s=1).call(7.2, "rate_limited", began_s=1)
    assert story.breaker.state == HALF_OPEN
    story.call(8, began_s=7).calls(9, 9.1, kind="rate_limited")
    assert story.breaker.state == OPEN
    closed = Story().calls(1, 2)
    assert closed.admit(7)
    closed.call(8, began_s=7)
    closed.call(9, "rate_limited", began_s=1).call(10, "rate_limited", began_s=1)
    assert closed.breaker.state == CLOSED


def test_several_probes_must_all_succeed_and_one_that_says_nothing_is_replaced() -> None:
    story = Story(replace(RULE, probes=2)).calls(1, 2)
    assert [story.admit(7), story.admit(7), story.admit(7)] == [True, True, False]
    story.call(7.1, "local", began_s=7)
    assert [story.admit(7.2), story.admit(7.2)] == [True, False]
    story.call(7.3, began_s=7)
    assert (story.breaker.state, story.admit(7.3)) == (HALF_OPEN, False)
    story.call(7.4, "bad_request", began_s=7.2)  # it answered: that is what was asked
    assert (story.breaker.state, story.fields()["probes"]) == (CLOSED, 2)


class AnyHistory(RuleBasedStateMachine):
    """Calls begin when they are let in and end in any order; a plain re-reading of the events must agree."""

    @initialize(
        share=st.sampled_from([0.2, 0.5, 1.0]),
        window=st.integers(1, 6),
        probes=st.integers(1, 3),
        timed=st.booleans(),
        data=st.data(),
    )
    def begin(self, share: float, window: int, probes: int, timed: bool, data: st.DataObject) -> None:
        self.rule = Rule(
            share,
            window=window,
            min_calls=data.draw(st.integers(1, window)),
            open_ns=5,
            cap_ns=30,
            probes=probes,
            counts=frozenset({"rate_limited", "timeout"}),
            window_ns=20 if timed else None,
        )
        self.now = 0
        self.in_flight: list[tuple[int, bool]] = []
        self.heard: list[Heard] = []
        self.heard_before = 0
        self.events: list[Event] = []
        self.breaker = Breaker(self.rule, "t", 0, self.events.append)

    @rule(ns=st.integers(1, 12))
    def time_passes(self, ns: int) -> None:
        self.now += ns

    @rule()
    def a_call_wants_in(self) -> None:
        before = self.breaker.state
        if self.breaker.admit(self.now):
            probe = self.breaker.state == HALF_OPEN
            self.in_flight.append((self.now, probe))
            assert before != OPEN or self.now >= self.breaker.until_ns or probe
        else:
            assert self.breaker.state != CLOSED

    @precondition(lambda self: getattr(self, "in_flight", None))
    @rule(data=st.data(), kind=st.sampled_from([None, None, "rate_limited", "timeout", "protocol", "local"]))
    def a_call_ends(self, data: st.DataObject, kind: str | None) -> None:
        began, _ = self.in_flight.pop(data.draw(st.integers(0, len(self.in_flight) - 1)))
        asks = data.draw(st.sampled_from([None, 0.0, 8e-9])) if kind == "rate_limited" else None
        told = len(self.events)
        state, since = self.breaker.state, self.breaker.since_ns
        heard = Heard(began, self.now, kind, asks)
        self.breaker.hear(heard)
        self.heard.append(heard)
        if state == CLOSED:
            assert (len(self.events) > told) == self._should_open(since)
        if self.breaker.state != state:
            self.heard_before = len(self.heard)

    def _should_open(self, since: int) -> bool:
        """All calls of this closed state, read again from the start."""
        known = self.heard[self.heard_before :]
        known = [heard for heard in known if heard.began_ns >= since and heard.error_kind != "local"]
        if self.heard[-1] not in known:
            return False
        known = known[-self.rule.window :]
        if self.rule.window_ns is not None:
            known = [heard for heard in known if heard.ended_ns > self.now - self.rule.window_ns]
        failures = sum(heard.error_kind in self.rule.counts for heard in known)
        return len(known) >= self.rule.min_calls and failures / len(known) >= self.rule.failure_share

    @invariant()
    def probes_are_few(self) -> None:
        if hasattr(self, "breaker") and self.breaker.state == HALF_OPEN:
            probes = [began for began, probe in self.in_flight if probe and began >= self.breaker.since_ns]
            assert len(probes) <= self.rule.probes

    @invariant()
    def changes_follow_the_drawing(self) -> None:
        names = [event.name for event in getattr(self, "events", [])]
        allowed = {(CLOSED, OPEN), (OPEN, HALF_OPEN), (HALF_OPEN, OPEN), (HALF_OPEN, CLOSED)}
        assert set(pairwise(names)) <= allowed
        stamps = [event.at_ns for event in getattr(self, "events", [])]
        assert stamps == sorted(stamps)

    @invariant()
    def pauses_are_kept_and_bounded(self) -> None:
        events = getattr(self, "events", [])
        for opened, after in pairwise(events):
            if opened.name == OPEN:
                assert after.at_ns - opened.at_ns >= self.rule.open_ns
        if hasattr(self, "breaker") and self.breaker.state == OPEN:
            assert self.breaker.until_ns <= self.now + max(self.rule.cap_ns, 8)

    def teardown(self) -> None:
        """Whatever happened: once the target is well, the breaker closes."""
        if not hasattr(self, "breaker"):
            return
        for _ in range(2 * self.rule.probes + len(self.in_flight) + 4):
            if self.breaker.state == CLOSED:
                break
            self.now = max(self.now, self.breaker.until_ns) + 1
            while self.breaker.admit(self.now) and self.breaker.state == HALF_OPEN:
                self.in_flight.append((self.now, True))
            for began, _ in self.in_flight:
                self.breaker.hear(Heard(began, self.now))
            self.in_flight = []
        assert self.breaker.state == CLOSED


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
