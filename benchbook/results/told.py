"""Which alerts were told to whom: the one thing about alerts that is remembered. Lines are added, never changed.

An address may hold a secret, so only a digest of it is kept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchbook.results.paths import told_file, writable


def address_digest(url: str) -> str:
    """Twelve hex digits that stand for an address."""
    return hashlib.sha256(url.encode()).hexdigest()[:12]


def told(results: str | Path, url: str) -> dict[str, str]:
    """Alert id -> the state that this address was told last. A line that is cut short counts as not told."""
    path = told_file(Path(results))
    found: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            row = json.loads(line)
            if row["to"] == address_digest(url):
                found[row["id"]] = row["state"]
        except (ValueError, KeyError, TypeError):
            continue
    return found


def remember(results: str | Path, url: str, rows: Iterable[Mapping[str, Any]], at: str) -> None:
    """That these alerts, in these states, were told to this address. at: UTC, ISO 8601."""
    path = told_file(Path(results))
    lines = [{"id": row["id"], "state": row["state"], "to": address_digest(url), "at": at} for row in rows]
    with writable(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write("".join(json.dumps(line) + "\n" for line in lines))
