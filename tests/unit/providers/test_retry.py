"""The retry policy's arithmetic."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from benchbook.providers.retry import RetryPolicy
from benchbook.records import ERROR_KINDS, RETRYABLE, Call

POLICIES = st.builds(
    RetryPolicy,
    attempts=st.integers(1, 10),
    base_s=st.floats(0, 60, allow_nan=False),
    cap_s=st.floats(0, 300, allow_nan=False),
)


def failed(kind: str | None = "server_error", retry_after_s: float | None = None, closed_ns: int = 0) -> Call:
    return Call(
        call_id="c",
        attempt=1,
        model_requested="m",
        streamed=True,
        intended_ns=0,
        taken_up_ns=0,
        sent_ns=0,
        closed_ns=closed_ns,
        error_kind=kind,
        retry_after_s=retry_after_s,
    )


def test_ceilings_double_up_to_the_cap() -> None:
    policy = RetryPolicy(attempts=9)
    assert [policy.ceiling_s(attempt) for attempt in range(1, 8)] == [1, 2, 4, 8, 16, 30, 30]
    assert RetryPolicy(base_s=0.5, cap_s=3).ceiling_s(10_000) == 3
    assert RetryPolicy(base_s=0).ceiling_s(5) == 0
    assert RetryPolicy(cap_s=0).ceiling_s(5) == 0


@given(POLICIES, st.integers(1, 12), st.integers())
def test_the_wait_is_within_the_ceiling_and_repeatable(policy: RetryPolicy, attempt: int, seed: int) -> None:
    wait = policy.next_wait(failed(), attempt, Random(seed))
    assert wait == policy.next_wait(failed(), attempt, Random(seed))
    if attempt >= policy.attempts:
        assert wait is None
    else:
        assert wait is not None
        assert 0 <= wait <= policy.ceiling_s(attempt) <= max(policy.cap_s, 0)
        assert policy.ceiling_s(attempt) <= policy.base_s * 2 ** (attempt - 1) * (1 + 1e-9)


def test_the_jitter_is_full() -> None:
    rng = Random(1)
    waits = [RetryPolicy().next_wait(failed(), 2, rng) or 0.0 for _ in range(2000)]
    assert min(waits) < 0.05
    assert max(waits) > 1.95
    assert 0.9 < sum(waits) / len(waits) < 1.1


@given(POLICIES, st.integers(1, 12), st.sampled_from([None, *ERROR_KINDS]))
def test_only_what_may_pass_is_tried_again(policy: RetryPolicy, attempt: int, kind: str | None) -> None:
    wait = policy.next_wait(failed(kind), attempt, Random(0))
    assert (wait is not None) == (kind in RETRYABLE and attempt < policy.attempts)


def test_a_timeout_is_never_tried_again() -> None:
    assert RetryPolicy().next_wait(failed("timeout"), 1, Random(0)) is None


@given(st.floats(0, 1e6, allow_nan=False), st.integers())
def test_retry_after_is_waited_for_at_least(asked_s: float, seed: int) -> None:
    wait = RetryPolicy().next_wait(failed("rate_limited", asked_s), 1, Random(seed))
    assert wait is not None
    assert asked_s <= wait <= max(asked_s, 1.0)


@given(st.floats(0, 100, allow_nan=False), st.integers(0, 10**11), st.integers())
def test_a_wait_beyond_the_deadline_is_not_begun(asked_s: float, deadline_ns: int, seed: int) -> None:
    call = failed("rate_limited", asked_s, closed_ns=10**9)
    unbounded = RetryPolicy().next_wait(call, 1, Random(seed))
    assert unbounded is not None
    wait = RetryPolicy().next_wait(call, 1, Random(seed), deadline_ns)
    assert wait == (unbounded if call.closed_ns + unbounded * 1e9 < deadline_ns else None)


def test_giving_up_says_why() -> None:
    policy, rng = RetryPolicy(), Random(0)
    assert policy.decide(failed(None), 1, rng).reason == "it succeeded"
    assert policy.decide(failed("auth"), 1, rng).reason == "auth is not retried"
    assert policy.decide(failed(), 3, rng).reason == "gave up after 3 attempts"
    late = policy.decide(failed("rate_limited", 60.0, closed_ns=10**9), 1, rng, deadline_ns=3 * 10**9)
    assert (late.wait_s, late.reason) == (
        None,
        "not retried: the server asks for 60 s, and 2.0 s of the trial's time are left",
    )
    assert "the back-off is" in policy.decide(failed(closed_ns=10**9), 1, rng, deadline_ns=10**9).reason
    assert "attempt 2 of 3" in policy.decide(failed(), 1, rng).reason
