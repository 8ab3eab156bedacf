"""Whether prompts were as large, and as unknown to the provider's cache, as the plan asked: slacks for the result
suite. What is held against what was asked is the provider's own count; where it reports none, nothing is judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchbook.checks import ResultFacts

if TYPE_CHECKING:
    import pandas as pd

SIZE_TOLERANCE = 0.10
"""How far a prompt may be from its declared size, as a share of that."""
SIZE_TOLERANCE_TOKENS = 25
"""What is never held against a prompt: a chat's own framing, a nonce."""


def prompt_columns(calls: pd.DataFrame, trials: pd.DataFrame, facts: ResultFacts) -> dict[str, Any]:
    """Per call: how far its prompt is from its declared size (a share), and tokens from the cache in a cold plan.

    Only first turns are judged: a later one carries its conversation, which may well be cached.
    """
    asked = asked_tokens(calls, trials)
    counted = calls["tokens_in"].astype("float64")
    first = calls["turn"].fillna(1) == 1
    off = (counted - asked).abs()
    share = np.where(off <= SIZE_TOLERANCE_TOKENS, 0.0, off / asked)
    cached = calls["tokens_cached"].astype("float64").where(first)
    return {
        "prompt_size_off": np.where(first & asked.notna() & counted.notna(), share, np.nan),
        "cached_unasked": cached if facts.cache == "cold" else np.full(len(calls), np.nan),
    }


def asked_tokens(calls: pd.DataFrame, trials: pd.DataFrame) -> pd.Series[float]:
    """Per call, the declared size of its trial's prompt; NaN for a written case."""
    known = trials.drop_duplicates("trial_id").set_index("trial_id")["prompt_tokens_asked"].astype("float64")
    return calls["trial_id"].map(known).astype("float64")


def warm_frame(calls: pd.DataFrame, facts: ResultFacts) -> pd.DataFrame:
    """Of a warm plan, one row per target with measured answers: how many of them were served from the cache."""
    import pandas as pd

    answered = calls[(calls["phase"] == "measured") & calls["error_kind"].isna()]
    hits = (answered["tokens_cached"].astype("float64") > 0).groupby(answered["target"]).sum()
    hits = hits if facts.cache == "warm" else hits.head(0)
    return pd.DataFrame(
        {
            "subject": "trials",
            "trial_id": pd.Series(list(hits.index), dtype=object),
            "cache_hits": hits.to_numpy(dtype="float64"),
        }
    )
