"""Error bodies of providers, gateways and proxies: kind and message."""

from __future__ import annotations

import pytest

from benchbook.wire import ErrorBody
from benchbook.wire.refusals import LIMIT, read, short

PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>502 Bad\nGateway</title><style>p {}</style></head><body>"
    b"<script>alert(1)</script><!-- x --><h1>502</h1><p>The   upstream\tfailed</p></body></html>"
)
BODIES = {
    "OpenAI": (b'{"error":{"message":"m","type":"t","param":null,"code":"c"}}', ErrorBody("t", "m")),
    "a code alone": (b'{"error":{"message":"m","code":402}}', ErrorBody("402", "m")),
    "Anthropic": (b'{"type":"error","error":{"type":"t","message":"m"},"request_id":"r"}', ErrorBody("t", "m")),
    "Ollama": (b'{"error":"m"}', ErrorBody("fallback", "m")),
    "Bedrock": (b'{"message":"m"}', ErrorBody("fallback", "m")),
    "AWS": (b'{"__type":"com.amazon#Throttled","Message":"m"}', ErrorBody("Throttled", "m")),
    "FastAPI": (b'{"detail":"m"}', ErrorBody("fallback", "m")),
    "FastAPI's list": (b'{"detail":[{"loc":["body"]}]}', ErrorBody("fallback", '[{"loc":["body"]}]')),
    "Google's list": (b'[{"error":{"code":400,"message":"m","status":"S"}}]', ErrorBody("400", "m")),
    "a message beside the error": (b'{"error":{},"message":"m"}', ErrorBody("fallback", "m")),
    "a string": (b'"m"', ErrorBody("fallback", "m")),
    "null": (b"null", ErrorBody("fallback", "")),
    "an empty list": (b"[]", ErrorBody("fallback", "[]")),
    "no body": (b"", ErrorBody("fallback", "")),
    "plain text with control characters": (b"no\x00\x1b[31m way\r\n", ErrorBody("fallback", "no [31m way")),
    "not UTF-8": (b"caf\xe9", ErrorBody("fallback", "caf\ufffd")),
    "a page": (PAGE, ErrorBody("fallback", "502 Bad Gateway 502 The upstream failed")),
    "a page without a title": (b"<html><body>Forbidden", ErrorBody("fallback", "Forbidden")),
    "a page inside JSON": (b'{"message":"<html><p>m</p>"}', ErrorBody("fallback", "m")),
    "text with a less-than sign": (b"max_tokens < 1", ErrorBody("fallback", "max_tokens < 1")),
}


@pytest.mark.parametrize("row", BODIES)
def test_reading(row):
    body, expected = BODIES[row]
    assert read(body, {503: "fallback"}, 503) == expected


def test_a_status_without_a_word_has_no_kind():
    assert read(b"x", {503: "fallback"}, 418) == ErrorBody("", "x")


def test_long_messages_are_cut():
    assert short("x" * LIMIT) == "x" * LIMIT
    assert short("x" * (LIMIT + 1)) == "x" * (LIMIT - 3) + "..."
