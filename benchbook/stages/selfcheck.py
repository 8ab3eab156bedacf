"""What the harness recorded of itself during a run, out of its events: the monitor's figures and the calibrations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from benchbook.measure import harness
from benchbook.results.journal import Segment
from benchbook.stats import calibration


@dataclass(frozen=True, slots=True)
class Selfcheck:
    """harness: `measure.harness.FIGURES`; calibration: `stats.calibration.FIGURES`; dead: workers without an end;
    profiled: a session of the run was profiled."""

    harness: Mapping[str, float | None]
    calibration: Mapping[str, float | None]
    dead: tuple[str, ...] = ()
    profiled: bool = False

    def columns(self) -> dict[str, float | None]:
        """As columns of `runs`."""
        return {f"harness_{name}": value for name, value in self.harness.items()} | {
            f"calibration_{name}": value for name, value in self.calibration.items()
        }


EVENT_COLUMNS = ("wall_offset_ns", "kind", "target", "name", "detail")
"""What is read of the table `events`, by this and by the verdict."""


def selfcheck(events: pa.Table, segments: Sequence[Segment]) -> Selfcheck:
    """From the table `events` of one run, and its segments."""
    own = events.filter(pc.equal(events["kind"], "harness")).select(["wall_offset_ns", "name", "detail"]).to_pylist()
    seconds: dict[tuple[int | None, int], list[dict[str, Any]]] = {}
    found: list[dict[str, Any]] = []
    for row in own:
        fields = orjson.loads(row["detail"])
        if row["name"] == harness.SECOND:
            seconds.setdefault((row["wall_offset_ns"], fields.get("worker", 0)), []).append(fields)
        elif row["name"] == harness.CALIBRATION:
            found.append(fields)
    dead = tuple(_worker(one) for one in segments if one.start.get("worker") is not None and one.end is None)
    profiled = any(one.start.get("profiled") for one in segments)
    return Selfcheck(
        harness.summary((offset, parts) for (offset, _), parts in seconds.items()),
        calibration.of_run(found),
        dead,
        profiled,
    )


def _worker(segment: Segment) -> str:
    return f"worker {segment.start['worker']} (process {segment.start.get('pid')})"
