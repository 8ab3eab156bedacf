"""Base addresses and wire paths, as a table."""

from __future__ import annotations

import pytest

from benchbook.errors import PlanError
from benchbook.providers import address
from benchbook.providers.http import HttpRequest, Origin, split_url
from benchbook.records import Target


@pytest.mark.parametrize(
    ("base", "path", "whole"),
    [
        ("https://api.openai.com/v1", "/chat/completions", "https://api.openai.com/v1/chat/completions"),
        ("http://h:8000/v1/", "/chat/completions", "http://h:8000/v1/chat/completions"),
        ("http://h:8000/v1///", "chat/completions", "http://h:8000/v1/chat/completions"),
        ("http://h", "/api/chat", "http://h/api/chat"),
        ("http://h/", "/api/chat", "http://h/api/chat"),
        ("http://h/api", "/api/chat", "http://h/api/chat"),
        ("https://h/v1", "/v1/messages", "https://h/v1/messages"),
        ("https://h/proxy/v1/", "/v1/messages", "https://h/proxy/v1/messages"),
        ("https://h/v1/chat/completions", "/chat/completions", "https://h/v1/chat/completions"),
        ("https://h/d/m?api-version=1", "/chat/completions", "https://h/d/m/chat/completions?api-version=1"),
        ("https://h?a=1", "/v1/models?limit=2", "https://h/v1/models?a=1&limit=2"),
        ("http://h", "/model/a%3A0/converse", "http://h/model/a%3A0/converse"),
        ("http://[::1]:8000/v1", "/chat", "http://[::1]:8000/v1/chat"),
    ],
)
def test_join(base: str, path: str, whole: str) -> None:
    assert address.join(base, path) == whole


@pytest.mark.parametrize(
    ("url", "origin", "target", "host"),
    [
        ("http://h/a?b", Origin("http", "h", 80), "/a?b", "h"),
        ("https://h", Origin("https", "h", 443), "/", "h"),
        ("https://h:8443/", Origin("https", "h", 8443), "/", "h:8443"),
        ("http://[::1]:9/x", Origin("http", "::1", 9), "/x", "[::1]:9"),
        ("https://[::1]/x", Origin("https", "::1", 443), "/x", "[::1]"),
    ],
)
def test_split(url: str, origin: Origin, target: str, host: str) -> None:
    assert split_url(url) == (origin, target)
    assert origin.authority == host


@pytest.mark.parametrize(
    ("base", "says"),
    [
        ("h:8000/v1", "no address"),
        ("ftp://h", "no address"),
        ("http://", "no address"),
        ("http://h:port", "no address"),
        ("http://me:sesame@h/v1", "password"),
    ],
)
def test_a_base_that_can_t_be_used_is_the_user_s_error(base: str, says: str) -> None:
    with pytest.raises(PlanError) as caught:
        address.checked(Target("mine", "openai", "m"), base)
    assert "target mine" in str(caught.value)
    assert says in str(caught.value)
    assert "sesame" not in str(caught.value)


def test_loopback_addresses() -> None:
    assert address.on_loopback("http://127.0.0.1:8000/v1")
    assert address.on_loopback("http://[::1]:8000")
    assert not address.on_loopback("https://api.openai.com/v1")
    assert not address.on_loopback(None)


def test_a_request_s_repr_shows_no_header() -> None:
    assert "sesame" not in repr(HttpRequest("http://h/", {"authorization": "Bearer sesame"}, b"sesame"))
