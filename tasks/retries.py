"""Which failures of a task are worth another try: the file system's, for a hiccup may pass. Nothing else will."""

from __future__ import annotations

from typing import Any

from prefect.client.schemas.objects import State


def worth_another_try(_task: object, _run: object, state: State[Any]) -> bool:
    """Whether the task failed by an OSError; a user's error has its line, a defect its traceback."""
    return isinstance(state.data, OSError)
