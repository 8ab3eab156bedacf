"""What a row of a run's tables is held against and lies in other rows: all trials, all planned ones, all calls' owners.

Ids as Arrow strings and numbers as arrays: a million trials are some hundred megabytes and no Python object.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchbook.checks import ResultFacts

if TYPE_CHECKING:
    from numpy.typing import NDArray

STATUS_COUNTS = {"success": "succeeded", "failure": "failed", "timeout": "timed_out", "skipped": "skipped"}
TRIAL_COLUMNS = ("trial_id", "status", "prompt_tokens_asked")
CALL_COLUMNS = ("trial_id",)


class Census:
    """planned: ids; rows_of: of each of them, how many rows it has; calls_of: of each trial's row, how many calls its
    trial has; owners: of each call, the first row of its trial, -1 where it has none; counts: as rows and plan have it.
    """

    def __init__(self, trials: Iterable[pa.Table], calls: Iterable[pa.Table], facts: ResultFacts) -> None:
        self.facts = facts
        narrow = _whole(trials)
        ids = narrow["trial_id"]
        self.planned = _strings(facts.planned.keys())
        self._phases = _strings(facts.planned.values()).dictionary_encode()
        self._place = pc.index_in(ids, value_set=self.planned)
        known = self._place.drop_null().to_numpy()
        self.rows_of: NDArray[np.int64] = np.bincount(known, minlength=len(self.planned))
        self.owners: NDArray[np.int64] = _places(_whole(calls)["trial_id"], ids)
        first = _places(ids, ids)
        self.calls_of: NDArray[np.int64] = np.bincount(self.owners[self.owners >= 0], minlength=len(ids))[first]
        self._asked: NDArray[np.float64] = _floats(narrow["prompt_tokens_asked"])
        by_status = Counter(narrow["status"].to_pylist())
        self.counts = {
            "planned": len(self.planned),
            **{name: by_status.get(status, 0) for status, name in STATUS_COUNTS.items()},
            "not_started": int((self.rows_of == 0).sum()),
        }

    def planned_phase(self, places: slice) -> pa.Array:
        """The phase for which the trials of these rows are planned, null where one is not planned."""
        return self._phases.take(self._place[places]).cast(pa.string())

    def asked(self, owners: NDArray[np.int64]) -> NDArray[np.float64]:
        """The declared sizes of these trials' prompts, NaN where none is declared."""
        if not len(self._asked):
            return np.full(len(owners), np.nan)
        return np.where(owners >= 0, self._asked[owners], np.nan)


def _whole(parts: Iterable[pa.Table]) -> pa.Table:
    return pa.concat_tables(parts).combine_chunks()


def _strings(values: Iterable[str]) -> pa.Array:
    return pa.array(list(values), pa.string())


def _places(ids: pa.ChunkedArray, among: pa.ChunkedArray) -> NDArray[np.int64]:
    """Of each id its first place among those, -1 where it has none."""
    found: NDArray[np.int64] = pc.fill_null(pc.index_in(ids, value_set=among), -1).to_numpy().astype(np.int64)
    return found


def _floats(column: pa.ChunkedArray) -> NDArray[np.float64]:
    found: NDArray[np.float64] = pc.fill_null(column.cast(pa.float64()), float("nan")).to_numpy()
    return found
