"""Spans as they come: who is around whom, in tasks and threads, and how a span ends that was cut off."""

from __future__ import annotations

import asyncio

import pytest

from benchbook.clock import monotonic_ns
from benchbook.measure.breakdown import breakdown_ns
from benchbook.records import Span
from benchbook.workloads.team.collector import Collector, here


def by_name(collector: Collector) -> dict[str, Span]:
    return {span.name: span for span in collector.spans}


async def test_tasks_and_threads_belong_to_the_span_they_were_begun_in() -> None:
    collector = Collector("t")

    def in_thread(name: str) -> None:
        with collector.inside("tool", name):
            pass

    async def in_task(name: str) -> None:
        with collector.inside("agent", name, agent=name):
            await asyncio.sleep(0)
            await asyncio.gather(asyncio.to_thread(in_thread, f"{name}.1"), asyncio.to_thread(in_thread, f"{name}.2"))

    with collector.inside("node", "all"):
        await asyncio.gather(*(in_task(f"a{n}") for n in range(10)))
    spans = by_name(collector)
    assert len(collector.spans) == len(spans) == 31
    for n in range(10):
        assert spans[f"a{n}"].parent_id == spans["all"].span_id
        for tool in (spans[f"a{n}.1"], spans[f"a{n}.2"]):
            assert tool.parent_id == spans[f"a{n}"].span_id
            assert tool.agent == f"a{n}"
    assert here() is None


async def test_two_collectors_at_once_never_mix() -> None:
    async def one(name: str) -> Collector:
        collector = Collector(name)
        with collector.inside("agent", name):
            await asyncio.sleep(0)
            with collector.inside("tool", f"{name}.tool"):
                await asyncio.sleep(0)
        return collector

    for collector in await asyncio.gather(*(one(f"c{n}") for n in range(20))):
        agent, tool = collector.spans
        assert tool.parent_id == agent.span_id
        assert {agent.name, tool.name} == {collector.trial_id, f"{collector.trial_id}.tool"}


def test_a_span_of_another_trial_is_no_parent() -> None:
    outer, inner = Collector("outer"), Collector("inner")
    with outer.inside("agent", "a"), inner.inside("agent", "b"):
        pass
    assert inner.spans[0].parent_id is None


async def test_what_ends_a_block_is_in_its_span() -> None:
    collector = Collector("t")
    with pytest.raises(ValueError, match="no good"), collector.inside("tool", "bad"):
        raise ValueError("no good")
    waiting = asyncio.create_task(_forever(collector))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    spans = by_name(collector)
    assert (spans["bad"].status, spans["bad"].error) == ("error", "ValueError: no good")
    assert spans["cut"].status == "cancelled"


async def _forever(collector: Collector) -> None:
    with collector.inside("human_wait", "cut"):
        await asyncio.Event().wait()


def test_what_is_open_at_the_end_is_cut_off_there_and_the_law_holds() -> None:
    collector = Collector("t")
    began_ns = monotonic_ns()
    agent = collector.open("agent", "a", agent="a", started_ns=began_ns)
    tool = collector.open("tool", "w", under=agent, started_ns=began_ns + 10)
    collector.close(tool, ended_ns=began_ns + 30)
    collector.open("rate_limit_wait", "b", under=agent, started_ns=began_ns + 40)
    collector.end_all(began_ns + 100)
    spans = by_name(collector)
    assert [spans[name].status for name in ("a", "w", "b")] == ["cancelled", "ok", "cancelled"]
    parts = breakdown_ns((began_ns, began_ns + 100), collector.spans)
    assert parts == {"model": 0, "tool": 20, "human_wait": 0, "rate_limit_wait": 60, "orchestration": 20}


def test_a_span_ends_once() -> None:
    collector = Collector("t")
    opening = collector.open("step", "s")
    collector.close(opening, output="first", ended_ns=opening.started_ns)
    collector.close(opening, output="second")
    (span,) = collector.spans
    assert (span.output, span.ended_ns) == ("first", span.started_ns)
