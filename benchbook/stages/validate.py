"""Stage 1: are the datasets, and the teams of agents where there are any, fit to be measured with?

Writes `results/checks/checks.json`, a pure function of its inputs (no time, no duration), so that an unchanged
dataset gives an unchanged file. Datasets that passed and have not changed since are not checked again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import orjson

from benchbook.checks import DatasetChecks, check_datasets, write_data_docs
from benchbook.datasets import files
from benchbook.datasets.notes import in_short
from benchbook.errors import DatasetError
from benchbook.records import Check
from benchbook.results.paths import checks_file, data_docs_folder, writable
from benchbook.runner.teams import require_tools
from benchbook.scoring import review
from benchbook.stages import Job, Validated
from benchbook.stages.standing import remember, standing


def validate(job: Job, *, anew: bool = False) -> Validated:
    """Check every dataset of the plan. Raises DatasetError with every problem, after they are written down, and
    PlanError for a team. anew: whatever an earlier validation found."""
    spec = job.spec()
    require_tools(spec)
    results = Path(job.results)
    paths = files(spec.validate_.datasets)
    docs = spec.validate_.data_docs
    if not anew and (earlier := standing(results, paths, docs=docs)):
        return earlier
    found = check_datasets(paths, review)
    target = checks_file(results)
    with writable(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(encode_checks(found.checks))
    if docs:
        write_data_docs(paths, data_docs_folder(results), review)
    refuse(found)
    cases = sum(len(dataset.cases) for dataset in found.datasets)
    notes = tuple(in_short(found.notes))
    outcome = Validated(len(found.datasets), cases, str(target), notes)
    with writable(results):
        remember(results, found, outcome, docs=docs)
    return outcome


def refuse(found: DatasetChecks) -> None:
    """Raise DatasetError if the checks found anything that must be mended."""
    if found.problems:
        count = len(found.problems)
        raise DatasetError(
            "datasets", f"{count} problem{'s' if count > 1 else ''}", "mend them and run again", tuple(found.problems)
        )


def encode_checks(checks: Sequence[Check]) -> bytes:
    """Checks as JSON, one a line, in a stable order."""
    return b"".join(orjson.dumps(asdict(check)) + b"\n" for check in checks)


def decode_checks(data: bytes) -> list[Check]:
    """What `encode_checks` wrote."""
    rows = (orjson.loads(line) for line in data.splitlines())
    return [Check(**{**row, "failures": tuple(row["failures"])}) for row in rows]
