r"""`{{name}}` templates: pure functions over text and variables.

Whitespace inside the braces is tolerated. `\{{` stands for two braces that mean themselves. A name is letters,
digits, `_`, `.` and `-`; anything else between double braces is left as it is (and can be listed with `odd`).
One pass: a value that itself holds braces is not filled in again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_TOKEN = re.compile(r"\\\{\{|\{\{\s*([\w.-]+)\s*\}\}")
_ODD = re.compile(r"(?<!\\)\{\{(?!\s*[\w.-]+\s*\}\})[^{}\n]{0,60}\}\}")


class UndefinedError(KeyError):
    """A template uses a variable that nobody defined; `name` is its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(name)


def names(template: str) -> list[str]:
    """Variables that `template` uses, in order of appearance, repeats included."""
    if "{{" not in template:
        return []
    return [name for name in _TOKEN.findall(template) if name]


def odd(template: str) -> list[str]:
    """Places that look like a variable but are none, such as `{{first name}}`."""
    return _ODD.findall(template) if "{{" in template else []


def fill(template: str, variables: Mapping[str, Any]) -> str:
    """`template` with its variables filled in. Raises UndefinedError."""
    if "{{" not in template:
        return template

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name is None:
            return "{{"
        if name not in variables:
            raise UndefinedError(name)
        return text(variables[name])

    return _TOKEN.sub(value, template)


def text(value: Any) -> str:
    """How a variable's value is written: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def escape(plain: str) -> str:
    """A template that renders to `plain` whatever it holds."""
    return plain.replace("{{", r"\{{")
