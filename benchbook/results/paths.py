"""Where things lie in a results folder, and the one place that turns a refused write into a clear line."""

from __future__ import annotations

import errno
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchbook.errors import StorageError

DEFAULT_RESULTS = "results"


def as_option(results: str | Path) -> str:
    """The folder as the end of a command that one may copy, with a blank before it; nothing where it is the default."""
    return "" if str(results) == DEFAULT_RESULTS else f" --results {shlex.quote(str(results))}"


def journal_folder(results: Path) -> Path:
    """Raw measurements, a folder a run."""
    return results / "journal"


def files_folder(results: Path, run_id: str) -> Path:
    """What a run's agents wrote with their tools, a folder a trial."""
    return journal_folder(results) / run_id / "files"


def table_folder(results: Path, table: str) -> Path:
    """The partitions of one table, a folder a run."""
    return results / "tables" / table


def checks_file(results: Path) -> Path:
    """What `validate` found in the datasets, one check a line."""
    return results / "checks" / "checks.json"


def validated_file(results: Path) -> Path:
    """Which datasets passed last, and what checked them."""
    return results / "validated.json"


def data_docs_folder(results: Path) -> Path:
    """Great Expectations' pages about the datasets, where a plan asks for them."""
    return results / "data_docs"


def aggregate_folder(results: Path) -> Path:
    """Tables that `aggregate` computes over all runs."""
    return results / "aggregate"


def metrics_file(results: Path) -> Path:
    """The small figures of the newest run that `dvc metrics` shows."""
    return results / "metrics.json"


def report_folder(results: Path) -> Path:
    """Reports, a folder a run."""
    return results / "report"


def baselines_folder(results: Path) -> Path:
    """Named baselines, a folder a name and target."""
    return results / "baselines"


def told_file(results: Path) -> Path:
    """Which alerts were told to whom, one a line."""
    return results / "alerts" / "told.ndjson"


def profile_folder(results: Path) -> Path:
    """Profiles of the harness itself, a folder a run."""
    return results / "profiles"


@contextmanager
def writable(folder: Path) -> Iterator[None]:
    """Turn an OSError of the writes inside into a StorageError that names the folder."""
    try:
        yield
    except OSError as error:
        raise StorageError(str(folder), reason(error), remedy(error)) from None


def reason(error: OSError) -> str:
    """What the system said, in words."""
    return f"can't be written ({error.strerror or error})"


def remedy(error: OSError) -> str:
    """What would help."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "free some space; what is in the journal is safe"
    return "choose another folder with --results"
