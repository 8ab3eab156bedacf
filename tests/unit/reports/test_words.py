"""Numbers as words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from benchbook.reports import words


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "-"),
        (0.0, "0"),
        (0.01234, "0.0123"),
        (7.561, "7.56"),
        (99.96, "100"),
        (248.4, "248"),
        (1234567.8, "1,234,568"),
        (-5.0, "-5"),
    ],
)
def test_a_number_has_three_digits_and_no_exponent(value: float | None, said: str) -> None:
    assert words.number(value) == said


def test_a_rate_of_tokens_is_a_lower_bound_where_some_were_not_reported() -> None:
    rows = ({"tokens_per_s": 90.8, "calls_without_tokens": n} for n in (0, 9))
    assert [words.token_rate(row) for row in rows] == ["90.8", "\N{GREATER-THAN OR EQUAL TO} 90.8"]
    assert words.token_rate({"tokens_per_s": None, "calls_without_tokens": 9}) == words.token_rate({}) == "-"


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (None, "-"),
        (0.0, "0 %"),
        (0.0043, "0.4 %"),
        (0.0996, "10 %"),
        (0.25, "25 %"),
        (229 / 230, "99.6 %"),
        (0.99999, "99.9 %"),
        (1.0, "100 %"),
    ],
)
def test_a_share_is_a_percentage_and_a_small_one_is_not_nothing(part: float | None, said: str) -> None:
    assert words.share(part) == said


@pytest.mark.parametrize(
    ("usd", "said"), [(None, "unknown"), (0.0, "$0"), (0.0397, "$0.0397"), (0.000012, "$0.000012"), (12.345, "$12.35")]
)
def test_unknown_money_is_not_no_money(usd: float | None, said: str) -> None:
    assert words.money(usd) == said


@pytest.mark.parametrize(("value", "said"), [(None, "-"), (23.61, "23.6 s"), (119.0, "119.0 s"), (600.0, "10.0 min")])
def test_a_duration_takes_its_unit(value: float | None, said: str) -> None:
    assert words.seconds(value) == said


def test_a_moment_is_told_in_utc() -> None:
    assert words.moment(datetime(2026, 11, 21, 9, 26, 8, 609522, tzinfo=UTC)) == "2026-11-21 09:26:08 UTC"
    east = datetime(2026, 11, 21, 9, 26, 8, tzinfo=timezone(timedelta(hours=2)))
    assert words.moment(east) == "2026-11-21 07:26:08 UTC"
    assert words.moment(None) == "-"


def test_counts_leave_out_rare_kinds_that_did_not_happen() -> None:
    run = {"planned": 12, "succeeded": 9, "failed": 2, "timed_out": 0, "skipped": 0, "not_started": 1}
    assert words.counts(run) == "12 planned, 9 succeeded, 2 failed, 1 not started"


def latency(**fields: Any) -> dict[str, Any]:
    row = {"ttft_ms_n": 10, "ttft_ms_p95": None, "ttft_ms_p95_low": None, "ttft_ms_p95_high": None}
    return {**row, "ttft_ms_p95_refused": None, **fields}


def test_a_quantile_comes_with_its_interval_or_says_why_not() -> None:
    known = latency(ttft_ms_p95=212.4, ttft_ms_p95_low=198.0, ttft_ms_p95_high=1225.0)
    assert words.quantile(known, "ttft_ms", "p95") == "212 [198\N{EN DASH}1,225]"
    assert words.quantile(latency(ttft_ms_p95_refused="needs 59, has 10"), "ttft_ms", "p95") == "needs 59, has 10"
    nothing = latency(ttft_ms_n=0, ttft_ms_p95_refused="needs 59, has 0")
    assert words.quantile(nothing, "ttft_ms", "p95") == "-"
