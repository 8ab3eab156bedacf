"""A run's trials, calls and planned trials as one frame of slacks: numbers that are negative where a law is broken.

Null = nothing to judge. `Broken` re-reads a row slowly and says in words what is wrong with it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbook.checks import ResultFacts
from benchbook.checks.engine import ROW
from benchbook.checks.prompt_frame import prompt_columns
from benchbook.records import CHUNK_KINDS

if TYPE_CHECKING:
    import pandas as pd

Chains = Sequence[tuple[str, ...]]
CALL_STAMPS: Chains = (
    ("intended_ns", "taken_up_ns", "sent_ns", "first_byte_ns", "first_chunk_ns", "last_chunk_ns", "closed_ns"),
    ("first_byte_ns", "last_byte_ns", "closed_ns"),
    ("first_chunk_ns", "first_reasoning_ns", "last_chunk_ns"),
    ("first_chunk_ns", "first_output_ns", "last_chunk_ns"),
)
TRIAL_STAMPS: Chains = (("intended_ns", "started_ns", "ended_ns"),)
LATENCIES: Chains = (
    ("ttfb_ms", "ttft_ms", "ttfo_ms", "e2e_ms", "response_ms"),
    *((name,) for name in ("decode_ms_per_token", "normalized_ms_per_token", "tokens_per_s_user", "schedule_lag_ms")),
    ("connect_ms",),
)
TOKENS: Chains = (
    ("tokens_cached", "tokens_in"),
    ("tokens_reasoning", "tokens_out"),
    ("tokens_cache_write",),
    ("cost_usd",),
)
PARTS = ("model_ms", "tool_ms", "human_wait_ms", "rate_limit_wait_ms", "orchestration_ms")
STATUS_COUNTS = {"success": "succeeded", "failure": "failed", "timeout": "timed_out", "skipped": "skipped"}
_PART_TOLERANCE_MS = 1e-6
_CHUNK_LISTS = ("chunk_offsets_us", "chunk_sizes", "chunk_kinds")


def calls_frame(calls: pd.DataFrame, trials: pd.DataFrame, facts: ResultFacts) -> pd.DataFrame:
    """One row per call."""
    import pandas as pd

    known = calls["trial_id"].isin(trials["trial_id"])
    return pd.DataFrame(
        {
            "subject": "calls",
            "trial_id": calls["trial_id"].astype(object),
            "turn": calls["turn"].fillna(1).astype("float64"),
            "attempt": calls["attempt"].astype("float64"),
            **prompt_columns(calls, trials, facts),
            "stamp_slack_ns": chain_slack(calls, CALL_STAMPS),
            "latency_slack_ms": latency_slack(calls),
            "token_slack": chain_slack(calls, TOKENS, floor=0),
            "usage_told": usage_told(calls, calls["error_kind"].isna()),
            "chunk_faults": [float(next(chunk_faults(lists), None) is not None) for lists in _lists(calls)],
            "owner_known": known.astype("float64"),
        }
    )


def trials_frame(trials: pd.DataFrame, calls: pd.DataFrame, facts: ResultFacts) -> pd.DataFrame:
    """One row per finished trial."""
    import pandas as pd

    found = Counter(calls["trial_id"])
    made = np.array([found.get(trial_id, 0) for trial_id in trials["trial_id"]], dtype="float64")
    phases = [facts.planned.get(trial_id) for trial_id in trials["trial_id"]]
    success = trials["status"] == "success"
    return pd.DataFrame(
        {
            "subject": "trials",
            "trial_id": trials["trial_id"].astype(object),
            "status": trials["status"].astype(object),
            "stamp_slack_ns": chain_slack(trials, TRIAL_STAMPS),
            "latency_slack_ms": latency_slack(trials),
            "token_slack": chain_slack(trials, TOKENS, floor=0),
            "usage_told": usage_told(trials, success),
            "parts_slack_ms": _parts_slack(trials),
            "status_agrees": _status_agrees(trials),
            "phase_agrees": [float(mine == planned) for mine, planned in zip(trials["phase"], phases, strict=True)],
            "calls_missing": (trials["calls"].astype("float64").fillna(0) - made).abs(),
        }
    )


def planned_frame(trials: pd.DataFrame, facts: ResultFacts) -> pd.DataFrame:
    """One row per planned trial: in how many rows it is found beyond one, and whether it is missing."""
    import pandas as pd

    found = Counter(trials["trial_id"])
    rows = [float(found.get(trial_id, 0)) for trial_id in facts.planned]
    return pd.DataFrame(
        {
            "subject": "trials",
            "trial_id": pd.Series(list(facts.planned), dtype=object),
            "rows_beyond_one": [max(0.0, n - 1) for n in rows],
            "rows_missing": [max(0.0, 1 - n) for n in rows],
        }
    )


def counts_frame(trials: pd.DataFrame, facts: ResultFacts) -> pd.DataFrame:
    """One row per count that the run states."""
    import pandas as pd

    found = recount(trials, facts)
    names = [name for name in found if name in facts.counts]
    return pd.DataFrame(
        {
            "subject": "runs",
            "trial_id": pd.Series(names, dtype=object),
            "count_off": [float(abs(facts.counts[name] - found[name])) for name in names],
        }
    )


def recount(trials: pd.DataFrame, facts: ResultFacts) -> dict[str, int]:
    """The counts as the rows and the plan have them."""
    by_status = Counter(trials["status"])
    counts = {name: by_status.get(status, 0) for status, name in STATUS_COUNTS.items()}
    not_started = len(facts.planned.keys() - set(trials["trial_id"]))
    return {"planned": len(facts.planned), **counts, "not_started": not_started}


def joined(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """All frames under one another, with their row numbers."""
    import pandas as pd

    made = pd.concat([frame for frame in frames if len(frame)] or list(frames[:1]), ignore_index=True)
    made[ROW] = range(len(made))
    return made


# ---------------------------------------------------------------- slacks


def chain_slack(table: pd.DataFrame, chains: Chains, *, floor: float | None = None) -> Any:
    """Per row the least step along any chain (null members are skipped), NaN where there is nothing to step.

    floor: what each chain's first value must not be below.
    """
    worst = np.full(len(table), np.nan)
    for chain in chains:
        whole = chain[0].endswith("_ns")
        before = np.full(len(table), floor or 0, dtype="int64" if whole else "float64")
        known = np.full(len(table), floor is not None)
        for name in chain:
            value, there = _column(table, name)
            both = known & there
            step = np.where(both, value - before, np.nan).astype("float64")
            worst = np.fmin(worst, step)
            before, known = np.where(there, value, before), known | there
    return worst


def latency_slack(table: pd.DataFrame) -> Any:
    """As `chain_slack`, and an answer that took no time at all is below zero as well."""
    total, there = _column(table, "e2e_ms")
    return np.where(there & (total == 0), -1.0, chain_slack(table, LATENCIES, floor=0))


def usage_told(table: pd.DataFrame, success: Any) -> Any:
    """1 where a success has its output tokens or a reason why not, 0 where it has neither, NaN elsewhere."""
    there = table["tokens_out"].notna().to_numpy()
    reasons = np.array([_missing_reason(pairs) for pairs in table["provenance"]], dtype=bool)
    return np.where(success.to_numpy(dtype=bool), (there | reasons).astype("float64"), np.nan)


def chunk_faults(lists: tuple[Any, Any, Any]) -> Iterator[str]:
    """What is wrong with a call's chunk lists (offsets, sizes, kinds)."""
    offsets, sizes, kinds = ([] if part is None or isinstance(part, float) else part for part in lists)
    if not len(offsets) == len(sizes) == len(kinds):
        yield f"{len(offsets)} chunk offsets, {len(sizes)} sizes and {len(kinds)} kinds; one of each per chunk"
    values = np.asarray(offsets, dtype="int64")
    if len(values) > 1 and (values[1:] < values[:-1]).any():
        yield f"chunk {int(np.argmax(values[1:] < values[:-1])) + 2} arrives before the one ahead of it"
    if len(sizes) and min(sizes) < 0:
        yield "a chunk has a negative size"
    if strange := set(kinds) - set(CHUNK_KINDS):
        yield f"chunk kinds {sorted(strange)}; known are {', '.join(CHUNK_KINDS)}"


def _lists(calls: pd.DataFrame) -> Iterator[tuple[Any, Any, Any]]:
    return zip(*(calls[name] for name in _CHUNK_LISTS), strict=True)


def _column(table: pd.DataFrame, name: str) -> tuple[Any, Any]:
    """Values and which of them are there. Whole numbers stay exact."""
    column = table[name]
    there = column.notna().to_numpy()
    if name.endswith("_ns"):
        return column.fillna(0).to_numpy(dtype="int64"), there
    return column.astype("float64").fillna(0.0).to_numpy(), there


def _status_agrees(trials: pd.DataFrame) -> Any:
    """1 where a success has no error kind, a failure or timeout has one, a skipped trial says why."""
    kind, status = trials["error_kind"].notna(), trials["status"]
    skipped = status == "skipped"
    agrees = (skipped & trials["error_message"].notna()) | (~skipped & (kind == (status != "success")))
    return agrees.astype("float64")


def _parts_slack(trials: pd.DataFrame) -> Any:
    """How far the parts of the wall time may still be off, NaN where a part is not known; negative parts count."""
    parts = trials[list(PARTS)].astype("float64")
    wall = trials["wall_ms"].astype("float64")
    off = (parts.sum(axis=1, skipna=False) - wall).abs()
    return np.fmin(_PART_TOLERANCE_MS * np.maximum(1.0, wall) - off, parts.min(axis=1, skipna=False))


def _missing_reason(pairs: Any) -> bool:
    if pairs is None or (isinstance(pairs, float) and math.isnan(pairs)):
        return False
    entries = pairs.items() if isinstance(pairs, Mapping) else pairs
    return any(name == "tokens_out" and str(how).startswith("missing") for name, how in entries)
