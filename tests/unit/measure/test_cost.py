"""Money from usage and a dated price vector, by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchbook.measure.cost import cost_usd, trial_cost_usd
from benchbook.measure.usage import trial_usage, usage_metrics
from benchbook.records import Call, Chunk, Price, Usage

PRICE = Price("2026-11", input=3.0, cached=0.3, cache_write=3.75, output=15.0)


@pytest.mark.parametrize(
    ("price", "usage", "expected"),
    [
        (PRICE, Usage(input=1000, output=500), 0.003 + 0.0075),
        (PRICE, Usage(input=1000, cached=400, cache_write=100, output=0), (500 * 3 + 400 * 0.3 + 100 * 3.75) / 1e6),
        (PRICE, Usage(input=0, output=0), 0.0),
        (PRICE, Usage(input=10, output=500, reasoning=400), (30 + 7500) / 1e6),
        (Price("d", 3.0, output=15.0, reasoning=20.0), Usage(10, output=500, reasoning=400), (30 + 1500 + 8000) / 1e6),
        (Price("d", 3.0, output=15.0, request=0.01), Usage(input=0, output=0), 0.01),
        (Price("d", 3.0), Usage(input=1_000_000, output=0), 3.0),
        (None, Usage(input=1, output=1), "no price"),
        (PRICE, Usage(output=1), "usage not reported"),
        (PRICE, Usage(input=1), "usage not reported"),
        (Price("d", 3.0), Usage(input=1, output=1), "output price unknown"),
        (Price("d", output=3.0), Usage(input=1, output=1), "input price unknown"),
        (Price("d", 3.0, output=3.0), Usage(input=2, cached=1, output=1), "cached price unknown"),
        (PRICE, Usage(input=2, cached=5, output=1), "reported usage contradicts itself (input tokens: -3)"),
        (Price("d", 3, output=3, reasoning=3), Usage(2, output=1, reasoning=4), None),
    ],
)
def test_cost_of_a_call(price: Price | None, usage: Usage, expected: float | str | None) -> None:
    value, provenance = cost_usd(price, usage)
    if isinstance(expected, float):
        assert (value, provenance) == (pytest.approx(expected, abs=1e-15), "derived")
    else:
        assert value is None
        assert provenance == f"missing: {expected}" or (expected is None and provenance.startswith("missing: "))


def call(usage: Usage, error: str | None = None, chunks: int = 1) -> Call:
    pieces = tuple(Chunk(index, 1, "text") for index in range(chunks))
    return Call("c", 1, "m", True, 0, 0, 0, 9, chunks=pieces, error_kind=error, usage=usage)


REJECTED = call(Usage(), "rate_limited", 0)
BROKEN = call(Usage(), "reset", 3)
GOOD = call(Usage(input=1000, output=500))


def test_a_rejected_attempt_counts_nothing() -> None:
    assert trial_usage([REJECTED, GOOD]) == GOOD.usage
    assert trial_cost_usd(PRICE, [REJECTED, GOOD]) == cost_usd(PRICE, GOOD.usage)


def test_an_attempt_that_brought_content_unreported_makes_the_sum_unknown() -> None:
    assert trial_usage([BROKEN, GOOD]) == Usage()
    assert trial_cost_usd(PRICE, [BROKEN, GOOD]) == (None, "missing: usage not reported")


def test_calls_add_up() -> None:
    assert trial_usage([GOOD, GOOD]) == Usage(input=2000, output=1000)
    assert trial_cost_usd(PRICE, [GOOD, GOOD])[0] == pytest.approx(0.021)


def test_a_trial_that_nobody_answered() -> None:
    assert trial_usage([REJECTED]) == trial_usage([]) == Usage()
    assert trial_cost_usd(PRICE, [REJECTED]) == (None, "missing: no call was answered")


def test_token_columns_are_reported_or_missing() -> None:
    metrics = usage_metrics(Usage(input=7, output=0))
    assert metrics.values == {
        "tokens_in": 7,
        "tokens_cached": None,
        "tokens_cache_write": None,
        "tokens_out": 0,
        "tokens_reasoning": None,
    }
    assert metrics.provenance["tokens_out"] == "reported"
    assert metrics.provenance["tokens_cached"] == "missing: not reported"


rates = st.floats(0, 100)
tokens = st.integers(0, 10**6)


@given(rates, rates, rates, rates, tokens, tokens, tokens, tokens)
def test_cost_is_linear_in_each_part(
    fresh: float, cached: float, write: float, out: float, n_fresh: int, n_cached: int, n_write: int, n_out: int
) -> None:
    price = Price("d", fresh, cached, write, out)
    usage = Usage(n_fresh + n_cached + n_write, n_cached, n_write, n_out)
    plain = (fresh * n_fresh + cached * n_cached + write * n_write + out * n_out) / 1e6
    assert cost_usd(price, usage)[0] == pytest.approx(plain)
