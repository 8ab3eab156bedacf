"""Answers in time: the first content at the TTFT, each chunk after its tokens, counts conserved."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchbook.records import Message, ModelRequest, Params, ToolCall, Usage
from benchbook.simulator.answers import Reply
from benchbook.simulator.laws import count_tokens
from benchbook.simulator.profile import Law
from benchbook.simulator.timeline import CONTENT, Draws, Timed, compose, stretch, usage_first
from benchbook.wire.events import (
    Ended,
    Finished,
    ReasoningDelta,
    Started,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)

DRAWS = Draws(7, ("m", "p", 0))


def play(law: dict[str, Any], reply: Reply, **params: Any) -> tuple[list[Timed], Usage, str]:
    request = ModelRequest("m", (Message("user", "question"),), params=Params(**params))
    timeline = compose(Law.model_validate(law), reply, request, DRAWS)
    return list(timeline.events), timeline.usage, timeline.finish


def content(events: list[Timed]) -> list[Timed]:
    return [timed for timed in events if type(timed.event) in CONTENT]


def said(events: list[Timed]) -> str:
    return "".join(timed.event.text for timed in events if isinstance(timed.event, TextDelta))


def test_fixed_law_to_the_millisecond() -> None:
    events, usage, finish = play({"ttft_ms": 200, "token_ms": 10, "tokens_out": 64}, Reply("echo"))
    assert [timed.at_ms for timed in content(events)] == [200 + 10 * i for i in range(64)]
    assert events[0] == Timed(200, Started("", "m", None))
    assert isinstance(events[-1].event, Ended)
    assert events[-1].at_ms == 830
    assert (usage, finish) == (Usage(input=2, output=64), "stop")


def test_chunks_of_many_tokens_keep_the_first_at_the_ttft() -> None:
    events, _, _ = play({"ttft_ms": 5, "token_ms": 1, "tokens_per_chunk": 3, "tokens_out": 8}, Reply("x"))
    assert [timed.at_ms for timed in content(events)] == [5, 8, 10]


def test_first_byte_may_come_early_but_never_late() -> None:
    early, _, _ = play({"ttft_ms": 9, "first_byte_ms": 4}, Reply("abc"))
    late, _, _ = play({"ttft_ms": 9, "first_byte_ms": 40}, Reply("abc"))
    assert (early[0].at_ms, early[1].at_ms, late[0].at_ms) == (4, 9, 9)


def test_reasoning_visible_and_hidden() -> None:
    law = {"ttft_ms": 10, "token_ms": 1, "reasoning": {"tokens": 3, "token_ms": 5}}
    events, usage, _ = play(law, Reply("abcdefgh"))
    assert [type(timed.event) for timed in content(events)] == [ReasoningDelta] * 3 + [TextDelta] * 2
    assert [timed.at_ms for timed in content(events)] == [10, 15, 20, 21, 22]
    assert (usage.output, usage.reasoning) == (5, 3)
    law["reasoning"]["visible"] = False
    events, usage, _ = play(law, Reply("abcdefgh"))
    assert [timed.at_ms for timed in content(events)] == [25, 26]
    assert (usage.output, usage.reasoning) == (5, 3)


def test_tool_calls_stream_their_arguments() -> None:
    reply = Reply("Well.", (ToolCall("1", "add", '{"a": 1}'), ToolCall("2", "add", "{}")))
    events, usage, finish = play({"ttft_ms": 1, "token_ms": 1}, reply)
    kinds = [type(timed.event) for timed in events][1:-3]
    text, call = [TextDelta] * 2, [ToolCallStarted, ToolCallDelta]
    assert kinds == [*text, *call, ToolCallDelta, *call, Finished]
    assert (finish, usage.output) == ("tool_calls", 5)


@pytest.mark.parametrize(
    ("params", "text", "finish"),
    [
        ({"max_tokens": 2}, "one two ", "length"),
        ({"max_tokens": 100}, "one two three", "stop"),
        ({"stop": ("three",)}, "one two ", "stop"),
        ({"stop": ("three", "two", "")}, "one ", "stop"),
        ({"stop": ("two",), "max_tokens": 1}, "one ", "stop"),
    ],
)
def test_limits(params: dict[str, Any], text: str, finish: str) -> None:
    events, usage, end = play({}, Reply("one two three"), **params)
    assert (said(events), end, usage.output) == (text, finish, count_tokens(text))


def test_reasoning_comes_out_of_the_same_budget() -> None:
    events, usage, finish = play({"reasoning": {"tokens": 5}}, Reply("abcdefgh"), max_tokens=5)
    assert (said(events), finish, usage.output, usage.reasoning) == ("", "length", 5, 5)


def test_nothing_to_say_is_still_a_whole_answer() -> None:
    events, usage, finish = play({"ttft_ms": 3, "usage": False}, Reply(""))
    assert [type(timed.event).__name__ for timed in events] == ["Started", "Finished", "TimingReported", "Ended"]
    assert (usage.output, finish) == (0, "stop")


@given(
    st.text(max_size=80),
    st.integers(0, 2**32),
    st.integers(1, 5),
    st.sampled_from([{}, {"tokens": 4}, {"tokens": 4, "visible": False}]),
    st.none() | st.integers(0, 12),
)
def test_counts_are_conserved_and_time_never_runs_back(
    text: str, seed: int, per_chunk: int, reasoning: dict[str, Any], limit: int | None
) -> None:
    slow = {"kind": "lognormal", "median": 4, "sigma": 1}
    law = Law.model_validate(
        {"ttft_ms": slow, "token_ms": slow, "tokens_per_chunk": per_chunk, "reasoning": reasoning or None}
    )
    request = ModelRequest("m", (Message("user", "q"),), params=Params(max_tokens=limit))

    def once() -> list[Timed]:
        return list(compose(law, Reply(text), request, Draws(seed, ("m", "p", 0))).events)

    events = once()
    assert all(earlier.at_ms <= later.at_ms for earlier, later in pairwise(events))
    assert events == once()
    usage = next(timed.event.usage for timed in events if isinstance(timed.event, UsageReported))
    assert text.startswith(said(events))
    shown = sum(count_tokens(timed.event.text) for timed in content(events))
    hidden = usage.reasoning if reasoning.get("visible") is False else 0
    assert shown + (hidden or 0) == usage.output
    assert limit is None or usage.output <= limit


@given(st.text(max_size=20), st.integers(0, 50))
def test_stretch_gives_exactly_so_many_tokens(text: str, tokens: int) -> None:
    assert len(stretch(text, tokens)) == 4 * tokens


def test_claude_s_order() -> None:
    request = ModelRequest("m", (Message("user", "question"),))
    events = [t.event for t in usage_first(compose(Law(), Reply("a"), request, DRAWS)).events]
    names = [type(event).__name__ for event in events]
    assert names == ["UsageReported", "Started", "TextDelta", "UsageReported", "Finished", "TimingReported", "Ended"]
    assert events[0] == UsageReported(Usage(input=2))
    bare = usage_first(compose(Law(usage=False), Reply("a"), request, DRAWS))
    assert [type(t.event).__name__ for t in bare.events][-3:] == ["Finished", "TimingReported", "Ended"]
