"""Which proxy an origin takes, as a table."""

from __future__ import annotations

import pytest

from benchbook.providers.http import Origin
from benchbook.providers.proxy_env import Proxy, choose, is_loopback, parse

PROXIES = {"http": "http://p:1", "https": "p:2", "no": "internal.test,.corp.test,10.0.0.7,api.test:8443"}


@pytest.mark.parametrize(
    ("scheme", "host", "port", "proxy"),
    [
        ("http", "api.example.test", 80, 1),
        ("https", "api.example.test", 443, 2),
        ("https", "internal.test", 443, None),
        ("https", "deep.corp.test", 443, None),
        ("https", "10.0.0.7", 443, None),
        ("https", "api.test", 8443, None),
        ("https", "api.test", 443, 2),
        ("http", "localhost", 11434, None),
        ("http", "127.0.0.1", 80, None),
        ("http", "::1", 80, None),
    ],
)
def test_choice(scheme: str, host: str, port: int, proxy: int | None) -> None:
    chosen = choose(Origin(scheme, host, port), PROXIES)
    assert (chosen.origin.port if chosen else None) == proxy


def test_all_proxy_serves_where_no_other_is_named() -> None:
    chosen = choose(Origin("https", "h.test", 443), {"all": "http://p:9"})
    assert chosen is not None
    assert chosen.origin == Origin("http", "p", 9)
    assert choose(Origin("https", "h.test", 443), {}) is None
    assert choose(Origin("https", "h.test", 443), {"https": "http://p:9", "no": "*"}) is None


def test_a_proxy_s_password_never_shows() -> None:
    proxy = parse("http://user:sesame@p:8080")
    assert proxy.origin == Origin("http", "p", 8080)
    assert proxy.headers == {"proxy-authorization": "Basic dXNlcjpzZXNhbWU="}
    assert "dXNl" not in repr(proxy)
    assert "sesame" not in repr(proxy)
    assert parse("p") == Proxy(Origin("http", "p", 80))
    assert parse("http://[::1]:3128").origin == Origin("http", "::1", 3128)
    assert not parse("p").headers


@pytest.mark.parametrize(
    ("host", "is_it"),
    [
        ("localhost", True),
        ("LOCALHOST.", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("localhost.evil.test", False),
    ],
)
def test_loopback(host: str, is_it: bool) -> None:
    assert is_loopback(host) is is_it
