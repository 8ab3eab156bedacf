"""Data Docs on request: Great Expectations' own pages about the dataset suite. They load styles from public
addresses, so they are plain without a network; nothing else here depends on them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchbook.checks import Reviewer
from benchbook.checks.dataset_frame import build
from benchbook.checks.dataset_suite import rules
from benchbook.checks.engine import define, great_expectations, quiet
from benchbook.datasets import examine
from benchbook.errors import StorageError

_SITE = "gx/uncommitted/data_docs/local_site"


def write(paths: Sequence[str | Path], folder: Path, review: Reviewer | None = None) -> Path:
    """See `benchbook.checks.write_data_docs`. Raises StorageError."""
    gx = great_expectations()
    frame, rows = build([examine(path) for path in paths], review)
    with quiet(), tempfile.TemporaryDirectory() as scratch:
        context = gx.get_context(mode="file", project_root_dir=scratch)
        context.variables.progress_bars = {"globally": False}
        definition = define(context, rules(frame, rows), "dataset")
        checkpoint = context.checkpoints.add(
            gx.Checkpoint(
                name="dataset",
                validation_definitions=[definition],
                actions=[gx.checkpoint.UpdateDataDocsAction(name="docs")],
                result_format="SUMMARY",
            )
        )
        checkpoint.run(batch_parameters={"dataframe": frame})
        try:
            shutil.copytree(Path(scratch) / _SITE, folder, dirs_exist_ok=True)
        except OSError as error:
            raise StorageError(str(folder), str(error), "name a folder that can be written") from None
    return folder / "index.html"
