"""A team of one clerk, its script, and its runs: what tests of single agents share."""

from __future__ import annotations

import json
from typing import Any

import yaml

from benchbook.records import Span, Trial
from benchbook.stages.execute import execute
from tests.conftest import Bench

WIRES = ("openai", "anthropic", "bedrock", "ollama")
TEAM = {
    "name": "solo",
    "kind": "agent",
    "members": [
        {
            "name": "solo",
            "role": "a clerk",
            "goal": "Answer from the documents.",
            "tools": ["documents", {"name": "search", "settings": {}}],
        }
    ],
    "limits": {"steps": 6, "tool_timeout_s": 5},
}
READ = {"name": "documents", "arguments": {"action": "write", "path": "scratch/note.md", "text": "kept"}}
LIST = {"name": "documents", "arguments": {"action": "list"}}
SCRIPT: dict[str, list[dict[str, Any]]] = {
    "word 0": [
        {"say": "I look twice.", "calls": [READ, LIST]},
        {"say": "The note is written: word 0."},
    ],
    "word 1": [
        {"calls": [{"name": "telephone", "arguments": {"number": 1}}]},
        {"calls": [{"name": "documents", "arguments": {"action": "shred"}}]},
        {"calls": [{"name": "documents", "arguments": '{"action": "li'}]},
        {"calls": [{"name": "documents", "arguments": {"action": "read", "path": "../secret"}}]},
        {"say": "word 1, in spite of all."},
    ],
    "word 2": [{"say": "Again.", "calls": [LIST]}],
    "word 3": [{"say": "word 3"}],
}


def write_team(bench: Bench, team: dict[str, Any]) -> dict[str, Any]:
    """The team's file in the bench's folder; the plan's `execute.teams`."""
    bench.folder.mkdir(parents=True, exist_ok=True)
    (bench.folder / "team.yaml").write_text(yaml.safe_dump(team))
    return {"agent": str(bench.folder / "team.yaml")}


def write_script(bench: Bench, script: dict[str, list[dict[str, Any]]]) -> None:
    entries = [
        {"match": match, "loop": match == "word 2", "agents": {"solo": steps, "default": [{"say": match}]}}
        for match, steps in script.items()
    ]
    (bench.folder / "script.yaml").write_text(json.dumps({"entries": entries}))
    bench.law = {**bench.law, "scripts": ["script.yaml"]}


def of(trials: list[Trial], case: int, wire: str | None = None) -> list[Trial]:
    return [
        trial
        for trial in trials
        if trial.planned.test_id == f"c{case}" and (wire is None or trial.planned.target.startswith(wire))
    ]


def kinds(trial: Trial) -> list[str]:
    return [span.kind for span in trial.spans]


def children(trial: Trial, parent: Span) -> list[Span]:
    return [span for span in trial.spans if span.parent_id == parent.span_id]


def once(bench: Bench, team: dict[str, Any], script: dict[str, list[dict[str, Any]]], **more: Any) -> list[Trial]:
    """The trials of one run of the bench by an agent."""
    teams = write_team(bench, team)
    write_script(bench, script)
    bench.execute = {"workloads": ["agent"], "teams": teams, "repetitions": 1, "warmup": 0, **more}
    execute(bench.job())
    return bench.trials()
