"""Lines of a page to copy into a shell: from a number that is seen to the rows that it was made of.

Only ids that are plain words stand in them: a line that someone pastes must not be anyone else's to write.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from benchbook.records import TEAM_WORKLOADS
from benchbook.reports.gather import RunView

_PLAIN = re.compile(r"[\w.-]+")
_FAILED = "trial_id, target, test_id, error_kind, error_message"


def lines(view: RunView) -> Iterator[tuple[str, str]]:
    """What each line shows, and the line."""
    run_id = str(view.run["run_id"])
    if not _PLAIN.fullmatch(run_id):
        return
    yield "This run in the terminal", f"benchbook show {run_id}"
    yield "Every trial", f"{_sql('*', 'trials', run_id)} --format csv"
    if view.failures:
        yield "Those that failed", _sql(_FAILED, "trials", run_id, " and status in ('failure', 'timeout')")
    slowest = next((row for row in view.slowest if _PLAIN.fullmatch(str(row["trial_id"]))), None)
    if slowest is None:
        return
    of_trial = f" and trial_id = '{slowest['trial_id']}'"
    chunks = "attempt, chunk_offsets_us, chunk_sizes"
    yield "Every chunk of one of the slowest trials", _sql(chunks, "calls", run_id, of_trial)
    yield "What it answered", _sql("text", "responses", run_id, of_trial)
    if slowest["workload"] in TEAM_WORKLOADS:
        yield "Its spans", f"benchbook show {slowest['trial_id']} --timeline"


def _sql(columns: str, table: str, run_id: str, more: str = "") -> str:
    return f"benchbook sql \"select {columns} from {table} where run_id = '{run_id}'{more}\""  # noqa: S608 (shown, not run)
