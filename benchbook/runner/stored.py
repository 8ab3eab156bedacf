"""The plan of a stored run, as it was frozen: from its manifest and its snapshot of the datasets."""

from __future__ import annotations

from dataclasses import replace

from benchbook.config import thaw
from benchbook.datasets import from_dict
from benchbook.results.journal import JournalRun
from benchbook.runner.plan import Plan, freeze


def stored_plan(run: JournalRun) -> Plan:
    """The run's plan, expanded again; its hashes are those that the manifest holds."""
    datasets = [from_dict(part["content"], path=part["path"], sha256=part["sha256"]) for part in run.datasets]
    plan = freeze(thaw(run.manifest["plan"]), datasets)
    hashes = {name: run.manifest[name] for name in ("plan_hash", "workload_hash")}
    return replace(plan, **hashes, salt=run.run_id)
