"""What an earlier validation found, where it still stands: nothing that it depends on has changed since.

It depends on the datasets' bytes and on what checks them. Only datasets that passed are remembered, and a memory that
does not fit to the letter, or whose checks are not there as they were written, is none. It lies beside the folders
that DVC keeps: it saves time and is no result.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

import benchbook
from benchbook.checks import DatasetChecks
from benchbook.results.paths import checks_file, data_docs_folder, validated_file
from benchbook.results.whole import write_whole
from benchbook.runner.provenance import installed
from benchbook.stages import Validated

UNCHANGED = (
    "the datasets are as they were when they passed: what was found then stands (`benchbook validate` checks anew)"
)

_ROOMS = ("checks", "datasets", "records", "scoring")
_PACKAGES = ("great-expectations", "numpy", "pandas", "pydantic", "pyyaml", "orjson", "jsonschema")


def standing(results: Path, paths: Sequence[Path], *, docs: bool) -> Validated | None:
    """The outcome of an earlier validation of these very files; None: they are to be checked. docs: with Data Docs."""
    try:
        kept = orjson.loads(validated_file(results).read_bytes())
        fits = (
            kept["datasets"] == [[str(path), _digest(path)] for path in paths]
            and kept["checks"] == _digest(checks_file(results))
            and (not docs or (kept["docs"] and (data_docs_folder(results) / "index.html").is_file()))
            and kept["by"] == _by()
        )
        notes = (UNCHANGED, *kept["notes"])
        return Validated(len(paths), kept["cases"], str(checks_file(results)), notes) if fits else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def remember(results: Path, found: DatasetChecks, outcome: Validated, *, docs: bool) -> None:
    """Keep what was found in datasets that passed. Those that read another file as well are not kept."""
    if any("trace" in dataset.synthetic for dataset in found.datasets):
        return
    kept = {
        "datasets": [[dataset.path, dataset.sha256] for dataset in found.datasets],
        "cases": outcome.cases,
        "notes": outcome.notes,
        "checks": _digest(checks_file(results)),
        "docs": docs,
        "by": _by(),
    }
    write_whole(validated_file(results), orjson.dumps(kept, option=orjson.OPT_INDENT_2) + b"\n")


def _by() -> Mapping[str, Any]:
    """What checks: our own code by its bytes, and the packages that it stands on."""
    root, code = Path(benchbook.__file__).parent, sha256()
    for path in sorted(path for room in _ROOMS for path in (root / room).rglob("*.py")):
        code.update(path.read_bytes())
    return {"benchbook": code.hexdigest(), "python": platform.python_version(), **installed(_PACKAGES)}


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()
