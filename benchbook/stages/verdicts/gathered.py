"""The evidence of a stored run: its tables, and what its plan asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from benchbook.records import Check
from benchbook.runner.breaker import OPEN
from benchbook.runner.plan import Plan
from benchbook.stages.derive import Source
from benchbook.stages.selfcheck import Selfcheck
from benchbook.stages.verdicts.evidence import Asked, Counts, Evidence, Loads

UNEVEN = frozenset({"ramp", "steps", "spike", "trace"})
"""Loads that change by design: their latencies are not expected to be level."""


def evidence(
    found: Source, tables: Mapping[str, pa.Table], counts: Counts, checks: Sequence[Check], seen: Selfcheck
) -> Evidence:
    """What a verdict on the run is founded on. tables: `narrow` trials and calls, and events."""
    execute = found.plan.spec.execute
    load = found.plan.load
    return Evidence(
        counts=counts,
        checks=checks,
        trials=tables["trials"],
        calls=tables["calls"],
        load=Loads(
            open=not load.levels,
            slots=load.slots if len(load.levels) == 1 else None,
            steady=execute.load.kind not in UNEVEN,
            paused=execute.delay_s > 0 or execute.think_s is not None,
            capped=execute.max_in_flight is not None and execute.on_full == "wait",
        ),
        asked=lambda target, dataset, test_id: asked(found.plan, target, dataset, test_id),
        harness=seen.harness,
        dead_workers=seen.dead,
        profiled=seen.profiled,
        openings=openings(tables["events"]),
    )


def openings(events: pa.Table) -> dict[str, int]:
    """How often each target's breaker opened."""
    opened = pc.and_(pc.equal(events["kind"], "breaker"), pc.equal(events["name"], OPEN))
    return dict(Counter(events.filter(opened)["target"].to_pylist()))


def asked(plan: Plan, target: str, dataset: str, test_id: str) -> Asked:
    """The lengths that a call was asked for: `max_tokens`, and `min_tokens` or `ignore_eos` among the further keys."""
    prompt = plan.prompts.get((dataset, test_id))
    if prompt is None:
        return Asked()
    params = plan.request_to(plan.targets[target], prompt).params
    fewest = params.extra.get("min_tokens")
    if params.extra.get("ignore_eos") and fewest is None:
        fewest = params.max_tokens
    return Asked(params.max_tokens, fewest if isinstance(fewest, int) else None)
