"""Calls run once, in order of their times, never early: with the timerfd and with the loop's own timer."""

from __future__ import annotations

import asyncio

import pytest

from benchbook.clock import monotonic_ns
from benchbook.simulator.agenda import Agenda

MS = 1_000_000


@pytest.mark.parametrize("precise", [True, False])
async def test_in_order_and_never_early(precise: bool) -> None:
    agenda = Agenda(asyncio.get_running_loop(), precise=precise)
    ran: list[tuple[int, int]] = []
    done = asyncio.Event()
    start = monotonic_ns()
    for offset_ms in (9, 3, 7, 3, 0, 12):
        due = start + offset_ms * MS
        agenda.at(due, lambda due=due: ran.append((due, monotonic_ns())))
    agenda.at(start + 13 * MS, done.set)
    await asyncio.wait_for(done.wait(), 60)
    agenda.close()
    assert [due for due, _ in ran] == sorted(due for due, _ in ran)
    assert len(ran) == 6
    assert all(at >= due for due, at in ran)


@pytest.mark.parametrize("precise", [True, False])
async def test_a_call_may_ask_for_more_and_earlier_calls_come_first(precise: bool) -> None:
    agenda = Agenda(asyncio.get_running_loop(), precise=precise)
    ran: list[str] = []
    done = asyncio.Event()
    start = monotonic_ns()

    def first() -> None:
        ran.append("first")
        agenda.at(monotonic_ns() + 2 * MS, lambda: ran.append("second"))
        agenda.at(monotonic_ns() + 4 * MS, done.set)

    agenda.at(start + 60_000 * MS, lambda: ran.append("never"))
    agenda.at(start + 1 * MS, first)
    await asyncio.wait_for(done.wait(), 60)
    agenda.close()
    agenda.close()
    assert ran == ["first", "second"]
