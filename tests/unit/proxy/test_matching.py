"""Which recorded answer a request gets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchbook.proxy.cassette import COMPLETE, Answered, Asked, Cassette, Recorded
from benchbook.proxy.matching import Matcher, Miss

PATH = "/v1/chat/completions"


def tape(*asked: tuple[str, str, Any]) -> Cassette:
    kept = tuple(
        Recorded(number, "http://x", Asked(method, path, (), json.dumps(body).encode()), Answered(1, COMPLETE, 200))
        for number, (method, path, body) in enumerate(asked, 1)
    )
    return Cassette(Path("tape"), {"ignore": ["user"]}, kept, ())


def take(matcher: Matcher, body: Any, path: str = PATH, method: str = "POST", **headers: str) -> int | Miss:
    found = matcher.take(method, path, headers, json.dumps(body).encode())
    return found if isinstance(found, Miss) else found.number


def test_the_nth_equal_request_gets_the_nth_answer_and_then_the_first_again() -> None:
    one, other = {"a": 1}, {"a": 2}
    matcher = Matcher(tape(("POST", PATH, one), ("POST", PATH, other), ("POST", PATH, one)))
    assert [take(matcher, one), take(matcher, one), take(matcher, other), take(matcher, one)] == [1, 3, 2, 1]


@pytest.mark.parametrize(
    "body",
    [
        {"b": [1, 2.5], "a": {"y": 0, "x": 1}},
        {"a": {"x": 1.0, "y": 0.0}, "b": [1, 2.5]},
        {"a": {"x": 1, "y": 0}, "b": [1, 2.5], "user": "someone"},
    ],
)
def test_bodies_are_compared_as_json(body: Any) -> None:
    assert take(Matcher(tape(("POST", PATH, {"a": {"x": 1, "y": 0}, "b": [1, 2.5], "user": "me"}))), body) == 1


@pytest.mark.parametrize(
    "body", [{"a": {"x": 1}}, {"a": {"x": 1, "y": 1}, "b": [1, 2.5]}, {"a": {"x": 1, "y": 0}, "b": [2.5, 1]}, []]
)
def test_another_body_is_a_miss(body: Any) -> None:
    assert isinstance(take(Matcher(tape(("POST", PATH, {"a": {"x": 1, "y": 0}, "b": [1, 2.5]}))), body), Miss)


def test_places_that_are_ignored() -> None:
    kept = {"meta": {"id": 1}, "messages": [{"id": "x", "text": "hi"}, {"id": "y", "text": "ho"}]}
    asked = {"meta": {"id": 2}, "messages": [{"id": "p", "text": "hi"}, {"text": "ho"}]}
    assert isinstance(take(Matcher(tape(("POST", PATH, kept))), asked), Miss)
    assert take(Matcher(tape(("POST", PATH, kept)), ("meta.id", "messages.*.id")), asked) == 1
    assert isinstance(take(Matcher(tape(("POST", PATH, kept)), ("meta.id", "messages.0.id")), asked), Miss)


@pytest.mark.parametrize("path", [PATH, "/chat/completions", "/proxy/v1/chat/completions", "//v1//chat/completions"])
def test_a_prefix_of_the_path_does_not_matter(path: str) -> None:
    assert take(Matcher(tape(("POST", PATH, {}))), {}, path) == 1


def test_prefixes_tell_apart_where_they_can() -> None:
    matcher = Matcher(tape(("POST", "/a/chat", {"n": 1}), ("POST", "/b/chat", {"n": 1}), ("POST", "/b/chat", {"n": 2})))
    assert (take(matcher, {"n": 1}, "/b/chat"), take(matcher, {"n": 2}, "/chat")) == (2, 3)


def test_keys_are_not_compared_and_parameters_are_in_any_order() -> None:
    matcher = Matcher(tape(("GET", "/models?limit=5&key=[key]", {"api_key": "[key]", "say": "[key]!"})))
    body = {"api_key": "k", "say": "very-secret-indeed!"}
    assert take(matcher, body, "/models?key=other&limit=5", "GET", authorization="Bearer very-secret-indeed") == 1


def test_a_miss_says_what_is_closest() -> None:
    kept = {"model": "m", "messages": [{"content": "Name a river."}]}
    matcher = Matcher(tape(("POST", PATH, {"model": "other", "messages": []}), ("POST", PATH, kept)))
    miss = take(matcher, {"model": "m", "messages": [{"content": "Name a lake."}]})
    assert isinstance(miss, Miss)
    assert "exchange 2 is closest" in miss.message
    assert 'messages.0.content ("Name a river." recorded, "Name a lake." asked)' in miss.message
    nearest = matcher.nearest(miss)
    assert nearest is not None
    assert nearest.number == 2


def test_among_equally_different_ones_the_most_alike_text_is_closest() -> None:
    texts = ("00ff Name a river in Norway.", "00ff Name a poet.", "00ff Count to nine.")
    matcher = Matcher(tape(*(("POST", PATH, {"content": text}) for text in texts)))
    miss = take(matcher, {"content": "a1b2 Name a poet."})
    assert isinstance(miss, Miss)
    assert "exchange 2 is closest" in miss.message


def test_a_miss_without_anything_close_lists_what_is_there() -> None:
    matcher = Matcher(tape(("POST", PATH, {}), ("GET", "/v1/models", {})))
    miss = take(matcher, {}, "/v1/embeddings")
    assert isinstance(miss, Miss)
    assert "no POST /v1/embeddings; it has GET /v1/models, POST /v1/chat/completions" in miss.message
    assert matcher.nearest(miss) is None
    assert isinstance(take(matcher, {}, PATH, "PUT"), Miss)
