"""Stage 3: the journal as Parquet tables, with scores, checks and the run's verdict.

Derived and replaceable: a run's partition is stamped with the schema's version, the store parameters and the
journal's hash, and made anew only when that stamp differs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from benchbook.checks import ResultFacts, check_results
from benchbook.checks.engine import unhurried_gc
from benchbook.clock import utc
from benchbook.config import StoreSection
from benchbook.errors import StorageError
from benchbook.records import Check
from benchbook.results import rows
from benchbook.results.journal import CHECKS, FINISHED, JournalRun, journal_hash, read_run, runs
from benchbook.results.partition import Partition
from benchbook.results.schemas import SCHEMA_VERSION
from benchbook.results.store import is_current
from benchbook.stages import Job, OnStored, Stored
from benchbook.stages.derive import DERIVED, Source, batches, source
from benchbook.stages.selfcheck import EVENT_COLUMNS, selfcheck
from benchbook.stages.validate import decode_checks
from benchbook.stages.verdicts import Counts, Verdict, verdict
from benchbook.stages.verdicts.gathered import evidence
from benchbook.stages.verdicts.narrow import narrow
from benchbook.stats.quantiles import quantile


def store(job: Job, run_id: str | None = None, on_stored: OnStored | None = None) -> Stored:
    """Bring the tables of `run_id`, or of every run in the journal, up to date. Raises StorageError."""
    section = job.spec().store
    results = Path(job.results)
    stored, current, damaged = [], [], []
    for found in [run_id] if run_id else runs(results):
        try:
            run = read_run(results, found)
        except StorageError as error:
            damaged.append(str(error))
            continue
        stamp = {"store_params": _params(section), "journal_hash": journal_hash(run.folder)}
        if is_current(results, found, stamp):
            current.append(found)
            continue
        with Partition(results, found, stamp, section.compression) as partition:
            _fill(partition, source(run, section.bodies), section, stamp, on_stored or _nobody)
            partition.publish()
        stored.append(found)
        damaged += [str(damage) for damage in run.damaged]
    return Stored(tuple(stored), tuple(current), tuple(damaged))


def _nobody(_run_id: str, _done: int, _planned: int) -> None:
    """Nobody follows."""


def _params(section: StoreSection) -> str:
    return orjson.dumps(section.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS).decode()


def _fill(
    partition: Partition, found: Source, section: StoreSection, stamp: Mapping[str, str], on_stored: OnStored
) -> None:
    """Every table of the run: first what its trials say, a batch at a time, and then what is said of them."""
    run, done = found.run, 0
    with unhurried_gc():  # rows have no circles among them
        for trials, tables in batches(found):
            for name, part in tables.items():
                partition.add(name, part)
            done += trials
            on_stored(run.run_id, done, run.manifest["planned"])
    partition.write(DERIVED)
    made = {name: narrow(name, partition.parts(name)) for name in ("trials", "calls")}
    made["events"] = pa.concat_tables([part(EVENT_COLUMNS) for part in partition.parts("events")])
    counts = _counts(run, made["trials"])
    checks = _result_checks(found, partition, counts)
    seen = selfcheck(made["events"], run.segments)
    decision = verdict(evidence(found, made, counts, checks, seen), section)
    told = (*_dataset_checks(run), *checks)
    row = _run_row(found, made["trials"], counts, decision) | seen.columns() | dict(stamp)
    partition.add("checks", rows.table("checks", [rows.check_row(run.run_id, check) for check in told]))
    partition.add("runs", rows.table("runs", [row]))


def _counts(run: JournalRun, trials: pa.Table) -> Counts:
    statuses = trials["status"].to_pylist()
    return Counts(
        planned=run.manifest["planned"],
        succeeded=statuses.count("success"),
        failed=statuses.count("failure"),
        timed_out=statuses.count("timeout"),
        skipped=statuses.count("skipped"),
        time_up=trials["error_kind"].to_pylist().count("time_up"),
    )


def _dataset_checks(run: JournalRun) -> list[Check]:
    """What `validate` found before the run, as it was copied into its folder."""
    path = run.folder / CHECKS
    return decode_checks(path.read_bytes()) if path.is_file() else []


def _result_checks(found: Source, partition: Partition, counts: Counts) -> Sequence[Check]:
    facts = ResultFacts(
        planned={trial.trial_id: trial.phase for trial in found.plan.trials},
        counts={name: getattr(counts, name) for name in _COUNTS},
        finished=found.run.status == FINISHED,
        cache=found.plan.spec.execute.cache,
    )
    return check_results({name: partial(partition.parts, name) for name in ("trials", "calls")}, facts)


_COUNTS = ("planned", "succeeded", "failed", "timed_out", "skipped", "not_started")


def _run_row(found: Source, trials: pa.Table, counts: Counts, decision: Verdict) -> dict[str, Any]:
    run, manifest = found.run, found.run.manifest
    wall_s = _wall_s(trials)
    rate, together = manifest.get("offered_per_s"), found.plan.spec.execute.order == "interleaved"
    return {
        "run_id": run.run_id,
        "plan_hash": manifest["plan_hash"],
        "workload_hash": manifest["workload_hash"],
        "started_at": utc(manifest["started_wall_ns"]),
        "ended_at": _ended_at(run, trials),
        "status": run.status,
        "verdict": decision.word,
        "reasons": list(decision.sentences),
        "reason_codes": [reason.fields() for reason in decision.reasons],
        **{name: getattr(counts, name) for name in _COUNTS},
        "offered_per_s": None if rate is None else rate * (len(found.plan.targets) if together else 1),
        "achieved_per_s": counts.attempted / wall_s if wall_s else None,
        "wall_s": wall_s,
        "schedule_lag_p99_ms": _schedule_lag_p99_ms(trials),
        "cost_usd": _cost_usd(trials),
        "sessions": len(run.sessions),
        **{name: manifest.get(name) for name in _TRACED},
        "harness": run.segments[-1].start.get("harness") if run.segments else None,
        "plan": orjson.dumps(manifest["plan"]).decode(),
        "schema_version": SCHEMA_VERSION,
    }


_TRACED = (
    "git_commit",
    "git_dirty",
    "dataset_hashes",
    "dataset_versions",
    "dvc_hashes",
    "lock_hash",
    "versions",
    "host",
    "host_fingerprint",
    "flow_run_id",
    "sweep_id",
    "sweep_axis",
    "sweep_value",
)


def _cost_usd(trials: pa.Table) -> float | None:
    """What the run cost, null as soon as a successful trial's cost is unknown: a part must not pass for the whole."""
    costs = list(zip(trials["status"].to_pylist(), trials["cost_usd"].to_pylist(), strict=True))
    if any(cost is None for status, cost in costs if status == "success"):
        return None
    known = [cost for _, cost in costs if cost is not None]
    return math.fsum(known) if known else None


def _schedule_lag_p99_ms(trials: pa.Table) -> float | None:
    """Of all attempted trials, warm-up included; null where there are too few for a p99."""
    lags = [lag for lag in trials["schedule_lag_ms"].to_pylist() if lag is not None]
    return quantile(lags, 0.99).value


def _wall_s(trials: pa.Table) -> float | None:
    """Seconds from first start to last end of what was attempted, session by session."""
    spans: dict[int | None, tuple[int, int]] = {}
    columns = (trials[name].to_pylist() for name in ("wall_offset_ns", "started_ns", "ended_ns", "status"))
    for session, start, end, status in zip(*columns, strict=True):
        if status != "skipped":
            first, last = spans.get(session, (start, end))
            spans[session] = (min(first, start), max(last, end))
    return sum(last - first for first, last in spans.values()) / 1e9 if spans else None


def _ended_at(run: JournalRun, trials: pa.Table) -> Any:
    """When the last session said it ended; for one that was killed, its last trial's end."""
    end = run.segments[-1].end if run.segments else None
    if end is not None:
        return utc(end["ended_wall_ns"])
    columns = (trials[name].to_pylist() for name in ("ended_ns", "wall_offset_ns"))
    dated = [ended + offset for ended, offset in zip(*columns, strict=True) if offset is not None]
    return utc(max(dated)) if dated else None
