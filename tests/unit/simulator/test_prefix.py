"""The simulator's prompt cache against a slow plain answer: the longest common beginning, in blocks of 128 tokens."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from benchbook.records import Message, ModelRequest
from benchbook.simulator.answers import Reply
from benchbook.simulator.laws import prompt_tokens
from benchbook.simulator.prefix import BLOCK_TOKENS, PrefixCache
from benchbook.simulator.profile import Law, is_steady
from benchbook.simulator.timeline import CONTENT, Draws, compose

BLOCK = BLOCK_TOKENS * 4


def asking(text: str, model: str = "m", **fields: object) -> ModelRequest:
    return replace(ModelRequest(model, (Message("user", text),)), **fields)  # type: ignore[arg-type]


def common(one: str, other: str) -> int:
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4 * BLOCK), st.integers(0, 2 * BLOCK)), max_size=12))
def test_cached_tokens_are_the_longest_common_beginning_in_whole_blocks(picks: list[tuple[int, int, int]]) -> None:
    """Texts are a cut of one of four long texts and a tail of their own: beginnings are shared at all lengths."""
    chance = random.Random(1)
    sources = ["".join(chance.choices("abcd", k=4 * BLOCK)) for _ in range(4)]
    cache, before = PrefixCache(), []
    for number, (source, cut, tail) in enumerate(picks):
        text = sources[source][:cut] + f"{number:04d}" + "x" * tail
        shared = max((common(text, other) // BLOCK for other in before), default=0)
        most = (prompt_tokens(asking(text)) - 1) // BLOCK_TOKENS
        assert cache.cached(asking(text)) == min(shared, most) * BLOCK_TOKENS
        before.append(text)


def test_the_last_token_is_never_from_the_cache_and_models_share_nothing() -> None:
    cache = PrefixCache()
    whole = asking("w" * 3 * BLOCK)
    assert [cache.cached(whole), cache.cached(whole)] == [0, 2 * BLOCK_TOKENS]
    assert cache.cached(replace(whole, model="other")) == 0
    assert cache.cached(asking("w" * 3 * BLOCK + "!")) == 3 * BLOCK_TOKENS


def test_a_conversation_is_known_up_to_its_last_turn() -> None:
    cache = PrefixCache()
    turns = [Message("user", "u" * BLOCK), Message("assistant", "a" * BLOCK), Message("user", "v" * BLOCK)]
    cache.cached(asking("", system="s" * BLOCK, messages=tuple(turns[:1])))
    assert cache.cached(asking("", system="s" * BLOCK, messages=tuple(turns))) == 2 * BLOCK_TOKENS
    assert cache.cached(asking("", system="t" * BLOCK, messages=tuple(turns))) == 0


def test_what_was_not_seen_for_long_is_forgotten() -> None:
    cache = PrefixCache(most=2)
    one, two = asking("a" * (BLOCK + 4)), asking("b" * (2 * BLOCK + 4))
    assert [cache.cached(one), cache.cached(two), cache.cached(two), cache.cached(one)] == [0, 0, 256, 0]


def test_what_is_cached_takes_no_prefill() -> None:
    law = Law.model_validate({"ttft_ms": 100, "prefill_token_ms": 0.5, "prefix_cache": True})
    request = asking("p" * 4 * 400)
    firsts = []
    for cached in (0, 256):
        timeline = compose(law, Reply("yes"), request, Draws(1, ("m", "p", 0)), cached)
        firsts.append(next(timed.at_ms for timed in timeline.events if type(timed.event) in CONTENT))
        assert (timeline.usage.input, timeline.usage.cached) == (400, cached)
    assert firsts == [100 + 0.5 * 400, 100 + 0.5 * (400 - 256)]
    assert not is_steady(law)
