"""The metrics that decide whether a comparison passes, as people write them: `e2e_ms`, `e2e_ms:p95`, `score`."""

from __future__ import annotations

from collections.abc import Iterable

from benchbook.metrics import COMPARED


def gated_metrics(names: Iterable[str]) -> tuple[str, ...]:
    """The same names, each once. Raises ValueError for one that is not compared."""
    found = tuple(dict.fromkeys(name.strip() for name in names if name.strip()))
    for name in found:
        if name not in COMPARED:
            raise ValueError(f"{name!r} is not compared: one of {', '.join(COMPARED)}")
    return found
