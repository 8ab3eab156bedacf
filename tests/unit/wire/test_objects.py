"""Getters of foreign JSON: missing is nothing, the wrong type is a WireError, a message holds a short excerpt."""

from __future__ import annotations

from types import MappingProxyType

import pytest

from benchbook.errors import WireError
from benchbook.wire import ndjson, objects


@pytest.mark.parametrize(
    ("getter", "nothing", "right", "wrong"),
    [
        (objects.text, "", "a", 1),
        (objects.child, {}, {"a": 1}, []),
        (objects.children, [], [{}], [1]),
        (objects.count, None, 3, "3"),
        (objects.count, None, 3, 3.5),
        (objects.number, None, 0.5, True),
        (objects.number, None, 0.5, float("inf")),
        (objects.strings, (), ("a",), ["a", 1]),
    ],
)
def test_getters(getter, nothing, right, wrong):
    assert getter({}, "k") == getter({"k": None}, "k") == nothing
    assert getter({"k": list(right) if isinstance(right, tuple) else right}, "k") == right
    with pytest.raises(WireError, match=r"^k "):
        getter({"k": wrong}, "k")


def test_load_says_what_it_found_in_short():
    for data in (b"\xff" * 500, b"x" * 500, "x" * 500, b"[" + b"1," * 300 + b"1]"):
        with pytest.raises(WireError) as caught:
            objects.load(data)
        assert len(str(caught.value)) < 350
        assert str(caught.value).isprintable()


def test_dump_takes_any_mapping():
    assert objects.dump({"a": MappingProxyType({"b": (1,)})}) == b'{"a":{"b":[1]}}'
    with pytest.raises(WireError):
        objects.dump({"a": 2**70})


def test_filled_keeps_zero_and_false():
    assert objects.filled(a=0, b=False, c=None, d="", e=[], f=(), g={}, h=0.0) == {"a": 0, "b": False, "h": 0.0}


def test_an_unfinished_last_line_counts_if_it_is_whole():
    for end, count in ((b"", 2), (b"\n", 2), (b"\r\n\n", 2)):
        reader = ndjson.Reader()
        assert len([*reader.feed(b'{"a":1}\n{"a":'), *reader.feed(b"2}" + end), *reader.close()]) == count
    reader = ndjson.Reader()
    assert [*reader.feed(b'{"a":1}\n{"a"'), *reader.close()] == [{"a": 1}]
    assert ndjson.encode({"a": 1}) == b'{"a":1}\n'
