"""What may not be on a cassette is taken out, wherever it stands, and nothing else changes."""

from __future__ import annotations

import base64
import json

import pytest

from benchbook.proxy import scrubbing
from benchbook.wire import eventstream

SECRET = "Zq81-not-shaped-like-a-key"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("authorization", f"Bearer {SECRET}"),
        ("authorization", SECRET),
        ("authorization", "Basic " + base64.b64encode(f"user:{SECRET}".encode()).decode()),
        (
            "authorization",
            f"AWS4-HMAC-SHA256 Credential={SECRET}/20261121/us-east-1/bedrock/aws4_request, Signature=0a",
        ),
        ("proxy-authorization", f"Bearer {SECRET}"),
        ("x-api-key", SECRET),
        ("api-key", SECRET),
        ("x-goog-api-key", SECRET),
        ("ocp-apim-subscription-key", SECRET),
        ("x-amz-security-token", SECRET),
        ("cookie", f"theme=dark; session={SECRET}"),
    ],
)
def test_secrets_are_found_in_header_fields(name: str, value: str) -> None:
    assert SECRET in scrubbing.secrets_of({name: value, "content-type": "application/json"}, "/v1/messages")


def test_harmless_fields_hold_no_secrets_and_alone_are_kept() -> None:
    headers = {"accept": "text/event-stream", "content-type": "application/json", "x-other": "kept by nobody"}
    assert scrubbing.secrets_of(headers, "/") == ()
    assert dict(scrubbing.kept_headers({**headers, "x-api-key": SECRET}, ())) == {
        "accept": "text/event-stream",
        "content-type": "application/json",
    }


@pytest.mark.parametrize("name", ["key", "api_key", "api-key", "apikey", "access_token", "sig", "X-Amz-Signature"])
def test_keys_leave_the_query(name: str) -> None:
    target = f"/v1/models?limit=5&{name}={SECRET}"
    assert scrubbing.scrubbed_path(target, ()) == f"/v1/models?limit=5&{name}=[key]"
    assert SECRET in scrubbing.secrets_of({}, target)


def test_keys_leave_a_request_and_everything_else_stays() -> None:
    body = {"model": "m", "max_tokens": 5, "api_key": "short", "tools": [{"parameters": {"key": "a", "token": "b"}}]}
    asked = {**body, "messages": [{"content": f"say {SECRET} and sk-abcdefgh12345"}], "extra": {"access_token": "x"}}
    left = json.loads(scrubbing.scrubbed_body(json.dumps(asked).encode(), (SECRET,)))
    assert left["api_key"] == left["extra"]["access_token"] == "[key]"
    assert left["messages"][0]["content"] == "say [key] and [key]"
    assert (left["tools"], left["max_tokens"]) == (body["tools"], 5)
    assert scrubbing.scrubbed_body(f"text with {SECRET}".encode(), (SECRET,)) == b"text with " + b"*" * len(SECRET)


def test_a_secret_that_two_pieces_share_is_starred_out_and_sizes_stay() -> None:
    whole = f'data: {{"error":"wrong key {SECRET}"}}\n\n'.encode()
    pieces = (whole[:30], whole[30:35], whole[35:])
    clean = scrubbing.scrubbed_pieces(pieces, "text/event-stream", (SECRET,))
    assert [len(piece) for piece in clean] == [len(piece) for piece in pieces]
    assert b"".join(clean) == whole.replace(SECRET.encode(), b"*" * len(SECRET))


@pytest.mark.parametrize("text", ["sk-abcdefgh12345678", "AKIAABCDEFGHIJKLMNOP", "Bearer abcdefgh.ijkl"])
def test_what_looks_like_a_key_goes_without_being_known(text: str) -> None:
    (clean,) = scrubbing.scrubbed_pieces((f"said: {text}.".encode(),), "text/plain", ())
    assert text.encode() not in clean
    assert clean.startswith(b"said: ")


def test_json_values_with_a_keys_name_go() -> None:
    (clean,) = scrubbing.scrubbed_pieces((b'{"apiKey": "abc", "key": "abc", "secret":"d"}',), "application/json", ())
    assert clean == b'{"apiKey": "***", "key": "abc", "secret":"*"}'


@pytest.mark.parametrize("inner", [False, True])
def test_an_event_stream_stays_readable_when_a_secret_leaves_it(inner: bool) -> None:
    told = json.dumps({"text": f"it is {SECRET}"}).encode()
    payload = json.dumps({"bytes": base64.b64encode(told).decode()}).encode() if inner else told
    message = eventstream.encode({":event-type": "chunk"}, payload)
    pieces = (message[:20], message[20:])
    clean = scrubbing.scrubbed_pieces(pieces, "application/vnd.amazon.eventstream", (SECRET,))
    assert [len(piece) for piece in clean] == [20, len(message) - 20]
    (read,) = eventstream.Reader().feed(b"".join(clean))
    found = base64.b64decode(json.loads(read.payload)["bytes"]) if inner else read.payload
    assert found == told.replace(SECRET.encode(), b"*" * len(SECRET))


def test_answers_lose_cookies_and_whose_account_it_is() -> None:
    fields = [("Set-Cookie", "a=b"), ("openai-organization", "us"), ("retry-after", "2"), ("x-note", f"for {SECRET}")]
    fields += [("x-ratelimit-remaining-tokens", "9")]
    assert scrubbing.scrubbed_fields(fields, (SECRET,)) == (
        ("retry-after", "2"),
        ("x-note", "for [key]"),
        ("x-ratelimit-remaining-tokens", "9"),
    )


def test_texts_without_secrets_come_through_as_they_are() -> None:
    pieces = ("Grüezi, the task-force asked: risk-free?".encode(), b"\x00\xff", b'{"token": 5, "max_tokens": "7"}')
    assert scrubbing.scrubbed_pieces(pieces, "text/plain", ()) == pieces
