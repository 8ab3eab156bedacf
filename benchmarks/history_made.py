"""What every part of a made history knows: its runs, their places in time, and how columns are picked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

Columns = dict[str, Any]

FIRST = datetime(2026, 1, 5, 6, 0, tzinfo=UTC)
HOURS_APART = 7
TARGETS = ("anthropic-large", "anthropic-small", "bedrock-claude", "ollama-llama", "openai-large", "openai-small")
BASE_MS = (420.0, 210.0, 460.0, 90.0, 350.0, 180.0)
DATASETS = ("coding-tasks", "reasoning-tasks", "summarization-tasks")
CASES = 40
CONCURRENCY = 32
WALL_NS, MS, US = 1_767_590_000_000_000_000, 1_000_000, 1_000


@dataclass(frozen=True, slots=True)
class Made:
    """One run: its number, its id, and how many calls it has."""

    number: int
    run_id: str
    calls: int

    @property
    def workload(self) -> str:
        """What its trials do: 8 runs of 10 bare calls, one conversations, one agents."""
        return {7: "session", 3: "agent"}.get(self.number % 10, "api")

    @property
    def calls_a_trial(self) -> int:
        """Planned calls of a trial."""
        return {"api": 1, "session": 3, "agent": 4}[self.workload]


def made(number: int, calls: int) -> Made:
    """The run of this number, with an id of the product's form."""
    at = FIRST + timedelta(hours=HOURS_APART * number)
    return Made(number, f"{at:%Y%m%dT%H%M%SZ}-{(number * 2_654_435_761) & 0xFFFFFF:06x}", calls)


def picked(texts: Any, places: np.ndarray) -> pa.Array:
    """texts[place] for each place, null for a place of -1."""
    return pa.array(list(texts)).take(pa.array(places, mask=places < 0))


@lru_cache(maxsize=8)
def ids(rows: int, salt: int) -> tuple[str, ...]:
    """Ids of sixteen hex digits, without order; the same in every run, as the same plan would give them."""
    words = np.random.default_rng([salt, rows]).integers(0, 2**63, rows)
    return tuple(f"{word:016x}" for word in words.tolist())


def offset(run: Made) -> int:
    return WALL_NS + run.number * HOURS_APART * 3_600_000_000_000
