"""A prompt cache as providers have them: what earlier prompts began with is not computed again.

The texts of the system prompt and of every message, one after another, are cut into blocks of 128 tokens; a block
is known when an earlier prompt to the same model had the same text up to and with it. A prompt is remembered as it
arrives, and its last token is never from the cache. What follows depends on the order of arrival, as it does there.
"""

from __future__ import annotations

from hashlib import blake2b

from benchbook.records import ModelRequest
from benchbook.simulator.laws import TOKEN_CHARS, prompt_tokens

BLOCK_TOKENS = 128
MOST_BLOCKS = 1_000_000
"""Remembered blocks, the latest ones: beginnings of 128 million tokens."""


class PrefixCache:
    """The blocks that were seen, by model."""

    def __init__(self, most: int = MOST_BLOCKS) -> None:
        self._known: dict[bytes, None] = {}
        self._most = most

    def cached(self, request: ModelRequest) -> int:
        """How many of the prompt's first tokens are known; from now on all its whole blocks are."""
        blocks = _blocks(request)
        known = next((index for index, block in enumerate(blocks) if block not in self._known), len(blocks))
        for block in reversed(blocks):  # a beginning is forgotten after what it begins
            self._known.pop(block, None)
            self._known[block] = None
        while len(self._known) > self._most:
            self._known.pop(next(iter(self._known)))
        return min(known, (prompt_tokens(request) - 1) // BLOCK_TOKENS) * BLOCK_TOKENS


def _blocks(request: ModelRequest) -> list[bytes]:
    """Of each whole block, a digest of the model and of all text up to its end."""
    text = "".join([request.system or "", *(message.content for message in request.messages)])
    digest, chars = blake2b(request.model.encode("utf-8", "surrogatepass"), digest_size=16), BLOCK_TOKENS * TOKEN_CHARS
    found = []
    for start in range(0, len(text) - chars + 1, chars):
        digest.update(text[start : start + chars].encode("utf-8", "surrogatepass"))
        found.append(digest.digest())
    return found
