"""One side of a comparison, or any set of runs, out of the words that a person types.

    latest~1                              one run
    target=alpha since=2026-10-01         every run of that time that asked target alpha, alpha alone
    rev=v1.2 workload=agent last=5        the five newest runs of a git revision

Words are parted by blanks or commas. A run is named by its id, the start of one, `latest` or `latest~N`, or by a git
revision whose runs are stored; KEY=VALUE narrows what is taken, from all runs where none is named. Nothing is guessed:
a side that selects no run, or a key that is none, is refused with what would be right.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchbook.errors import UnknownRunError, UserError
from benchbook.history.questions import select
from benchbook.results.baselines import standing
from benchbook.results.runs import find_run, not_stored

Row = Mapping[str, Any]
Rule = Callable[[Row], bool]

_RUNS = """
select run_id, started_at, plan_hash, workload_hash, git_commit, host, dvc_hashes, sweep_id
from runs
order by run_id
"""
_HELD = "select distinct run_id, target, workload from trials"

KEYS: Mapping[str, str] = {
    "target": "asked of this target, and of the side that target alone",
    "workload": "holds this workload, and of the side that workload alone",
    "since": "started at or after this date or time, in UTC",
    "until": "started before the end of this date, or before this time, in UTC",
    "last": "the newest N of what else is selected",
    "plan": "of this plan, by the start of its hash",
    "workload_hash": "of this workload hash, by its start",
    "rev": "measured at this git revision",
    "dvc": "asked a dataset of this DVC hash (its start will do); or recorded by the dvc.lock of this git revision, "
    "of those the newest",
    "host": "measured on this host",
    "sweep": "of this sweep, search or experiment, by the start of its id",
    "profile": "the baseline of this name; of the side its target alone, where it has one",
}
"""Key -> what it selects."""


@dataclass(frozen=True, slots=True)
class Side:
    """What one side of a comparison is: whole run ids, oldest first, and the target and workload it is narrowed to.

    words: the text that said so; target, workload: None for every one that the runs hold.
    """

    words: str
    runs: tuple[str, ...]
    target: str | None = None
    workload: str | None = None


def select_side(results: str | Path, text: str) -> Side:
    """The side that `text` names. Raises UserError (UnknownRunError for a run) with what would be right."""
    results = Path(results)
    named, asked = _parsed(text)
    if "profile" in asked:
        named, asked = _of_profile(results, named, asked)
    stored = {row["run_id"]: row for row in select(results, _RUNS)}
    if not stored:
        raise UnknownRunError(text, f"no run is stored in {results}", "measure one with `benchbook run`")
    found = {run_id for word in named for run_id in _named(results, word, stored)} if named else set(stored)
    rules = [_RULES[key](value) for key, value in asked.items() if key in _RULES]
    runs = [run_id for run_id in sorted(found) if all(rule(stored[run_id]) for rule in rules)]
    runs = _holding(results, runs, asked)
    if "last" in asked or _is_revision(asked.get("dvc", "")):
        runs = runs[-_count(asked.get("last", "1")) :]
    if not runs:
        raise UserError(repr(text), f"selects none of the {len(stored)} stored runs", "`benchbook runs` lists all")
    return Side(text, tuple(runs), asked.get("target"), asked.get("workload"))


def _parsed(text: str) -> tuple[list[str], dict[str, str]]:
    named: list[str] = []
    asked: dict[str, str] = {}
    for word in re.split(r"[\s,]+", text.strip()):
        key, equals, value = word.partition("=")
        if not equals:
            named += [word] if word else []
        elif key not in KEYS:
            raise UserError(word, f"{key!r} selects nothing", f"one of {', '.join(KEYS)}")
        elif not value or key in asked:
            raise UserError(word, "is said twice" if value else "has no value", f"write {key}=VALUE once")
        else:
            asked[key] = value
    if not named and not asked:
        raise UserError("", "a side of a comparison is empty", "name a run, or narrow by KEY=VALUE")
    return named, asked


def _named(results: Path, word: str, stored: Mapping[str, Row]) -> list[str]:
    """The run that a word names; or else the runs of the git revision that it names."""
    try:
        run_id = find_run(results, word)
    except UnknownRunError:
        commit = _commit(word)
        found = [name for name, row in stored.items() if commit and row["git_commit"] == commit]
        if not found:
            raise
        return found
    if run_id not in stored:
        raise not_stored(results, run_id)
    return [run_id]


def _since(value: str) -> Rule:
    first = _moment("since", value)
    return lambda row: row["started_at"] is not None and row["started_at"] >= first


def _until(value: str) -> Rule:
    last = _moment("until", value)
    return lambda row: row["started_at"] is not None and row["started_at"] < last


def _starting(column: str) -> Callable[[str], Rule]:
    return lambda value: lambda row: str(row[column] or "").startswith(value)


def _of_revision(value: str) -> Rule:
    commit = _commit(value)
    if commit is None and not re.fullmatch(r"[0-9a-f]{4,40}", value):
        raise UserError(f"rev={value}", "is no git revision here", "a commit, branch or tag, see `git log --oneline`")
    return lambda row: str(row["git_commit"] or "").startswith(commit or value)


def _of_dvc(value: str) -> Rule:
    if _is_revision(value):
        recorded = _recorded(value)
        return lambda row: row["run_id"] in recorded
    return lambda row: any(digest.startswith(value) for digest in dict(row["dvc_hashes"] or {}).values())


_RULES: Mapping[str, Callable[[str], Rule]] = {
    "since": _since,
    "until": _until,
    "plan": _starting("plan_hash"),
    "workload_hash": _starting("workload_hash"),
    "rev": _of_revision,
    "dvc": _of_dvc,
    "host": lambda value: lambda row: bool(row["host"] == value),
    "sweep": _starting("sweep_id"),
}


def _of_profile(results: Path, named: list[str], asked: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    """The words with a baseline's run and target in the place of its name."""
    name, target = asked["profile"], asked.get("target")
    where = f"profile={name}"
    of_name = [baseline for baseline in standing(results) if baseline.name == name]
    found = [baseline for baseline in of_name if target in (None, baseline.target)]
    if not found:
        listed = ", ".join(sorted({f"{one.name} of {one.target}" for one in standing(results)})) or "none is set"
        raise UserError(where, "no such baseline holds", f"`benchbook profile` lists them ({listed})")
    runs = {baseline.run_id for baseline in found}
    targets = sorted({baseline.target for baseline in found})
    if len(runs) > 1:
        raise UserError(where, "its targets have different runs", f"add target=, one of {', '.join(targets)}")
    rest = {key: value for key, value in asked.items() if key != "profile"}
    return [*named, *runs], rest | ({"target": targets[0]} if len(targets) == 1 else {})


def _holding(results: Path, runs: list[str], asked: Mapping[str, str]) -> list[str]:
    """Those of the runs that hold the target and workload asked for. Raises UserError where none of them does."""
    wanted = {key: asked[key] for key in ("target", "workload") if key in asked}
    if not wanted or not runs:
        return runs
    held = select(results, _HELD, runs=runs)
    for key, value in wanted.items():
        names = sorted({str(row[key]) for row in held})
        if value not in names:
            raise UserError(f"{key}={value}", f"no selected run holds that {key}", f"one of {', '.join(names)}")
    fitting = {row["run_id"] for row in held if all(row[key] == value for key, value in wanted.items())}
    return [run_id for run_id in runs if run_id in fitting]


def _moment(key: str, text: str) -> datetime:
    """A date or time in UTC. Of `until` a date means its end."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(
            f"{key}={text}", "is no date or time", f"write {key}=2026-10-01 or {key}=2026-10-01T14:30"
        ) from None
    if key == "until" and len(text) <= len("2026-10-01"):
        found += timedelta(days=1)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise UserError(f"last={text}", "is no number of runs", "write last=5 for the five newest")
    return int(text)


def _commit(revision: str) -> str | None:
    """The commit that git knows this revision by, in the folder we are in; None where there is none."""
    if revision.startswith("-"):
        return None
    return _git("rev-parse", "--verify", "--quiet", revision + "^{commit}")


def _is_revision(text: str) -> bool:
    """Whether a word after dvc= is a git revision, and no hash of a dataset."""
    return bool(text) and _commit(text) is not None


def _recorded(revision: str) -> frozenset[str]:
    """The runs that a git revision's dvc.lock records under results/journal.

    Read from DVC's own cache: the lock names a list of files, and its copy stands in the cache by its hash. Raises
    UserError where the revision records no results, or their list is not in the cache.
    """
    where, right = f"dvc={revision}", "rev= selects by the commit that measured"
    lock = _git("show", f"{_commit(revision)}:./dvc.lock")
    if lock is None:
        raise UserError(where, "that revision has no dvc.lock here", right)
    listed = re.search(r"path:\s*\S*journal\n(?:[^\n]*\n)??[^\n]*md5:\s*([0-9a-f]{32}\.dir)", lock)
    if listed is None:
        raise UserError(where, "its dvc.lock names no journal of results", right)
    path = _cache() / "files" / "md5" / listed[1][:2] / listed[1][2:]
    try:
        parts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise UserError(where, "its list of results is not in DVC's cache", "`dvc fetch` brings it") from None
    return frozenset(str(part["relpath"]).split("/")[0] for part in parts)


def _cache() -> Path:
    """DVC's cache of the repository that we are in."""
    return Path(_git("rev-parse", "--show-toplevel") or ".") / ".dvc" / "cache"


def _git(*words: str) -> str | None:
    try:
        done = subprocess.run(["git", *words], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
