"""What each scorer of an agent's way makes of one trace, as a table: settings, value, what is said."""

from __future__ import annotations

from typing import Any

import pytest

from benchbook.measure.trace import steps
from benchbook.records import Case
from benchbook.scoring import Done, judge
from tests.spec.scoring.traces import alone

STATE = {"approved": True, "files": ["a.png", "b.html"], "steps": 3, "order": {"id": 7, "state": "sent"}}
DONE = Done("Seven.", "agent", steps(alone()), STATE)

TABLE: list[tuple[dict[str, Any], float, str]] = [
    ({"kind": "used_tool", "tool": "sql"}, 1, "sql was used 2 times"),
    ({"kind": "used_tool", "tool": "sql", "succeeded": True}, 1, "sql was used 1 time"),
    ({"kind": "used_tool", "tool": "sql", "at_least": 2, "succeeded": True}, 0, "1 time, at least 2 wanted"),
    ({"kind": "used_tool", "tool": "python"}, 0, "python was used 0 times, at least 1 wanted"),
    ({"kind": "used_tool", "tool": "python", "at_most": 0}, 1, "0 times"),
    ({"kind": "used_tool", "tool": "search", "at_most": 1}, 0, "search was used 2 times, at most 1 wanted"),
    ({"kind": "used_tool", "tool": "approval"}, 0, "0 times"),
    ({"kind": "steps", "at_most": 3}, 1, "a model answered 3 times"),
    ({"kind": "steps", "at_most": 2}, 0, "at most 2 wanted"),
    ({"kind": "order", "tools": ["search", "sql"]}, 1, "used in order: search, sql"),
    ({"kind": "order", "tools": ["search", "sql", "sql"]}, 1, "in order"),
    ({"kind": "order", "tools": ["sql", "search"]}, 0.5, "search was not used after sql"),
    ({"kind": "order", "tools": ["search", "search"]}, 0.5, "search was not used after search"),
    ({"kind": "order", "tools": ["chart", "sql"]}, 0, "chart was not used"),
    ({"kind": "asked_approval"}, 1, "approval was asked 1 time"),
    ({"kind": "asked_approval", "at_most": 0}, 0, "at most 0 wanted"),
    ({"kind": "max_search_results", "at_most": 5}, 1, "2 searches, 5 hits at most"),
    ({"kind": "max_search_results", "at_most": 4}, 0, "4 wanted"),
    ({"kind": "max_search_results", "at_most": 0, "tool": "other"}, 1, "0 searches"),
    ({"kind": "max_search_results", "at_most": 9, "tool": "sql"}, 0, "did not record"),
    ({"kind": "end_state", "reached": {"approved": True}}, 1, "reached approved"),
    ({"kind": "end_state", "reached": {"approved": 1}}, 0, "approved is True, not 1"),
    ({"kind": "end_state", "reached": {"files": ["b.html"], "steps": 3}}, 1, "reached files, steps"),
    ({"kind": "end_state", "reached": {"files": ["c.png"], "steps": 3}}, 0.5, "files is"),
    ({"kind": "end_state", "reached": {"order": {"state": "sent"}}}, 1, "reached order"),
    ({"kind": "end_state", "reached": {"order": {"state": "lost"}, "who": None}}, 0.5, "order is"),
]


@pytest.mark.parametrize(("scorer", "value", "said"), TABLE, ids=str)
def test_a_judgement_of_a_trace(scorer: dict[str, Any], value: float, said: str) -> None:
    judged = judge(Case("c", prompt="?", config={"scorer": scorer}), {}, DONE)
    assert judged is not None
    assert (judged.value, judged.passed) == (value, value == 1)
    assert said in judged.parts[0].detail


UNFIT: list[tuple[Any, str]] = [
    ("used_tool", "used_tool needs the name of a tool"),
    ({"kind": "used_tool", "tool": "sql", "at_least": 3, "at_most": 2}, "at_least 3 is more than at_most 2"),
    ({"kind": "used_tool", "tool": "sql", "at_most": -1}, "numbers from 0 on"),
    ({"kind": "used_tool", "tool": "sql", "times": 1}, "used_tool has no option 'times'; it has: tool, at_least"),
    ({"kind": "used_tool", "tool": "sql", "at_least": "two"}, "the option at_least of used_tool is 'two'"),
    ("steps", "steps needs at_most"),
    ({"kind": "order", "tools": ["sql"]}, "at least two names"),
    ("max_search_results", "needs at_most"),
    ("end_state", "needs reached"),
    ({"kind": "steps", "at_most": 3, "workloads": ["agent", "api"]}, "workloads of steps hold 'api'"),
]


@pytest.mark.parametrize(("scorer", "said"), UNFIT, ids=str)
def test_a_scorer_of_traces_that_cannot_judge_says_why(scorer: Any, said: str) -> None:
    judged = judge(Case("c", prompt="?", config={"scorer": scorer}), {}, DONE)
    assert judged is not None
    assert (judged.value, judged.passed) == (0, False)
    assert said in judged.parts[0].detail
