"""Statuses and header fields, as tables."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from benchbook.providers import status
from benchbook.records import ERROR_KINDS

NOW = datetime(2026, 11, 21, 8, 0, 0, tzinfo=UTC)
USED_UP = {
    "anthropic-ratelimit-requests-remaining": "0",
    "anthropic-ratelimit-requests-reset": "2026-11-21T08:00:05Z",
    "anthropic-ratelimit-tokens-remaining": "0",
    "anthropic-ratelimit-tokens-reset": "2026-11-21T08:00:09Z",
    "anthropic-ratelimit-output-tokens-remaining": "100",
    "anthropic-ratelimit-output-tokens-reset": "2026-11-21T09:00:00Z",
}


@pytest.mark.parametrize(
    ("http_status", "kind"),
    [
        (400, "bad_request"),
        (401, "auth"),
        (402, "http_error"),
        (403, "auth"),
        (404, "not_found"),
        (407, "proxy"),
        (408, "http_error"),
        (413, "bad_request"),
        (422, "bad_request"),
        (429, "rate_limited"),
        (500, "server_error"),
        (502, "server_error"),
        (503, "overloaded"),
        (504, "server_error"),
        (529, "overloaded"),
        (599, "server_error"),
        (204, "http_error"),
        (302, "http_error"),
        (600, "http_error"),
    ],
)
def test_kinds_by_status(http_status: int, kind: str) -> None:
    assert status.error_kind(http_status, {}) == kind
    assert kind in ERROR_KINDS


@pytest.mark.parametrize(
    ("http_status", "exception", "kind"),
    [
        (400, "ThrottlingException", "rate_limited"),
        (429, "ThrottlingException:http://internal.amazon.com/coral/com.amazon.bedrock/", "rate_limited"),
        (400, "com.amazon.bedrock#ThrottlingException", "rate_limited"),
        (400, "ExpiredTokenException", "auth"),
        (429, "ModelNotReadyException", "overloaded"),
        (400, "ValidationException", "bad_request"),
    ],
)
def test_bedrock_s_own_word_wins(http_status: int, exception: str, kind: str) -> None:
    assert status.error_kind(http_status, {"x-amzn-errortype": exception}) == kind


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after": "Sat, 21 Nov 2026 08:00:30 GMT"}, 30.0),
        ({"retry-after": "Sat, 21 Nov 2026 07:00:00 GMT"}, 0.0),
        ({"retry-after": "Sat, 21 Nov 2026 09:00:30 GMT", "date": "Sat, 21 Nov 2026 09:00:10 GMT"}, 20.0),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1e9999"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "\u0667"}, None),
        (USED_UP, 9.0),
        ({**USED_UP, "retry-after": "2"}, 2.0),
        ({"anthropic-ratelimit-requests-remaining": "0"}, None),
        ({"anthropic-ratelimit-requests-remaining": "3", "anthropic-ratelimit-requests-reset": "x"}, None),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert status.retry_after_s(headers, NOW) == seconds


def test_request_ids() -> None:
    assert status.request_id({"x-request-id": "a", "request-id": "b"}) == "a"
    assert status.request_id({"request-id": "b"}) == "b"
    assert status.request_id({"x-amzn-requestid": "c"}) == "c"
    assert status.request_id({}) is None
