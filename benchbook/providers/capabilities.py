"""What a model can't do, as far as it is safe to say without asking. Pure.

Static knowledge about a few families; everything unknown counts as able, because a wrong "can't" would skip a
measurement while a wrong "can" becomes a row with the provider's own refusal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from benchbook.records import Target

UNKNOWN = "no static knowledge: taken as able"
CONVERSE = "Amazon Bedrock user guide: conversation-inference-supported-models-features.html"
LIMITS = "the model family's published limits"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """`max_tokens` is the most a request may ask for, `context_tokens` the most that prompt and answer may hold
    together, None where they are not known; `source` says who says so."""

    stream: bool = True
    tools: bool = True
    system: bool = True
    max_tokens: int | None = None
    context_tokens: int | None = None
    source: str = UNKNOWN


_BEDROCK: tuple[tuple[str, Capabilities], ...] = (
    (r"amazon\.titan-t(ext|g1)", Capabilities(tools=False, system=False, source=CONVERSE)),
    (r"ai21\.j2", Capabilities(stream=False, tools=False, system=False, source=CONVERSE)),
    (r"cohere\.command-(text|light)", Capabilities(tools=False, system=False, source=CONVERSE)),
    (r"anthropic\.claude-(v2|instant)", Capabilities(tools=False, source=CONVERSE)),
    (r"mistral\.mi[sx]tral-(7b|8x7b)", Capabilities(tools=False, system=False, source=CONVERSE)),
    (r"meta\.llama(2|3-\d+b|3-2-[13]b)", Capabilities(tools=False, source=CONVERSE)),
    (r"anthropic\.claude-3-(haiku|opus|sonnet)", Capabilities(max_tokens=4096, context_tokens=200_000, source=LIMITS)),
    (r"anthropic\.claude-3-5-(haiku|sonnet)", Capabilities(max_tokens=8192, context_tokens=200_000, source=LIMITS)),
)
_ANTHROPIC: tuple[tuple[str, Capabilities], ...] = (
    (r"claude-3-(haiku|opus|sonnet)-", Capabilities(max_tokens=4096, context_tokens=200_000, source=LIMITS)),
    (r"claude-3-5-(haiku|sonnet)", Capabilities(max_tokens=8192, context_tokens=200_000, source=LIMITS)),
)
_OPENAI: tuple[tuple[str, Capabilities], ...] = (
    (r"o1-(mini|preview)", Capabilities(tools=False, system=False, source="OpenAI's model pages")),
    (r"gpt-4o-mini(-\d|$)", Capabilities(max_tokens=16_384, context_tokens=128_000, source=LIMITS)),
    (r"gpt-(3\.5-turbo|4-turbo)(-\d|$)", Capabilities(max_tokens=4096, source=LIMITS)),
)
_KNOWN = {"bedrock": _BEDROCK, "anthropic": _ANTHROPIC, "openai": _OPENAI}
_PROFILE = re.compile(r"^(?:arn:.*/)?(?:(?:us|us-gov|eu|apac|ap|jp|au|ca|global)\.)?")


def of(target: Target) -> Capabilities:
    """What this target's model can do."""
    model = _PROFILE.sub("", target.model) if target.provider == "bedrock" else target.model
    for pattern, known in _KNOWN.get(target.provider, ()):
        if re.match(pattern, model):
            return known
    return Capabilities()
