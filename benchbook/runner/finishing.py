"""Finished trials on their way into the journal: a few at once, since eight lines together cost little more than half
of eight lines one by one.

None waits longer than ten milliseconds, none counts before its line is written, and a few short trials are all that
is ever written at once, so that no socket waits for the journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from benchbook.records import Trial

MOST_TRIALS, MOST_CHUNKS = 8, 1_024
LONGEST_S = 0.01


class Pile:
    """put: takes trials in order of ending, and may raise; failed: told of what it raised when nobody waited for it.

    most: trials that are put down together; 1 where each one's counts decide about the next.
    """

    def __init__(
        self,
        put: Callable[[Sequence[Trial]], None],
        failed: Callable[[Exception], None],
        most: int = MOST_TRIALS,
    ) -> None:
        self._put, self._failed, self._most = put, failed, most
        self._trials: list[Trial] = []
        self._chunks = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, trial: Trial) -> None:
        """Take a finished trial. Raises what `put` raises."""
        self._trials.append(trial)
        for call in trial.calls:
            self._chunks += len(call.columns.at_ns)
        if len(self._trials) >= self._most or self._chunks >= MOST_CHUNKS:
            self.put_down()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LONGEST_S, self._time_is_up)

    def put_down(self) -> None:
        """Put down what there is. Raises what `put` raises; what it was given is gone from here all the same."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        trials, self._trials, self._chunks = self._trials, [], 0
        if trials:
            self._put(trials)

    def _time_is_up(self) -> None:
        self._timer = None
        try:
            self.put_down()
        except Exception as error:  # noqa: BLE001 - for the loop, which ends with it
            self._failed(error)
