"""What an HTTP status and its header fields mean: an error kind, and how long to wait. Pure.

A provider's own word wins over the status where it is more exact: Bedrock says throttling with a 400 at times.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_KINDS = {
    400: "bad_request",
    401: "auth",
    403: "auth",
    404: "not_found",
    407: "proxy",
    413: "bad_request",
    422: "bad_request",
    429: "rate_limited",
    503: "overloaded",
    529: "overloaded",
}
_AWS_KINDS = {
    "ThrottlingException": "rate_limited",
    "TooManyRequestsException": "rate_limited",
    "ServiceQuotaExceededException": "rate_limited",
    "ServiceUnavailableException": "overloaded",
    "ModelNotReadyException": "overloaded",
    "AccessDeniedException": "auth",
    "UnrecognizedClientException": "auth",
    "ExpiredTokenException": "auth",
    "InvalidSignatureException": "auth",
    "ResourceNotFoundException": "not_found",
}
_REQUEST_IDS = ("x-request-id", "request-id", "x-amzn-requestid")


def error_kind(status: int, headers: Mapping[str, str]) -> str:
    """The error kind of a status that is not 200."""
    exception = headers.get("x-amzn-errortype", "").split(":")[0].rpartition("#")[2]
    if exception in _AWS_KINDS:
        return _AWS_KINDS[exception]
    return _KINDS.get(status) or ("server_error" if 500 <= status < 600 else "http_error")


def request_id(headers: Mapping[str, str]) -> str | None:
    """The provider's name for this request, or None."""
    return next((headers[name] for name in _REQUEST_IDS if headers.get(name)), None)


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """How long the server asks to wait, in seconds, or None.

    Read in this order: `retry-after-ms`; `Retry-After` in seconds or as a date; the reset time of an
    `anthropic-ratelimit-*` allowance that is used up. Dates count from the answer's own `Date`, where it has one,
    so that clocks may differ; else from `now`.
    """
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    stated = headers.get("retry-after", "")
    seconds = _number(stated)
    if seconds is not None:
        return seconds
    until = _http_date(stated) or _used_up_until(headers)
    if until is None:
        return None
    since = _http_date(headers.get("date", "")) or now
    return max(0.0, (until - since).total_seconds())


def _number(text: str) -> float | None:
    """A decimal number of at least 0; `nan` and `inf` are none."""
    text = text.strip()
    return float(text) if text.replace(".", "", 1).isdecimal() and text.isascii() else None


def _http_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _used_up_until(headers: Mapping[str, str]) -> datetime | None:
    """The latest reset among Anthropic's allowances of which nothing remains."""
    resets = []
    for name, value in headers.items():
        if name.startswith("anthropic-ratelimit-") and name.endswith("-remaining") and value.strip() == "0":
            try:
                reset = datetime.fromisoformat(headers.get(name.removesuffix("remaining") + "reset", ""))
            except ValueError:
                continue
            resets.append(reset if reset.tzinfo else reset.replace(tzinfo=UTC))
    return max(resets, default=None)
