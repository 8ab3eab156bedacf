"""The columns that a verdict needs, of all rows of a run: small enough to hold. Words are codes, and no lists: a call's
chunks are their bytes, `chunk_bytes`, and those of reasoning among them, `reasoning_bytes`; null where there are none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from benchbook.stages.verdicts.series import METRICS

_LISTS = ("chunk_sizes", "chunk_kinds")
_PLAIN = ("trial_id",)
"""Words of which no two rows have the same."""
COLUMNS = {
    "trials": (
        *("trial_id", "dataset", "test_id", "target", "phase", "status", "error_kind", "prompt_sha256"),
        *("calls", "tokens_in", "cost_usd"),
        *("intended_ns", "started_ns", "ended_ns", "wall_offset_ns", "schedule_lag_ms", "block", "block_place"),
        *METRICS,
    ),
    "calls": (
        *("trial_id", "target", "error_kind", "finish_reason", "model_served", "system_fingerprint"),
        *("tokens_out", "tokens_reasoning"),
        *_LISTS,
    ),
}


def narrow(name: str, parts: Iterable[Callable[[Sequence[str]], pa.Table]]) -> pa.Table:
    """The table `trials` or `calls` out of its parts, of which there is at least one."""
    return pa.concat_tables([_narrow(part(COLUMNS[name])) for part in parts]).unify_dictionaries()


def _narrow(part: pa.Table) -> pa.Table:
    columns = {name: _coded(name, part[name]) for name in part.column_names if name not in _LISTS}
    if _LISTS[0] in part.column_names:
        columns["chunk_bytes"], columns["reasoning_bytes"] = _bytes(*(part[name].combine_chunks() for name in _LISTS))
    return pa.table(columns)


def _coded(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.dictionary_encode() if pa.types.is_string(column.type) and name not in _PLAIN else column


def _bytes(sizes: pa.Array, kinds: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Bytes of each call's chunks, and of those the bytes of reasoning."""
    import numpy as np

    owner = pc.list_parent_indices(sizes).to_numpy()
    size = pc.list_flatten(sizes).to_numpy()
    reasoning = pc.equal(pc.list_flatten(kinds), "reasoning").to_numpy(zero_copy_only=False)
    none = np.bincount(owner, minlength=len(sizes)) == 0
    whole, reasoned = (
        np.bincount(owner, weights=weights, minlength=len(sizes)) for weights in (size, np.where(reasoning, size, 0))
    )
    return pa.array(whole, mask=none), pa.array(reasoned, mask=none)
