"""A run's trials, calls and planned trials as frames of slacks: numbers that are negative where a law is broken.

Null = nothing to judge. A frame is of a part of its table, so that a long run is judged in bounded memory; what a row
is held against and lies in other rows is counted first, over all of them (`census`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchbook.checks.census import Census
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
_PART_TOLERANCE_MS = 1e-6
CHUNK_LISTS = ["chunk_offsets_us", "chunk_sizes", "chunk_kinds"]


def _members(*groups: Chains) -> list[str]:
    return list(dict.fromkeys(name for chains in groups for chain in chains for name in chain))


TRIAL_COLUMNS = (
    *("trial_id", "status", "phase", "error_kind", "error_message", "calls", "wall_ms"),
    *PARTS,
    *_members(TRIAL_STAMPS, LATENCIES, TOKENS),
)
CALL_COLUMNS = (
    *("trial_id", "call_id", "turn", "attempt", "error_kind"),
    *_members(CALL_STAMPS, LATENCIES, TOKENS),
    *CHUNK_LISTS,
)


def calls_frame(calls: pa.Table, provenance: Provenance, owners: Any, census: Census) -> pd.DataFrame:
    """One row per call. owners: of each call, its trial's place in the census, -1 where it has none."""
    import pandas as pd

    return pd.DataFrame(
        {
            "subject": "calls",
            "trial_id": calls["trial_id"].to_pandas(),
            "turn": pc.fill_null(calls["turn"], 1).to_numpy().astype("float64"),
            "attempt": _floats(calls["attempt"]),
            **prompt_columns(calls, census.asked(owners), census.facts),
            "stamp_slack_ns": chain_slack(calls, CALL_STAMPS),
            "latency_slack_ms": latency_slack(calls),
            "token_slack": chain_slack(calls, TOKENS, floor=0),
            "usage_told": usage_told(calls, provenance, pc.is_null(calls["error_kind"]).to_numpy()),
            "chunk_faults": faulty_chunks(calls).astype("float64"),
            "owner_known": (owners >= 0).astype("float64"),
        }
    )


def trials_frame(trials: pa.Table, provenance: Provenance, start: int, census: Census) -> pd.DataFrame:
    """One row per finished trial. start: how many trials stand before these."""
    import pandas as pd

    places = slice(start, start + len(trials))
    said = pc.fill_null(trials["calls"], 0).to_numpy()
    return pd.DataFrame(
        {
            "subject": "trials",
            "trial_id": trials["trial_id"].to_pandas(),
            "status": trials["status"].to_pandas(),
            "stamp_slack_ns": chain_slack(trials, TRIAL_STAMPS),
            "latency_slack_ms": latency_slack(trials),
            "token_slack": chain_slack(trials, TOKENS, floor=0),
            "usage_told": usage_told(trials, provenance, _true(pc.equal(trials["status"], "success"))),
            "parts_slack_ms": _parts_slack(trials),
            "status_agrees": _status_agrees(trials),
            "phase_agrees": _true(pc.equal(trials["phase"], census.planned_phase(places))).astype("float64"),
            "calls_missing": np.abs(said - census.calls_of[places]).astype("float64"),
        }
    )


def planned_frame(start: int, end: int, census: Census) -> pd.DataFrame:
    """One row per planned trial of these places: its rows beyond one, and whether it is missing."""
    import pandas as pd

    found = census.rows_of[start:end].astype("float64")
    return pd.DataFrame(
        {
            "subject": "trials",
            "trial_id": census.planned[start:end].to_pandas(),
            "rows_beyond_one": np.maximum(0.0, found - 1),
            "rows_missing": np.maximum(0.0, 1 - found),
        }
    )


def counts_frame(census: Census) -> pd.DataFrame:
    """One row per count that the run states."""
    import pandas as pd

    stated, found = census.facts.counts, census.counts
    names = [name for name in found if name in stated]
    return pd.DataFrame(
        {
            "subject": "runs",
            "trial_id": pd.Series(names, dtype=object),
            "count_off": [float(abs(stated[name] - found[name])) for name in names],
        }
    )


# ---------------------------------------------------------------- slacks


def chain_slack(table: pa.Table, chains: Chains, *, floor: float | None = None) -> Any:
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


def latency_slack(table: pa.Table) -> Any:
    """As `chain_slack`, and an answer that took no time at all is below zero as well."""
    total, there = _column(table, "e2e_ms")
    return np.where(there & (total == 0), -1.0, chain_slack(table, LATENCIES, floor=0))


Provenance = Callable[[Any], Sequence[Any]]
"""Places of rows -> the `provenance` of each, as pairs or None. Read for few rows only: it is the widest column."""


def usage_told(table: pa.Table, provenance: Provenance, success: Any) -> Any:
    """1 where a success has its output tokens or a reason why not, 0 where it has neither, NaN elsewhere."""
    there = pc.is_valid(table["tokens_out"]).to_numpy()
    silent = np.flatnonzero(success & ~there)
    told = there.astype("float64")
    if len(silent):
        told[silent] = [float(_missing_reason(pairs)) for pairs in provenance(silent)]
    return np.where(success, told, np.nan)


def faulty_chunks(calls: pa.Table) -> Any:
    """Whether `chunk_faults` has anything to say of a call."""
    offsets, sizes, kinds = (calls[name].combine_chunks() for name in CHUNK_LISTS)
    lengths = [pc.fill_null(pc.list_value_length(part), 0).to_numpy() for part in (offsets, sizes, kinds)]
    faulty = (lengths[0] != lengths[1]) | (lengths[1] != lengths[2])
    at, owner = _flat(offsets)
    late = (at[1:] < at[:-1]) & (owner[1:] == owner[:-1])
    faulty[owner[1:][late]] = True
    size, owner = _flat(sizes)
    faulty[owner[size < 0]] = True
    known = pc.is_in(pc.list_flatten(kinds), value_set=pa.array(CHUNK_KINDS)).to_numpy(zero_copy_only=False)
    faulty[pc.list_parent_indices(kinds).to_numpy()[~known]] = True
    return faulty


def chunk_faults(lists: Sequence[Sequence[Any] | None]) -> Iterator[str]:
    """What is wrong with a call's chunk lists (offsets, sizes, kinds)."""
    offsets, sizes, kinds = (part or [] for part in lists)
    if not len(offsets) == len(sizes) == len(kinds):
        yield f"{len(offsets)} chunk offsets, {len(sizes)} sizes and {len(kinds)} kinds; one of each per chunk"
    late = next((place for place in range(1, len(offsets)) if offsets[place] < offsets[place - 1]), None)
    if late is not None:
        yield f"chunk {late + 1} arrives before the one ahead of it"
    if len(sizes) and min(sizes) < 0:
        yield "a chunk has a negative size"
    if strange := set(kinds) - set(CHUNK_KINDS):
        yield f"chunk kinds {sorted(strange)}; known are {', '.join(CHUNK_KINDS)}"


def _flat(lists: pa.Array) -> tuple[Any, Any]:
    """All elements, and of each the row that it is in."""
    return pc.list_flatten(lists).to_numpy(zero_copy_only=False), pc.list_parent_indices(lists).to_numpy()


def _column(table: pa.Table, name: str) -> tuple[Any, Any]:
    """Values and which of them are there. Stamps stay exact."""
    column = table[name]
    values = pc.fill_null(column, 0).to_numpy()
    return values if name.endswith("_ns") else values.astype("float64"), pc.is_valid(column).to_numpy()


def _floats(column: pa.ChunkedArray) -> Any:
    """As floats, NaN where there is none."""
    return pc.fill_null(column.cast(pa.float64()), float("nan")).to_numpy()


def _true(condition: pa.ChunkedArray) -> Any:
    """False where it is null."""
    return pc.fill_null(condition, fill_value=False).to_numpy()


def _status_agrees(trials: pa.Table) -> Any:
    """1 where a success has no error kind, a failure or timeout has one, a skipped trial says why."""
    kind, why = (pc.is_valid(trials[name]).to_numpy() for name in ("error_kind", "error_message"))
    success, skipped = (_true(pc.equal(trials["status"], status)) for status in ("success", "skipped"))
    return np.where(skipped, why, kind == ~success).astype("float64")


def _parts_slack(trials: pa.Table) -> Any:
    """How far the parts of the wall time may still be off; negative parts count, and so do parts that are not there."""
    parts = np.array([_floats(trials[name]) for name in PARTS])
    wall = _floats(trials["wall_ms"])
    off = np.abs(parts.sum(axis=0) - wall)
    slack = np.fmin(_PART_TOLERANCE_MS * np.maximum(1.0, wall) - off, parts.min(axis=0))
    return np.where(np.isnan(slack) & ~np.isnan(wall), -1.0, slack)


def _missing_reason(pairs: Any) -> bool:
    entries = pairs.items() if isinstance(pairs, Mapping) else pairs or ()
    return any(name == "tokens_out" and str(how).startswith("missing") for name, how in entries)
