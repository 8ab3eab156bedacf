"""Limits, looked at before a step: whose they are, what they count, and that nobody waits for others' calls."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from benchbook.clock import monotonic_ns
from benchbook.records import (
    Call,
    Limits,
    Member,
    Message,
    ModelRequest,
    PlannedTrial,
    Price,
    Target,
    Team,
    Usage,
)
from benchbook.workloads.team.work import Work

PLANNED = PlannedTrial("t", 0, "d", "", "c", "", "own", "multi_agent", 0, "measured", "", 1, team="pair")


@dataclass
class Slot:
    intended_ns: int = 0


@dataclass
class Provider:
    target: Target


@dataclass
class Desk:
    """What limits ask of a desk: the team, and what targets cost."""

    limits: Limits
    of_a: Limits | None = None
    timeout_s: float = 60.0
    prices: dict[str, Price | None] = field(default_factory=lambda: {"own": Price("2026-11", input=1e6, output=1e6)})

    def team(self, _: PlannedTrial) -> Team:
        members = (Member("a", "r", "g", limits=self.of_a), Member("b", "r", "g", target="other"))
        return Team("pair", "swarm", members, "a", limits=self.limits)

    def request(self, _: PlannedTrial) -> ModelRequest:
        return ModelRequest("m", (Message("user", "?"),))

    def provider(self, name: str) -> Provider:
        return Provider(Target(name, "openai", "m", price=self.prices.get(name)))


def work(limits: Limits, of_a: Limits | None = None, **fields: Any) -> Work:
    desk: Any = Desk(limits, of_a, **fields)
    slot: Any = Slot()
    return Work(PLANNED, desk, slot)


def call(agent: str, tokens: int) -> Call:
    return Call("c", 1, "m", True, 0, 0, 0, 0, usage=Usage(input=tokens - 1, output=1), agent=agent)


async def steps(one: Work, *agents: str) -> list[bool]:
    return [await one.allows_step(agent, monotonic_ns()) for agent in agents]


async def test_steps_are_the_teams_and_a_members_own() -> None:
    one = work(Limits(steps=3), Limits(steps=1))
    assert await steps(one, "a", "a", "b", "b", "b") == [True, False, True, True, False]
    assert one.stops["a"] == ("steps", "the limit of 1 steps of a is reached")
    assert (one.stopped_by, one.stopped_how) == ("steps", "the limit of 3 steps of the team is reached")
    assert await steps(one, "a") == [False]
    assert one.stops["a"] == ("steps", "the limit of 3 steps of the team is reached")


@pytest.mark.parametrize(
    ("limits", "of_a", "stopped"),
    [
        (Limits(tokens=30), None, ("tokens", "the limit of 30 tokens (30 were used) of the team is reached")),
        (Limits(tokens=31), None, None),
        (Limits(), Limits(tokens=10), ("tokens", "the limit of 10 tokens (10 were used) of a is reached")),
        (Limits(), Limits(tokens=11), None),
        (Limits(usd=10.0), None, ("usd", "the limit of 10 USD (10.000000 were spent) of the team is reached")),
        (Limits(usd=10.5), None, None),
        (Limits(), Limits(usd=9.0), ("usd", "the limit of 9 USD (10.000000 were spent) of a is reached")),
    ],
)
async def test_tokens_and_money_are_counted_of_calls_that_are_over(
    limits: Limits, of_a: Limits | None, stopped: tuple[str, str] | None
) -> None:
    """a has used 10 tokens of the trial's own target, at one dollar each; b 20 of another, whose price is not known."""
    one = work(limits, of_a)
    one.finished_calls += [call("a", 10), call("b", 20)]
    assert await one.allows_step("a", monotonic_ns()) is (stopped is None)
    assert one.stops.get("a") == stopped


async def test_each_call_costs_what_its_agents_target_costs() -> None:
    prices = {"own": Price("2026-11", input=1e6, output=1e6), "other": Price("2026-11", input=2e6, output=2e6)}
    one = work(Limits(usd=50.0), prices=prices)
    one.finished_calls += [call("a", 10), call("b", 20)]
    assert not await one.allows_step("a", monotonic_ns())
    assert "50.000000 were spent" in one.stopped_how


async def test_time_is_the_teams_from_the_start_and_a_members_from_its_invocation() -> None:
    own = work(Limits(), Limits(time_s=5))
    assert await own.allows_step("a", monotonic_ns())
    assert not await own.allows_step("a", monotonic_ns() - 5_000_000_000)
    assert own.stops["a"] == ("time", "the limit of 5 s of a is reached")
    assert own.stopped_by is None
    team = work(Limits(time_s=5))
    team.started_ns -= 5_000_000_000
    assert not await team.allows_step("b", monotonic_ns())
    assert team.stops["b"] == ("time", "the limit of 5 s of the team is reached")


def test_handoffs_are_counted_together() -> None:
    one = work(Limits(handoffs=3))
    assert one.hands_over(2)
    assert not one.hands_over(2)
    assert (one.handoffs, one.stopped_by) == (2, "handoffs")


async def test_a_step_waits_for_the_decoding_of_what_is_over_and_not_for_calls_under_way() -> None:
    """Agents side by side would go one by one, if each step of one waited for the other's answer."""
    one = work(Limits(tokens=100))
    loop = asyncio.get_running_loop()
    over, under_way = loop.create_future(), loop.create_future()
    over.set_result(None)

    async def decode() -> None:
        await asyncio.sleep(0)
        one.finished_calls.append(call("a", 100))

    async def wait() -> None:
        await under_way

    one.follow(decode(), over)
    other = one.follow(wait(), under_way)
    async with asyncio.timeout(30):  # what would wait for the other's call would wait for ever
        assert not await one.allows_step("a", monotonic_ns())
    assert not other.done()
    assert one.stopped_by == "tokens"
    under_way.set_result(None)
    await one.decoded()
    assert other.done()
