"""What a target can't do, and what a listing says of a model: tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchbook.config import build_plan
from benchbook.providers import ModelInfo
from benchbook.providers.capabilities import Capabilities
from benchbook.providers.transport import Transport
from benchbook.records import Case, Dataset, Member, Target, Team, ToolUse
from benchbook.runner.plan import freeze
from benchbook.runner.preflight import incapable, offers, skip_reasons, unit_of
from benchbook.runner.teams import unable

TOOL = {"name": "add", "description": "adds", "parameters": {"type": "object"}}


@pytest.mark.parametrize(
    ("case", "can", "reason"),
    [
        ({}, Capabilities(), None),
        ({}, Capabilities(stream=False), "m does not stream"),
        ({"config": {"tools": [TOOL]}}, Capabilities(tools=False), "m takes no tools"),
        ({"config": {"tools": [TOOL]}}, Capabilities(), None),
        ({"system": "be brief"}, Capabilities(system=False), "m takes no system prompt"),
        ({"config": {"max_tokens": 5000}}, Capabilities(max_tokens=4096), "at most 4096 tokens, 5000 are asked"),
        ({"config": {"max_tokens": 4096}}, Capabilities(max_tokens=4096), None),
    ],
)
def test_what_a_target_can_not_do_is_said(case: dict[str, Any], can: Capabilities, reason: str | None) -> None:
    dataset = Dataset(name="d", cases=(Case(id="c", prompt="p", **case),))
    target = {"name": "t", "provider": "openai", "model": "m"}
    spec = build_plan({"validate": {"datasets": ["d"]}, "execute": {"targets": [target]}}, "p")
    plan = freeze(spec, [dataset])
    said = incapable(plan, plan.targets["t"], plan.prompts["d", "c"], can)
    assert (said is None) == (reason is None)
    assert reason is None or reason in str(said)


@pytest.mark.parametrize(
    ("provider", "model", "listed", "offered"),
    [
        ("openai", "gpt-4o-mini", ["gpt-4o", "gpt-4o-mini"], True),
        ("openai", "gpt-4o", ["gpt-4o-mini"], False),
        ("ollama", "llama3", ["llama3:latest"], True),
        ("ollama", "llama3:8b", ["llama3:latest"], False),
        ("anthropic", "claude-haiku-4-5", ["claude-haiku-4-5-20251001"], True),
        ("anthropic", "claude-3-5-haiku-latest", ["claude-3-5-haiku-20241022"], True),
        ("anthropic", "claude-9", ["claude-haiku-4-5-20251001"], False),
        ("bedrock", "us.amazon.nova-micro-v1:0", ["amazon.nova-micro-v1:0"], True),
        ("bedrock", "amazon.nova-micro-v1:0", ["amazon.nova-micro-v1:0"], True),
        ("bedrock", "amazon.nova-huge-v9:0", ["amazon.nova-micro-v1:0"], False),
        ("bedrock", "arn:aws:bedrock:us-east-1:1:inference-profile/x", ["amazon.nova-micro-v1:0"], True),
    ],
)
def test_a_listing_is_read_as_its_provider_means_it(
    provider: str, model: str, listed: list[str], *, offered: bool
) -> None:
    assert offers(Target(name="t", provider=provider, model=model), listed) is offered


PAIR = (Member("a", "r", "g"), Member("b", "r", "g"))
NO_TOOLS = "m takes no tools, and team t needs them"
ALONE = Team("t", "agent", (Member("a", "r", "g"),))
ARMED = Team("t", "agent", (Member("a", "r", "g", (ToolUse("sql"),)),))


@pytest.mark.parametrize(
    ("team", "wire", "can", "reason"),
    [
        (ALONE, None, Capabilities(), None),
        (ALONE, None, Capabilities(tools=False), None),
        (ALONE, None, Capabilities(system=False), "m takes no system prompt, and agents have one"),
        (ARMED, None, Capabilities(tools=False), NO_TOOLS),
        (Team("t", "graph", PAIR, "a"), None, Capabilities(tools=False), None),
        (Team("t", "swarm", PAIR, "a"), None, Capabilities(tools=False), NO_TOOLS),
        (
            Team("t", "supervisor", PAIR, "a"),
            None,
            Capabilities(tools=False),
            "m takes no tools, and team t needs them",
        ),
        (ALONE, "bedrock_invoke", Capabilities(), "m is asked over bedrock_invoke, and agents speak Converse"),
        (ALONE, "bedrock_converse", Capabilities(), None),
    ],
)
def test_what_a_team_can_not_do_with_a_target_is_said(
    team: Team, wire: str | None, can: Capabilities, reason: str | None
) -> None:
    assert unable(team, Target("t", "bedrock", "m", wire=wire), can) == reason


class Offering:
    """A provider of which only the listing and what it can do are asked."""

    def __init__(self, target: Target, can: Capabilities) -> None:
        self.target, self._can = target, can

    def capabilities(self) -> Capabilities:
        return self._can

    async def list_models(self, *_: Any) -> tuple[ModelInfo, ...]:
        return (ModelInfo("m"),)


async def test_a_team_is_skipped_where_one_of_its_members_targets_can_not_serve_it(tmp_path: Path) -> None:
    """A bare call goes to both targets, the team to neither: its second member asks the one that takes no tools."""
    (tmp_path / "team.yaml").write_text(
        "{name: two, kind: supervisor, entry: a, members: "
        "[{name: a, role: r, goal: g}, {name: b, role: r, goal: g, target: weak}]}"
    )
    targets = [{"name": name, "provider": "openai", "model": "m"} for name in ("strong", "weak")]
    teams = {"multi_agent": str(tmp_path / "team.yaml")}
    execute = {"targets": targets, "workloads": ["api", "multi_agent"], "teams": teams}
    plan = freeze(
        build_plan({"validate": {"datasets": ["d"]}, "execute": execute}, "p"), [Dataset("d", (Case("c", prompt="p"),))]
    )
    providers: dict[str, Any] = {
        name: Offering(target, Capabilities(tools=name == "strong")) for name, target in plan.targets.items()
    }
    reasons, notes = await skip_reasons(plan, providers, Transport())
    why = "m takes no tools, and team two needs them"
    said = {"strong": f"b asks weak: {why}", "weak": why}
    assert reasons == {(name, "d", "c", "multi_agent", "two"): said[name] for name in said}
    assert notes == tuple(f"{name}: skipped, {said[name]}" for name in said)
    skipped = [trial for trial in plan.trials if unit_of(trial) in reasons]
    assert {trial.workload for trial in skipped} == {"multi_agent"}
