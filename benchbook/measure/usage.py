"""Token counts as the provider reported them, of a call and of a trial.

A trial's count is the sum over its calls. A call that brought no content and reported nothing counts nothing
(a rejected attempt); a call that brought content and reported nothing makes the sum unknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchbook.measure.provenance import REPORTED, Known, Metrics, metrics_of, missing
from benchbook.records import Call, Usage

TOKEN_COLUMNS: Mapping[str, str] = {
    "tokens_in": "input",
    "tokens_cached": "cached",
    "tokens_cache_write": "cache_write",
    "tokens_out": "output",
    "tokens_reasoning": "reasoning",
}
"""Column -> field of Usage."""
_NOTHING = Usage()
_NOT_REPORTED = missing("not reported")


def usage_metrics(usage: Usage) -> Metrics:
    """The token columns of one call."""
    return metrics_of({column: _reported(getattr(usage, name)) for column, name in TOKEN_COLUMNS.items()})


def trial_usage(calls: Sequence[Call]) -> Usage:
    """The sum over a trial's calls; a field that a counting call left out is None."""
    counting = [call.usage for call in calls if counts(call)]
    if len(counting) == 1:
        return counting[0]
    return Usage(**{name: _total([getattr(usage, name) for usage in counting]) for name in TOKEN_COLUMNS.values()})


def counts(call: Call) -> bool:
    """Whether a call takes part in its trial's sums: it reported usage, brought content, or succeeded."""
    return call.usage != _NOTHING or bool(call.chunks) or call.error_kind is None


def _total(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


def _reported(count: int | None) -> Known:
    return _NOT_REPORTED if count is None else (count, REPORTED)
