"""What tests of whole runs share: a bench in a temporary folder, with a real plan, datasets and simulator law."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchbook.records import Trial
from benchbook.results import journal
from benchbook.stages import Job

TARGETS = {
    "openai": "sim-openai",
    "anthropic": "sim-anthropic",
    "bedrock": "anthropic.sim-claude-v1:0",
    "ollama": "sim-llama",
}

os.environ.pop("COLUMNS", None)  # a test runner's own: tables are as wide as they take
os.environ.update(
    DO_NOT_TRACK="1", DVC_NO_ANALYTICS="1", GX_ANALYTICS_ENABLED="false", PREFECT_SERVER_ANALYTICS_ENABLED="false"
)


UNTIMED: dict[str, None] = dict.fromkeys(
    (
        *("loop_lag_p99_ms", "cpu_share", "run_delay_share", "steal_share", "gc_pause_max_ms", "schedule_lag_p99_ms"),
        *("rate_shortfall", "concurrency_shortfall", "little_law_gap", "drift", "inflation", "quantile"),
    )
)
"""`store.verdict` for tests: what a busy machine makes of a run, and how few its trials are, decide nothing."""


@dataclass
class Bench:
    """A folder with a plan; `law` is the simulator's default law, `faults` its faults."""

    folder: Path
    targets: tuple[str, ...] = ("openai",)
    cases: int = 4
    law: dict[str, Any] = field(default_factory=dict)
    faults: list[dict[str, Any]] = field(default_factory=list)
    execute: dict[str, Any] = field(default_factory=dict)
    sections: dict[str, Any] = field(default_factory=dict)

    @property
    def results(self) -> Path:
        return self.folder / "results"

    @property
    def plan(self) -> Path:
        return self.folder / "plan.yaml"

    def write(self) -> Path:
        """The plan, its dataset and its simulator profile, as files; the plan's path."""
        self.folder.mkdir(parents=True, exist_ok=True)
        cases = [
            {"id": f"c{n}", "category": "k", "prompt": f"Say word {n} and nothing else.", "expected": f"word {n}"}
            for n in range(self.cases)
        ]
        dataset = {"name": "small", "version": "1.0", "schema_version": "1", "test_cases": cases}
        (self.folder / "small.json").write_text(json.dumps(dataset))
        profile = {"seed": 7, "default": self.law, "faults": self.faults}
        (self.folder / "profile.yaml").write_text(yaml.safe_dump(profile))
        listed = [
            {
                "name": f"{name}-sim",
                "provider": name,
                "model": TARGETS[name],
                "base_url": "simulator",
                "region": "us-east-1",
            }
            for name in self.targets
        ]
        execute = {
            "targets": listed,
            "repetitions": 2,
            "warmup": 1,
            "calibrate": False,
            "simulator": str(self.folder / "profile.yaml"),
        }
        retries = {"attempts": 3, "base_s": 0.01, "cap_s": 0.05}
        document = {
            "validate": {"datasets": [str(self.folder / "small.json")]},
            "execute": {**execute, "retries": retries, **self.execute},
            **self.sections,
            "store": {"verdict": UNTIMED, **self.sections.get("store", {})},
        }
        self.plan.write_text(yaml.safe_dump(document))
        return self.plan

    def job(self, **changes: Any) -> Job:
        """The job for this bench."""
        self.write()
        return replace(Job(plan=str(self.plan), results=str(self.results)), **changes)

    def trials(self, run_id: str | None = None) -> list[Trial]:
        """What the journal holds of a run, the only one if none is named."""
        return list(journal.read_run(self.results, run_id or self.run_ids()[-1]).trials())

    def run_ids(self) -> list[str]:
        return journal.runs(self.results)

    def statuses(self, run_id: str | None = None) -> Counter[str]:
        return Counter(trial.status for trial in self.trials(run_id))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """An instant simulator, one target, four cases, two repetitions and one warm-up."""
    return Bench(tmp_path / "bench")


_LONGEST_FIRST = (
    *("test_schedule", "test_flows", "test_readme", "test_dvc", "test_watched", "test_workers", "test_ui"),
    *("test_pipeline", "test_pipeline_in_trouble", "test_verbs", "test_sweeps", "test_cassettes"),
)
"""Modules of whole stories: begun first, so that no worker is left alone with one at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest stories first; everything else stays in its order."""
    places = {name: place for place, name in enumerate(_LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))
