"""A nonce in a prompt, so that no cache can have seen what follows it: pure text.

Sixteen hex digits in brackets and two line ends, 20 characters. They follow from a salt (the run) and a trial's
seed: a resumed run asks the same again, another run of the plan something new. What a case's prompt hash covers is
the prompt without it.
"""

from __future__ import annotations

import re
from dataclasses import replace
from hashlib import sha256

from benchbook.datasets.rendering import Rendered
from benchbook.records import Case

_NONCE = re.compile(r"\[[0-9a-f]{16}\]\n\n")


def nonce(salt: str, seed: int) -> str:
    """The nonce of a trial's seed in the run that `salt` names."""
    digest = sha256(f"{salt}\x1f{seed}".encode()).hexdigest()
    return f"[{digest[:16]}]\n\n"


def at_start(rendered: Rendered, mark: str) -> Rendered:
    """The prompt with `mark` before everything else: in its system prompt, where it has one."""
    if rendered.system is not None:
        return replace(rendered, system=mark + rendered.system)
    return _in_first_message(rendered, mark, 0)


def after_shared(rendered: Rendered, mark: str, case: Case) -> Rendered:
    """The prompt with `mark` behind what it shares with other cases: the system prompt, and of a generated case
    its declared beginning. Where nothing is shared that is the start."""
    return _in_first_message(rendered, mark, 0 if case.generated is None else case.generated.shared_chars)


def without(text: str) -> str:
    """The text without the nonces in it."""
    return _NONCE.sub("", text)


def _in_first_message(rendered: Rendered, mark: str, at: int) -> Rendered:
    first, *rest = rendered.messages
    content = first.content[:at] + mark + first.content[at:]
    return replace(rendered, messages=(replace(first, content=content), *rest))
