"""Whether prompts were as large, and as unknown to the provider's cache, as the plan asked: slacks for the result
suite. What is held against what was asked is the provider's own count; where it reports none, nothing is judged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchbook.checks import ResultFacts

if TYPE_CHECKING:
    import pandas as pd

SIZE_TOLERANCE = 0.10
"""How far a prompt may be from its declared size, as a share of that."""
SIZE_TOLERANCE_TOKENS = 25
"""What is never held against a prompt: a chat's own framing, a nonce."""


def prompt_columns(calls: pa.Table, asked: Any, facts: ResultFacts) -> dict[str, Any]:
    """Per call: how far its prompt is from its declared size (a share), and tokens from the cache in a cold plan.

    asked: of each call the declared size, NaN for a written case. Only first turns are judged: a later one carries its
    conversation, which may well be cached.
    """
    counted, cached = (
        pc.fill_null(calls[name].cast(pa.float64()), float("nan")).to_numpy() for name in ("tokens_in", "tokens_cached")
    )
    first = pc.equal(pc.fill_null(calls["turn"], 1), 1).to_numpy()
    off = np.abs(counted - asked)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(off <= SIZE_TOLERANCE_TOKENS, 0.0, off / asked)
    return {
        "prompt_size_off": np.where(first & ~np.isnan(asked) & ~np.isnan(counted), share, np.nan),
        "cached_unasked": np.where(first & (facts.cache == "cold"), cached, np.nan),
    }


WARM_COLUMNS = ("target", "phase", "error_kind", "tokens_cached")


def warm_frame(calls: Iterable[pa.Table], facts: ResultFacts) -> pd.DataFrame:
    """Of a warm plan, one row per target with measured answers: how many of them were served from the cache.

    calls: WARM_COLUMNS, a part at a time; not looked at unless the plan is warm.
    """
    import pandas as pd

    hits: Counter[str] = Counter()
    for part in calls if facts.cache == "warm" else ():
        answered = part.filter(pc.and_(pc.equal(part["phase"], "measured"), pc.is_null(part["error_kind"])))
        served = pc.fill_null(pc.greater(answered["tokens_cached"], 0), fill_value=False).to_pylist()
        for target, hit in zip(answered["target"].to_pylist(), served, strict=True):
            if target is not None:
                hits[target] += hit
    names = sorted(hits)
    return pd.DataFrame(
        {
            "subject": "trials",
            "trial_id": pd.Series(names, dtype=object),
            "cache_hits": np.array([hits[name] for name in names], dtype="float64"),
        }
    )
