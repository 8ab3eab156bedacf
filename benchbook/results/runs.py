"""Run ids: minted here, sortable by time, and found again by what a person types.

    20261121T081502Z-3f9a07

UTC second of the start; then three hex digits of the second's fraction, so that runs of one second sort as well,
and three of chance, so that two machines don't meet.
"""

from __future__ import annotations

import difflib
import random
import re
from pathlib import Path

from benchbook.clock import Clock, utc
from benchbook.errors import UnknownRunError
from benchbook.results.paths import as_option, journal_folder, table_folder

MANIFEST = "run.json"
_SECOND_NS = 1_000_000_000
_LATEST = re.compile(r"latest(?:~(\d+))?")
_PARTITION = "run_id="


def mint_run_id(clock: Clock, chance: random.Random) -> str:
    """A new id for a run that starts now."""
    now_ns = clock.wall_ns()
    fraction = now_ns % _SECOND_NS * 4096 // _SECOND_NS
    return f"{utc(now_ns):%Y%m%dT%H%M%SZ}-{fraction:03x}{chance.getrandbits(12):03x}"


def runs(results: Path) -> list[str]:
    """Ids of the runs in the journal, oldest first. Folders without a manifest are none of ours."""
    found = journal_folder(results).glob(f"*/{MANIFEST}")
    return sorted(path.parent.name for path in found if not path.parent.name.startswith("."))


def stored_runs(results: Path) -> list[str]:
    """Ids of the runs that have a partition in the tables, oldest first."""
    found = table_folder(results, "runs").glob(f"{_PARTITION}*/part-0.parquet")
    return sorted(path.parent.name.removeprefix(_PARTITION) for path in found)


def find_run(results: Path, text: str) -> str:
    """The one run that `text` names: an id, the start of one, `latest`, or `latest~1` for the one before.

    Looks in the journal and in the tables. Raises UnknownRunError with the nearest ids.
    """
    known = sorted({*runs(results), *stored_runs(results)})
    if not known:
        raise UnknownRunError(text, f"there are no runs in {results}", "measure one with `benchbook run`")
    if text in known:
        return text
    if counted := _LATEST.fullmatch(text):
        return _nth_latest(known, text, int(counted[1] or 0))
    matches = [run_id for run_id in known if text and run_id.startswith(text)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise UnknownRunError(text, f"is the start of {len(matches)} run ids", f"one of {_some(matches)}")
    nearest = difflib.get_close_matches(text, known, n=3, cutoff=0.4) or known[:-4:-1]
    raise UnknownRunError(text, "no such run", f"nearest: {_some(nearest)}; `benchbook runs` lists all")


def find_stored(results: Path, text: str) -> str:
    """As `find_run`, of a run that is in the tables. Raises UnknownRunError with the command that stores it."""
    run_id = find_run(results, text)
    if run_id not in stored_runs(results):
        raise not_stored(results, run_id)
    return run_id


def not_stored(results: Path, run_id: str) -> UnknownRunError:
    """What is wrong with a run that is in the journal alone, and what stores it."""
    right = f"`benchbook stage store{as_option(results)}` stores it"
    return UnknownRunError(run_id, "is in the journal and not in the tables", right)


def _nth_latest(known: list[str], text: str, back: int) -> str:
    if back >= len(known):
        raise UnknownRunError(text, f"there are only {len(known)} runs", f"the oldest is {known[0]}")
    return known[-1 - back]


def _some(ids: list[str]) -> str:
    return ", ".join(ids[:5]) + (", ..." if len(ids) > 5 else "")
