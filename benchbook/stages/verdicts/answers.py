"""Reasons out of what came back: token counts, lengths, throttling, and who answered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from benchbook.config import VerdictSpec
from benchbook.stages.verdicts.evidence import Asked, Evidence
from benchbook.stages.verdicts.reasons import Reason

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEAST_BYTES, MOST_BYTES = 0.25, 40.0
"""UTF-8 bytes of text per reported token between which a count is plausible."""
FULL = 0.9
"""An answer that is said to have reached its limit has at least this share of it."""
_FEW = 3


def answers(evidence: Evidence, limits: VerdictSpec) -> Iterator[Reason]:
    """By target: tokens, lengths, throttling, fingerprints."""
    calls = evidence.calls
    for target in evidence.targets:
        mine = calls.filter(pc.equal(calls["target"], target))
        good = mine.filter(pc.is_null(mine["error_kind"]))
        found = (
            _throttled(target, mine, limits),
            _tokens(target, good, limits),
            _inputs(target, evidence.good(target), limits),
            _lengths(target, good, evidence, limits),
            *(_changed(target, good, column, limits) for column in ("model_served", "system_fingerprint")),
        )
        yield from (reason for reason in found if reason is not None)


def _throttled(target: str, calls: pa.Table, limits: VerdictSpec) -> Reason | None:
    refused = pc.sum(pc.equal(calls["error_kind"], "rate_limited")).as_py() or 0
    said = f"{refused} of {len(calls)} attempts were throttled"
    return _share("throttled", target, (refused, len(calls)), limits.throttled_share, said)


def _tokens(target: str, calls: pa.Table, limits: VerdictSpec) -> Reason | None:
    """Bytes of content per reported token; reasoning is on neither side where its tokens are reported, else on both."""
    import numpy as np

    known = calls.filter(pc.and_(pc.is_valid(calls["tokens_out"]), pc.is_valid(calls["chunk_bytes"])))
    size, reasoned = (known[name].to_numpy() for name in ("chunk_bytes", "reasoning_bytes"))
    hidden = pc.fill_null(known["tokens_reasoning"], 0).to_numpy()
    tokens = known["tokens_out"].to_numpy() - hidden
    # Where the provider does not say how many tokens the reasoning took, both sides are taken with it.
    size = size - np.where(pc.is_valid(known["tokens_reasoning"]).to_numpy(), reasoned, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = size / tokens
    judged = (size > 0) | (tokens > 0)
    odd = judged & ~((ratio >= LEAST_BYTES) & (ratio <= MOST_BYTES))
    part = int(odd.sum()), int(judged.sum())
    said = f"{part[0]} of {part[1]} answers have fewer than {LEAST_BYTES:g} or more than {MOST_BYTES:g} bytes a token"
    return _share("token_mismatch", target, part, limits.token_mismatch_share, said)


def _inputs(target: str, trials: pa.Table, limits: VerdictSpec) -> Reason | None:
    """The widest spread of input tokens over trials of one prompt and one attempt, as a share of the largest count."""
    limit = limits.input_token_spread
    once = trials.filter(pc.equal(trials["calls"], 1))
    known = once.filter(pc.is_valid(once["tokens_in"]))
    if limit is None or not len(known):
        return None
    by_prompt = known.group_by("prompt_sha256").aggregate([("tokens_in", "min"), ("tokens_in", "max")])
    low, high = by_prompt["tokens_in_min"].to_numpy(), by_prompt["tokens_in_max"].to_numpy()
    worst = int((high - low).argmax())
    spread = float((high[worst] - low[worst]) / high[worst]) if high[worst] else 0.0
    if spread <= limit:
        return None
    said = f"one prompt was counted as {low[worst]} and as {high[worst]} input tokens, at most {limit:.0%} may differ"
    return Reason("input_tokens_differ", said, spread, limit, target)


def _lengths(target: str, calls: pa.Table, evidence: Evidence, limits: VerdictSpec) -> Reason | None:
    """Answers above the most tokens asked, below the fewest, or said to be cut at a limit that they did not reach."""
    import numpy as np

    known = calls.filter(pc.is_valid(calls["tokens_out"]))
    if limits.wrong_length_share is None or not len(known):
        return None
    most, fewest = _asked(target, known, evidence)
    tokens = known["tokens_out"].to_numpy().astype(float)
    cut = pc.fill_null(pc.equal(known["finish_reason"], "length"), fill_value=False).to_numpy()
    with np.errstate(invalid="ignore"):
        wrong = (tokens > most) | (tokens < fewest) | (cut & (tokens < FULL * most))
    asked = ~np.isnan(most) | ~np.isnan(fewest)
    said = f"{int(wrong.sum())} of {int(asked.sum())} answers are longer or shorter than asked"
    return _share("wrong_output_length", target, (int(wrong.sum()), int(asked.sum())), limits.wrong_length_share, said)


def _asked(target: str, calls: pa.Table, evidence: Evidence) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Most and fewest tokens of each call, NaN where nothing is asked."""
    import numpy as np

    trials = evidence.trials
    rows = pc.index_in(calls["trial_id"], trials["trial_id"])
    names = (trials[name].cast(pa.string()).take(rows) for name in ("dataset", "test_id"))
    keys = pc.binary_join_element_wise(*names, "\x1f")
    coded = keys.combine_chunks().dictionary_encode()
    table = [evidence.asked(target, *_key(key)) for key in coded.dictionary.to_pylist()] + [Asked()]
    place = pc.fill_null(coded.indices, len(table) - 1).to_numpy()
    most = np.array([_or_nan(one.most) for one in table])
    fewest = np.array([_or_nan(one.fewest) for one in table])
    return most[place], fewest[place]


def _key(joined: str) -> tuple[str, str]:
    dataset, _, test_id = joined.partition("\x1f")
    return dataset, test_id


def _or_nan(value: int | None) -> float:
    return float("nan") if value is None else float(value)


def _changed(target: str, calls: pa.Table, column: str, limits: VerdictSpec) -> Reason | None:
    seen = sorted(pc.unique(calls[column].drop_null()).to_pylist())
    if limits.endpoints is None or len(seen) <= limits.endpoints:
        return None
    named = ", ".join(seen[:_FEW]) + (", ..." if len(seen) > _FEW else "")
    said = f"{column.replace('_', ' ')} changed within the run: {len(seen)} seen ({named})"
    return Reason("endpoint_changed", said, len(seen), limits.endpoints, target)


def _share(code: str, target: str, part: tuple[int, int], limit: float | None, said: str) -> Reason | None:
    odd, whole = part
    if limit is None or not whole or odd / whole <= limit:
        return None
    return Reason(code, f"{said}, at most {limit:.0%} may", odd / whole, limit, target)
