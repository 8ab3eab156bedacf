"""What a target can't do, and what a listing says of a model: tables."""

from __future__ import annotations

from typing import Any

import pytest

from benchbook.config import build_plan
from benchbook.providers.capabilities import Capabilities
from benchbook.records import Case, Dataset, Target
from benchbook.runner.plan import freeze
from benchbook.runner.preflight import incapable, offers

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
