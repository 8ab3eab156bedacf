"""Keys: read from the environment, checked, and scrubbed from whatever is said or kept.

A key's value never enters a message; only the name of its variable does.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from benchbook.errors import CredentialError

DUMMY = "benchbook-simulator"
"""Stands in for a key towards a loopback address. No secret."""

SHORTEST = 8
"""Anything shorter (`EMPTY`, `none`) is a placeholder: scrubbing it would only eat ordinary words."""

_LOOKS_LIKE_A_KEY = re.compile(
    r"\b(?:sk|pk|rk)-[A-Za-z0-9_*.-]{8,}|\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b|(?<=[Bb]earer )[A-Za-z0-9._~+/*=-]{8,}"
)


def read(variable: str) -> str | None:
    """The variable's value without surrounding blanks; None where it is unset or blank. Raises CredentialError
    for a value that no header can carry."""
    value = os.environ.get(variable, "").strip()
    if not value:
        return None
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise CredentialError(f"${variable}", "holds characters that no key has", "set it to the key alone")
    return value


def missing(target: str, variable: str) -> CredentialError:
    return CredentialError(f"target {target}", f"no key: ${variable} is not set", f"export {variable}=...")


def hide(text: str, secrets: Iterable[str]) -> str:
    """The text without the secrets, and otherwise as it was."""
    for secret in secrets:
        if len(secret) >= SHORTEST:
            text = text.replace(secret, "[key]")
    return text


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """A message without the secrets, and without anything else that looks like a key."""
    return _LOOKS_LIKE_A_KEY.sub("[key]", hide(text, secrets))


def mask(data: bytes, secrets: Iterable[str] = ()) -> bytes:
    """The bytes with each secret starred out; their number stays, so that pieces keep their sizes."""
    for secret in secrets:
        raw = secret.encode()
        if len(raw) >= SHORTEST and raw in data:
            data = data.replace(raw, b"*" * len(raw))
    return data
