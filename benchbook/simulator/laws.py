"""Chance under seeds, and the simulator's tokenizer. Pure.

Every draw has its own generator, derived from (seed, purpose, what it is for): drawing more for one purpose
never shifts another, and the order in which requests arrive changes nothing. A token is four characters
(the last one may be shorter), in prompts and in answers alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import blake2b
from random import Random

from benchbook.records import ModelRequest
from benchbook.simulator.profile import Distribution, Fixed, Uniform

TOKEN_CHARS = 4
_FIRST_LINE = re.compile(r"You are ([^,\n]+),")


def chance(seed: int, purpose: str, *key: object) -> Random:
    """The generator for one purpose and key."""
    text = "\x1f".join(str(part) for part in (seed, purpose, *key))
    return Random(int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()))  # noqa: S311


def draw(law: Distribution, random: Random) -> float:
    """One value of a distribution."""
    if isinstance(law, Fixed):
        return law.value
    if isinstance(law, Uniform):
        return random.uniform(law.low, law.high)
    value = law.median * random.lognormvariate(0.0, law.sigma)
    low = 0.0 if law.min is None else law.min
    return max(low, value if law.max is None else min(value, law.max))


def count_tokens(text: str) -> int:
    """How many tokens a text has."""
    return -(-len(text) // TOKEN_CHARS)


def chunks(text: str, sizes: Iterator[int]) -> Iterator[tuple[str, int]]:
    """Cut a text into (piece, tokens) of the given numbers of tokens; joined, the pieces are the text."""
    start = 0
    while start < len(text):
        size = max(1, next(sizes))
        piece = text[start : start + size * TOKEN_CHARS]
        yield piece, count_tokens(piece)
        start += size * TOKEN_CHARS


def prompt_tokens(request: ModelRequest) -> int:
    """Tokens of the system prompt and of every message's content."""
    return count_tokens(request.system or "") + sum(count_tokens(message.content) for message in request.messages)


def prompt_key(request: ModelRequest) -> str:
    """What makes two prompts the same: the system prompt and every message's role and content."""
    digest = blake2b(repr(request.system).encode("utf-8", "surrogatepass"), digest_size=16)
    for message in request.messages:
        digest.update(repr((message.role, message.content)).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def last_question(request: ModelRequest) -> str:
    """The text of the last user message."""
    return next((message.content for message in reversed(request.messages) if message.role == "user"), "")


def agent_of(request: ModelRequest) -> str | None:
    """Who the system prompt says the model is; its first line is `You are NAME, ROLE.`"""
    named = _FIRST_LINE.match(request.system or "")
    return named[1] if named else None
