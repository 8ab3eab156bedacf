"""How the processes begin: what they settle comes before anything slow is loaded, and leaves the user's word alone."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_PLUGINS = "PYDANTIC_DISABLE_PLUGINS"
_BEGUN = """
import gc, os
from benchbook import startup
startup.begin()
print(gc.get_threshold()[0], os.environ["PYDANTIC_DISABLE_PLUGINS"])
"""


def _python(code: str, plugins: str | None = None) -> str:
    environ = {name: value for name, value in os.environ.items() if name != _PLUGINS}
    environ |= {} if plugins is None else {_PLUGINS: plugins}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ).stdout


@pytest.mark.parametrize("module", ["benchbook.stages.engine", "benchbook.cli"])
def test_what_begins_a_process_loads_nothing_slow_itself(module: str) -> None:
    slow = {"pydantic", "asyncio", "importlib.metadata", "yaml", "benchbook.records"}
    assert _python(f"import {module}, sys; print(sorted({slow!r} & set(sys.modules)))") == "[]\n"


@pytest.mark.parametrize(("plugins", "then"), [(None, "__all__"), ("mine", "mine")])
def test_the_heap_is_looked_through_seldom_and_plugins_are_as_the_user_says(plugins: str | None, then: str) -> None:
    assert _python(_BEGUN, plugins).split() == ["200000", then]
