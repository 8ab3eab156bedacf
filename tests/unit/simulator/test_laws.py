"""Draws keep their bounds and medians, depend on their key alone, and tokens are cut without loss."""

from __future__ import annotations

from itertools import repeat
from statistics import median

from hypothesis import given
from hypothesis import strategies as st

from benchbook.records import Message, ModelRequest
from benchbook.simulator.laws import chance, chunks, count_tokens, draw, last_question, prompt_key, prompt_tokens
from benchbook.simulator.profile import Fixed, Lognormal, Uniform

MS = st.floats(0, 1e6)


@given(MS, st.integers())
def test_fixed_is_fixed(value: float, seed: int) -> None:
    assert draw(Fixed(value=value), chance(seed, "x")) == value


@given(MS, MS, st.integers())
def test_uniform_stays_between_its_bounds(one: float, two: float, seed: int) -> None:
    low, high = sorted((one, two))
    law, random = Uniform(kind="uniform", low=low, high=high), chance(seed, "x")
    assert all(low <= draw(law, random) <= high for _ in range(20))


@given(st.floats(0.01, 1e5), st.floats(0, 5), st.floats(0, 1), st.floats(1, 100), st.integers())
def test_lognormal_is_positive_and_clamped(mid: float, sigma: float, low: float, high: float, seed: int) -> None:
    law = Lognormal(kind="lognormal", median=mid, sigma=sigma, min=mid * low, max=mid * high)
    free, random = Lognormal(kind="lognormal", median=mid, sigma=sigma), chance(seed, "x")
    assert all(mid * low <= draw(law, random) <= mid * high for _ in range(20))
    assert all(draw(free, random) > 0 for _ in range(20))


@given(st.integers(0, 2**32))
def test_lognormal_has_its_median(seed: int) -> None:
    """2,000 draws: the sample median of ln x has a standard error of 1.25 sigma / sqrt(2000); six of them."""
    random = chance(seed, "median")
    law = Lognormal(kind="lognormal", median=200, sigma=0.3, max=1000)
    drawn = median(draw(law, random) for _ in range(2000))
    assert 200 * 0.95 < drawn < 200 * 1.05


def test_a_generator_depends_on_seed_purpose_and_key_alone() -> None:
    same = [chance(1, "ttft", "m", "p", 0).random() for _ in range(2)]
    assert same[0] == same[1]
    others = [
        chance(2, "ttft", "m", "p", 0),
        chance(1, "token_ms", "m", "p", 0),
        chance(1, "ttft", "n", "p", 0),
        chance(1, "ttft", "m", "q", 0),
        chance(1, "ttft", "m", "p", 1),
    ]
    assert len({same[0], *(other.random() for other in others)}) == 6


@given(st.text(max_size=200), st.integers(0, 9))
def test_chunks_join_to_the_text_and_their_tokens_to_its_count(text: str, size: int) -> None:
    cut = list(chunks(text, repeat(size)))
    assert "".join(piece for piece, _ in cut) == text
    assert sum(tokens for _, tokens in cut) == count_tokens(text)
    assert all(tokens == max(1, size) for _, tokens in cut[:-1])


def test_prompts_are_the_same_when_what_is_said_is_the_same() -> None:
    def request(*messages: Message, system: str | None = None) -> ModelRequest:
        return ModelRequest("m", messages, system)

    ask, reply = Message("user", "hello"), Message("assistant", "hi")
    assert prompt_key(request(ask)) == prompt_key(request(Message("user", "hello")))
    keys = {prompt_key(r) for r in (request(ask), request(reply), request(ask, reply), request(ask, system="s"))}
    assert len(keys) == 4
    assert prompt_tokens(request(ask, reply, system="12345")) == 2 + 1 + 2
    assert last_question(request(ask, reply)) == "hello"
    assert last_question(request(reply)) == ""
