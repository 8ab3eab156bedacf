"""What is known of models without asking."""

from __future__ import annotations

import pytest

from benchbook.providers import capabilities
from benchbook.records import Target


@pytest.mark.parametrize(
    ("provider", "model", "able"),
    [
        ("bedrock", "amazon.titan-text-express-v1", (True, False, False, None)),
        ("bedrock", "ai21.j2-ultra-v1", (False, False, False, None)),
        ("bedrock", "anthropic.claude-v2:1", (True, False, True, None)),
        ("bedrock", "anthropic.claude-3-haiku-20240307-v1:0", (True, True, True, 4096)),
        ("bedrock", "us.anthropic.claude-3-5-haiku-20241022-v1:0", (True, True, True, 8192)),
        (
            "bedrock",
            "arn:aws:bedrock:us-east-1:1:inference-profile/eu.anthropic.claude-3-haiku-20240307-v1:0",
            (True, True, True, 4096),
        ),
        ("bedrock", "meta.llama3-8b-instruct-v1:0", (True, False, True, None)),
        ("bedrock", "meta.llama3-1-8b-instruct-v1:0", (True, True, True, None)),
        ("bedrock", "us.meta.llama3-2-3b-instruct-v1:0", (True, False, True, None)),
        ("bedrock", "us.meta.llama3-2-90b-instruct-v1:0", (True, True, True, None)),
        ("bedrock", "mistral.mixtral-8x7b-instruct-v0:1", (True, False, False, None)),
        ("bedrock", "amazon.nova-micro-v1:0", (True, True, True, None)),
        ("anthropic", "claude-3-haiku-20240307", (True, True, True, 4096)),
        ("anthropic", "claude-haiku-4-5", (True, True, True, None)),
        ("openai", "gpt-4o-mini", (True, True, True, 16384)),
        ("openai", "gpt-4o-mini-2024-07-18", (True, True, True, 16384)),
        ("openai", "gpt-4o-mini-audio-preview", (True, True, True, None)),
        ("openai", "o1-mini", (True, False, False, None)),
        ("openai", "amazon.titan-text-express-v1", (True, True, True, None)),
        ("ollama", "llama3.2", (True, True, True, None)),
    ],
)
def test_capabilities(provider: str, model: str, able: tuple[bool, bool, bool, int | None]) -> None:
    known = capabilities.of(Target("t", provider, model))
    assert (known.stream, known.tools, known.system, known.max_tokens) == able
    assert known.source


def test_the_unknown_is_taken_as_able_and_says_so() -> None:
    assert capabilities.of(Target("t", "openai", "my-own-model")).source == capabilities.UNKNOWN
