"""Agents, teams and workflows whose every delay is known: plans as files, and where each trial's time must have gone.

Nothing by itself: `agents.py` prints how closely the delays are recovered, `tests/end_to_end/test_agent_law.py` holds
the law on the rows. All delays are multiples of one unit. Cases:

    in-turn   model, tool, model, ...; a lead that asks two workers one after the other
    at-once   tools side by side, workers side by side, their tools at work at the same time
    refused   a model call that is refused first; the provider says how long to wait
    answer    (a single agent's alone) one model call

Each is done by five teams: `alone` (an agent), `led` (a lead and two workers as its tools), `net` (a graph: the two
side by side between two others), `relay` (a swarm of two), `flow` (a workflow: the two side by side, a draft that
wants an approval, a report).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchbook.records.teams import TEAM_KINDS

CASES = {
    "in-turn": "Do it in turn.",
    "at-once": "Do it at once.",
    "refused": "Do it when refused.",
    "answer": "Answer.",
}
MODEL, APPROVAL, BACK_OFF = 4, 6, 5
"""Units: a model call of a single agent, lead or author; a decision; what a refusal asks to wait."""

KNOWN: Mapping[tuple[str, str], Mapping[str, int]] = {
    ("alone", "in-turn"): {"model_ms": 12, "tool_ms": 8, "effort_ms": 20, "critical_path_ms": 20},
    ("alone", "at-once"): {"model_ms": 8, "tool_ms": 9, "effort_ms": 26, "critical_path_ms": 17},
    ("alone", "refused"): {"model_ms": 4, "rate_limit_wait_ms": 5, "effort_ms": 9, "critical_path_ms": 9},
    ("led", "in-turn"): {"model_ms": 18, "tool_ms": 3, "effort_ms": 21, "critical_path_ms": 21},
    ("led", "at-once"): {"model_ms": 14, "tool_ms": 3, "effort_ms": 26, "critical_path_ms": 17},
    ("led", "refused"): {"model_ms": 10, "rate_limit_wait_ms": 5, "effort_ms": 15, "critical_path_ms": 15},
    ("net", "in-turn"): {"model_ms": 12, "tool_ms": 3, "effort_ms": 17, "critical_path_ms": 15},
    ("net", "at-once"): {"model_ms": 14, "tool_ms": 3, "effort_ms": 26, "critical_path_ms": 17},
    ("net", "refused"): {"model_ms": 12, "rate_limit_wait_ms": 3, "effort_ms": 17, "critical_path_ms": 15},
    ("relay", "in-turn"): {"model_ms": 12, "tool_ms": 3, "effort_ms": 15, "critical_path_ms": 15},
    ("relay", "at-once"): {"model_ms": 12, "tool_ms": 9, "effort_ms": 30, "critical_path_ms": 21},
    ("relay", "refused"): {"model_ms": 10, "rate_limit_wait_ms": 5, "effort_ms": 15, "critical_path_ms": 15},
    ("flow", "in-turn"): {"model_ms": 12, "tool_ms": 3, "human_wait_ms": 6, "effort_ms": 23, "critical_path_ms": 21},
    ("flow", "at-once"): {"model_ms": 14, "tool_ms": 3, "human_wait_ms": 6, "effort_ms": 32, "critical_path_ms": 23},
    ("flow", "refused"): {
        "model_ms": 12,
        "rate_limit_wait_ms": 3,
        "human_wait_ms": 6,
        "effort_ms": 23,
        "critical_path_ms": 21,
    },
}
"""Team and case -> columns of `trials`, in units; a part of the wall time that is not named is 0."""


@dataclass(frozen=True, slots=True)
class Story:
    """What is run. unit_ms: of every delay; base_url: of a simulator with `profile()` (`simulator`: one of its own)."""

    folder: Path
    unit_ms: float
    base_url: str = "simulator"
    teams: Sequence[str] = ("alone", "led", "net", "relay", "flow")
    cases: Sequence[str] = ("in-turn", "at-once", "refused")
    repetitions: int = 1
    concurrency: int = 1
    workloads: Sequence[str] = ()
    """Others than those of the teams."""

    def write(self) -> Path:
        """Dataset, script, profile, teams and plan as files; the plan's path."""
        self.folder.mkdir(parents=True, exist_ok=True)
        listed = [{"id": name, "prompt": CASES[name]} for name in self.cases]
        self._write("cases", {"name": "delays", "version": "1", "schema_version": "1", "test_cases": listed})
        self._write("script", {"dataset": "cases.json", "entries": [self._entry(name) for name in self.cases]})
        self._write("profile", self._profile())
        for name in self.teams:
            self._write(name, {"name": name, **TEAMS[name]})
        return self._write("plan", self._plan())

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def _write(self, name: str, data: Mapping[str, Any]) -> Path:
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(data), encoding="utf-8")
        return path

    def _entry(self, case: str) -> dict[str, Any]:
        return {"case": case, "agents": {name: self._steps(case, steps) for name, steps in SCRIPTS[case].items()}}

    def _steps(self, case: str, steps: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        found = []
        for step in steps:
            calls = [
                {"name": "wait", "arguments": {**wait, "ms": wait["ms"] * self.unit_ms}}
                for wait in step.get("waits", ())
            ]
            calls += [{"name": name, "arguments": {"input": CASES[case]}} for name in step.get("asks", ())]
            handoffs = [{"to": name} for name in step.get("hands_to", ())]
            found.append(
                {"say": step["say"], "ttft_ms": step["model"] * self.unit_ms, "calls": calls, "handoffs": handoffs}
            )
        return found

    def _profile(self) -> dict[str, Any]:
        refused = {"kind": "rate_limited", "retry_after_s": BACK_OFF * self.unit_ms / 1e3, "holds": CASES["refused"]}
        odd = list(range(1, 2 * self.repetitions * len(self.teams) + 2, 2))
        faults = [{**refused, "agent": agent, "script": odd} for agent in ("solo", "ann", "taker")]
        return {"seed": 1, "default": {"ttft_ms": 0, "token_ms": 0, "scripts": ["script.json"]}, "faults": faults}

    def _plan(self) -> dict[str, Any]:
        target = {"name": "sim", "provider": "openai", "model": "sim-openai", "base_url": self.base_url}
        teams: dict[str, list[str]] = {}
        for name in self.teams:
            teams.setdefault(TEAM_KINDS[TEAMS[name]["kind"]], []).append(str(self.folder / f"{name}.json"))
        execute = {
            "targets": [target],
            "workloads": [*teams, *self.workloads],
            "teams": teams,
            "approver": {"kind": "scripted", "delay_s": APPROVAL * self.unit_ms / 1e3},
            "load": {"kind": "closed", "concurrency": self.concurrency},
            "repetitions": self.repetitions,
            "warmup": 0,
            "calibrate": False,
            "simulator": str(self.folder / "profile.json"),
            "retries": {"attempts": 3, "base_s": 0.001, "cap_s": 30},
        }
        return {"validate": {"datasets": [str(self.folder / "cases.json")]}, "execute": execute}


def _say(model: int, say: str, waits: Sequence[Mapping[str, int]] = (), **others: Sequence[str]) -> dict[str, Any]:
    """A step of a script: after so many units the model says this, waits by a tool, and `asks` workers or `hands_to`
    another."""
    return {"model": model, "say": say, "waits": waits, **others}


def _wait(units: int, together: int = 1) -> dict[str, int]:
    return {"ms": units, "together": together}


_ANN = [_say(2, "I wait.", [_wait(3)]), _say(2, "Ann is done.")]
_MEETS_BOB = [_say(2, "I wait for Bob.", [_wait(3, together=2)]), _say(2, "Ann is done.")]
_MEETS_ANN = [_say(4, "I wait for Ann.", [_wait(3, together=2)]), _say(2, "Bob is done.")]
_BOTH = _say(MODEL, "Both of you.", asks=["ann", "bob"])
_QUICK = [_say(2, "Done at once.")]
_AUTHOR = [_say(MODEL, "All is done.")]
_GIVER = [_say(MODEL, "Take it.", hands_to=["taker"]), _say(2, "It is passed on.")]
_ALL_THREE = [_wait(units, together=3) for units in (3, 6, 9)]

SCRIPTS: Mapping[str, Mapping[str, list[dict[str, Any]]]] = {
    "in-turn": {
        "solo": [_say(MODEL, "One.", [_wait(3)]), _say(MODEL, "Two.", [_wait(5)]), _say(MODEL, "Three.")],
        "lead": [_say(MODEL, "Ann.", asks=["ann"]), _say(MODEL, "Bob.", asks=["bob"]), _say(MODEL, "Both are done.")],
        "ann": _ANN,
        "bob": _QUICK,
        "author": _AUTHOR,
        "editor": _AUTHOR,
        "giver": _GIVER,
        "taker": [_say(MODEL, "I wait.", [_wait(3)]), _say(2, "It is done.")],
    },
    "at-once": {
        "solo": [_say(MODEL, "All three.", _ALL_THREE), _say(MODEL, "Done.")],
        "lead": [_BOTH, _say(MODEL, "Both are done.")],
        "ann": _MEETS_BOB,
        "bob": _MEETS_ANN,
        "author": _AUTHOR,
        "editor": _AUTHOR,
        "giver": _GIVER,
        "taker": [_say(MODEL, "All three.", _ALL_THREE), _say(2, "It is done.")],
    },
    "refused": {
        "solo": [_say(MODEL, "At last.")],
        "lead": [_say(MODEL, "Ann.", asks=["ann"]), _say(MODEL, "Ann is done.")],
        "ann": [_say(2, "At last.")],
        "bob": _QUICK,
        "author": _AUTHOR,
        "editor": _AUTHOR,
        "giver": _GIVER,
        "taker": [_say(MODEL, "At last.")],
    },
    "answer": {"solo": [_say(MODEL, "Done.")]},
}
_WORKERS = [
    {"name": "ann", "role": "a worker", "goal": "Do your part.", "tools": ["wait"]},
    {"name": "bob", "role": "a worker", "goal": "Do your part.", "tools": ["wait"]},
]
_AUTHOR_MEMBER = {"name": "author", "role": "the author", "goal": "Put it together."}


def _steps(*needed: tuple[str, str, tuple[str, ...]]) -> list[dict[str, Any]]:
    return [{"name": name, "agent": agent, "task": "{{ task }}", "needs": needs} for name, agent, needs in needed]


TEAMS: Mapping[str, Mapping[str, Any]] = {
    "alone": {
        "kind": "agent",
        "members": [{"name": "solo", "role": "a worker", "goal": "Do it.", "tools": ["wait"]}],
    },
    "led": {
        "kind": "supervisor",
        "entry": "lead",
        "members": [{"name": "lead", "role": "the lead", "goal": "Have it done."}, *_WORKERS],
    },
    "net": {
        "kind": "graph",
        "entry": "author",
        "members": [_AUTHOR_MEMBER, *_WORKERS, {"name": "editor", "role": "the editor", "goal": "Join it."}],
        "edges": [
            {"from": "author", "to": "ann"},
            {"from": "author", "to": "bob"},
            {"from": "ann", "to": "editor"},
            {"from": "bob", "to": "editor"},
        ],
    },
    "relay": {
        "kind": "swarm",
        "entry": "giver",
        "members": [
            {"name": "giver", "role": "a worker", "goal": "Pass it on."},
            {"name": "taker", "role": "a worker", "goal": "Do it.", "tools": ["wait"]},
        ],
    },
    "flow": {
        "kind": "workflow",
        "members": [*_WORKERS, _AUTHOR_MEMBER],
        "steps": [
            *_steps(("first", "ann", ()), ("second", "bob", ())),
            *({**step, "approval": True} for step in _steps(("draft", "author", ("first", "second")))),
            *_steps(("report", "author", ("draft",))),
        ],
    },
}
"""Name -> team file, its name aside."""
