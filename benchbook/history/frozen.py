"""A column that holds a JSON object (a run's plan, its settings), read without trust: all else in it is nothing."""

from __future__ import annotations

from typing import Any

import orjson


def frozen(text: str | None) -> dict[str, Any]:
    """The object in a text; empty where there is none, or something else."""
    try:
        found = orjson.loads(text or "{}")
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
