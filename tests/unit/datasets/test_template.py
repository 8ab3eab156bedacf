"""Templates: a table, and the laws of filling and escaping."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchbook.datasets.template import UndefinedError, escape, fill, names, odd

TABLE: list[tuple[str, dict[str, Any], str]] = [
    ("no braces", {}, "no braces"),
    ("Hi {{name}}!", {"name": "Bo"}, "Hi Bo!"),
    ("{{ name }}{{name\n}}", {"name": "Bo"}, "BoBo"),
    (r"\{{name}} is {{name}}", {"name": "Bo"}, "{{name}} is Bo"),
    ("{{a}}", {"a": "{{b}}", "b": "x"}, "{{b}}"),
    ("{{n}} {{f}} {{b}} {{l}} {{z}}", {"n": 3, "f": 0.5, "b": True, "l": ["é"], "z": None}, '3 0.5 true ["é"] null'),
    ("{{a.b-c_1}}", {"a.b-c_1": "x"}, "x"),
    ("{{größe}}", {"größe": "x"}, "x"),
    ("{{first name}} {{}} {x}", {}, "{{first name}} {{}} {x}"),
    ("style={{color: 1}}", {}, "style={{color: 1}}"),
    ("{{{a}}}", {"a": "x"}, "{x}"),
    (r"\\{{a}}", {"a": "x"}, r"\{{a}}"),
]  # fmt: skip


@pytest.mark.parametrize(("template", "variables", "text"), TABLE)
def test_filling(template: str, variables: dict[str, Any], text: str) -> None:
    assert fill(template, variables) == text


def test_an_undefined_variable_is_named() -> None:
    with pytest.raises(UndefinedError) as caught:
        fill("{{a}} {{b}}", {"a": 1})
    assert caught.value.name == "b"


def test_names_are_in_order_and_escapes_are_none() -> None:
    assert names(r"{{b}} {{ a }} \{{c}} {{b}} {{x y}}") == ["b", "a", "b"]


def test_what_only_looks_like_a_variable_is_listed() -> None:
    assert odd(r"{{first name}} {{ok}} \{{a b}} {{}}") == ["{{first name}}", "{{}}"]


@given(st.text(alphabet="{}\\ ab") | st.text())
def test_escaped_text_renders_to_itself(text: str) -> None:
    assert fill(escape(text), {}) == text
    assert names(escape(text)) == []


@given(st.text(), st.text(), st.text())
def test_values_are_put_in_as_they_are(before: str, value: str, after: str) -> None:
    made = fill(escape(before).rstrip("\\{") + " {{v}}" + escape(after).lstrip("}"), {"v": value})
    assert f" {value}" in made
