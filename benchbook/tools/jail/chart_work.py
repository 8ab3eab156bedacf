"""Drawing a chart in a forked process: matplotlib is loaded once, by the keeper, and its fonts are warm.

The code is ours and only the texts are not, so the lock is a second one here: it may be missing.
"""

from __future__ import annotations

import json
import sys
import sysconfig
from collections.abc import Callable, Mapping
from typing import Any

from benchbook.tools import drawing

_WARMING = {
    "kind": "bar",
    "title": "title",
    "x_label": "x",
    "y_label": "y",
    "series": [{"name": name, "x": ["a", "b"], "y": [1, 2]} for name in ("one", "two")],
}


def prepare(_preparation: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], int]:
    """The work itself, after one chart that nobody sees."""
    drawing.drawn(_WARMING)
    return work


def readable(_payload: Mapping[str, Any]) -> list[str]:
    """Where the interpreter, shared libraries, matplotlib and its fonts lie."""
    paths = sysconfig.get_paths()
    return [paths["stdlib"], paths["platstdlib"], paths["purelib"], paths["platlib"], "/lib", "/lib64", "/usr"]


def work(payload: Mapping[str, Any]) -> int:
    """Draw `payload["order"]` and print what `drawing.printed` says."""
    json.dump(drawing.printed(payload["order"]), sys.stdout)
    return 0
