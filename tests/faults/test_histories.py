"""Histories that are damaged, half written, old, thin, one-sided: a right answer or a clear refusal, never a traceback.

One store holds them all, side by side as a person's would: every question is asked of it once, and the verbs that draw
conclusions are called as a person calls them. What a fault leaves intact is answered as if the rest were not there.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchbook.cli import VERBS, main
from benchbook.history import ask_many, damaged, questions
from benchbook.results.journal import create_run
from benchbook.results.schemas import TABLES
from tests.spec.sql.stored import Row, Stored, run_row, write_part
from tests.unit.history.test_recommending import run_of

SINCE: Mapping[int, Mapping[str, tuple[str, ...]]] = {
    2: {
        "runs": ("reason_codes", "harness_*", "schedule_lag_p99_ms", "calibration_*", "sweep_*"),
        "trials": ("prompt_tokens_asked",),
        "calls": ("turn", "dns_ms", "tcp_ms", "proxy_ms", "tls_ms"),
        "responses": ("turn",),
        "events": ("*",),
    },
    3: {
        "trials": (
            *("team", "tool_calls", "tool_rounds", "handoff*", "agents", "*effort_ms", "critical_*", "parallel_*"),
            *("agent_active_ms", "sdk_*", "end_state"),
        ),
        "calls": ("agent", "stamped_by"),
        "spans": ("agent", "status", "error", "call_id", "own_ms", "critical_ms", "input", "output", "detail"),
    },
    4: {"trials": ("block*", "answer_chars", "reference_chars")},
}
"""Version of the schema -> table -> the columns that it brought."""
COUNTED = {"runs": 34, "trials": 52, "calls": 52, "responses": 10, "spans": 9}
"""Columns of the first version: whoever adds one today adds it to SINCE as well."""
OLD = {"old1": 1, "old2": 2, "old3": 3, "today": 4}
"""Run -> the version that its tables are written in. They differ in nothing else."""


# ---------------------------------------------------------------- thin and one-sided rows, two runs each


def two_runs(name: str, cases: int = 7, reps: int = 2, **of_b: Any) -> Stored:
    """Runs NAME-a and NAME-b, of a workload of their own, a day apart."""
    stored, start = Stored(), run_row("r")["started_at"]
    run_of(stored, f"{name}-a", cases=cases, reps=reps, workload_hash=name)
    run_of(stored, f"{name}-b", cases=cases, reps=reps, started_at=start + timedelta(days=1), workload_hash=name)
    stored.rows["runs"][1] |= of_b
    return stored


def each(stored: Stored, **values: Any) -> Stored:
    for row in stored.rows["trials"]:
        row.update(values)
    return stored


def all_failures(name: str) -> Stored:
    gone = dict.fromkeys(("score", "cost_usd", "ttft_ms", "e2e_ms", "tokens_in", "tokens_out"))
    found = each(two_runs(name), **gone, status="failure", error_kind="refused")
    found.rows["scores"].clear()
    return found


def one_trial(name: str) -> Stored:
    found = two_runs(name, 1, 1)
    found.rows["trials"] = [row for row in found.rows["trials"] if row["target"] == "big"]
    return found


def identical(name: str) -> Stored:
    return each(two_runs(name), score=1.0, cost_usd=0.01, ttft_ms=5.0, e2e_ms=50.0, tokens_in=9, tokens_out=9)


def zeros(name: str) -> Stored:
    return each(two_runs(name), score=0.0, cost_usd=0.0, ttft_ms=0.0, e2e_ms=0.0, tokens_in=0, tokens_out=0)


def no_prices(name: str) -> Stored:
    found = each(two_runs(name, plan=None), cost_usd=None, price_date=None)
    found.rows["runs"][0]["plan"] = "{not JSON"
    return found


def one_sided(name: str) -> Stored:
    found = two_runs(name)
    wanted = {f"{name}-a": ("big", "small"), f"{name}-b": ("slow",)}
    found.rows["trials"] = [row for row in found.rows["trials"] if row["target"] in wanted[row["run_id"]]]
    return found


def other_cases(name: str) -> Stored:
    found = two_runs(name)
    for row in found.rows["trials"]:
        row["test_id"] = f"{row['run_id']}-{row['test_id']}"
    return found


def unlike(name: str) -> Stored:
    return two_runs(name, workload_hash="another")


def warm_up_only(name: str) -> Stored:
    return each(two_runs(name), phase="warmup")


@dataclass(frozen=True)
class Said:
    """What compare and recommend say of two such runs, each a part of their output."""

    compare: str
    recommend: str


THIN: Mapping[Callable[[str], Stored], Said] = {
    all_failures: Said("CANNOT TELL", "no target with a successful trial"),
    one_trial: Said("needs 6 paired cases, has 1", "needs 6 test cases, has 1"),
    identical: Said('"ratio": 1.0', "No target is best at everything"),
    zeros: Said('"word"', "it is 0"),
    no_prices: Said('"word"', "of every target: unknown"),
    one_sided: Said(
        "nothing to hold against each other: A has big (api); small (api), B has slow (api)",
        "not all measured in the same runs",
    ),
    other_cases: Said("needs 6 paired cases, has 0", "on these 14 cases"),
    unlike: Said("unlike", "unlike workloads"),
    warm_up_only: Said("nothing to hold against each other", "no measured trial"),
}


# ---------------------------------------------------------------- damaged and half-written partitions


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flipped(path: Path) -> None:
    """One byte inside the data, the footer whole."""
    data = bytearray(path.read_bytes())
    data[40] ^= 0xFF
    path.write_bytes(data)


def foreign(path: Path) -> None:
    pq.write_table(pa.table({"someone": ["else"]}), path)


def temporary(path: Path) -> None:
    path.rename(path.with_name(f".{path.name}.tmp"))


DAMAGE: Mapping[str, Callable[[Path], None]] = {"x-cut": cut, "x-foreign": foreign, "x-written": temporary}
"""Run -> what becomes of the parts of all its tables."""


# ---------------------------------------------------------------- tables of older versions


def as_of(version: int, table: str) -> pa.Schema | None:
    """A table's schema as that version had it; None where it had no such table."""
    gone = [name for since, tables in SINCE.items() if since > version for name in tables.get(table, ())]
    kept = [field for field in TABLES[table] if not any(fnmatch(field.name, name) for name in gone)]
    return pa.schema(kept) if kept else None


def write_old(results: Path) -> None:
    """The same rows in every version: bare calls, one a trial, and no column that came later has a value."""
    told = Stored()
    run_of(told, "old", cases=7, reps=3, workload_hash="old")
    for row in (*told.rows["trials"], *told.rows["calls"]):
        row.update(answer_chars=None, reference_chars=None, turn=None)
    for run_id, version in OLD.items():
        for table, rows in told.rows.items():
            schema = as_of(version, table)
            if schema is not None:
                write_part(results, table, run_id, [row | {"run_id": run_id} for row in rows], schema)


# ---------------------------------------------------------------- all of it, and what is asked of it


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    results = tmp_path_factory.mktemp("bad") / "results"
    write_old(results)
    for made in THIN:
        made(made.__name__).write(results)
    for run_id, fault in DAMAGE.items():
        spoiled = Stored()
        run_of(spoiled, run_id, cases=7, reps=1)
        spoiled.write(results)
        for table in TABLES:
            fault(results / "tables" / table / f"run_id={run_id}" / "part-0.parquet")
    create_run(results, "y-journal-alone", {"run_id": "y-journal-alone", "plan_hash": "p"}, [])
    (results / "tables" / "trials" / "notes.txt").write_text("mine")
    (results / "tables" / "trials" / "run_id=old1" / "copy.parquet").write_bytes(b"PAR1")
    return results


Answers = Mapping[str, list[Row]]


@pytest.fixture(scope="module")
def answers(store: Path) -> Answers:
    return ask_many(tuple(questions()), store)


Door = Callable[[str], tuple[int, str, str]]


@pytest.fixture
def door(store: Path, capsys: pytest.CaptureFixture[str]) -> Door:
    """The terminal over the store: exit code, stdout and stderr of a command line."""
    return lambda line: called(line, store, capsys)


def called(line: str, results: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Whatever but an exit leaves `main` would be a traceback on a person's screen."""
    with pytest.raises(SystemExit) as left:
        main([*line.split(), "--results", str(results)])
    said, code = capsys.readouterr(), left.value.code
    assert "Traceback" not in said.err
    assert isinstance(code, int)
    if code == 2 and not said.out:
        assert "; " in said.err, "a refusal without what would be right"
        assert len(said.err.strip().splitlines()) == 1
    elif "--json" in line:
        numbers_are_numbers(json.loads(said.out))
    return code, said.out, said.err


def numbers_are_numbers(value: Any) -> None:
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            numbers_are_numbers(part)
    elif isinstance(value, float):
        assert math.isfinite(value)


def of_runs(rows: list[Row], runs: Mapping[str, Any]) -> list[Row]:
    return [row for row in rows if row.get("run_id") in runs]


def test_the_versions_are_those_of_the_history() -> None:
    found = {table: len(as_of(1, table) or ()) for table in COUNTED}
    assert found == COUNTED
    assert as_of(1, "events") is None


@pytest.mark.parametrize("run_id", list(OLD)[:-1])
def test_tables_of_an_older_version(run_id: str, answers: Answers) -> None:
    """They read as if they had been written today, with nulls where they have no such column."""
    told = 0
    for question, rows in answers.items():
        found = [row | {"run_id": "today"} for row in of_runs(rows, {run_id: None})]
        assert found == of_runs(rows, {"today": None}), question
        told += bool(found)
    assert told > 20


def test_verbs_over_older_versions(door: Door) -> None:
    code, out, _ = door("compare old1 today --json")
    assert code in (0, 4)
    assert '"ratio": 1.0' in out
    code, out, _ = door("recommend workload_hash=old --json")
    assert code == 0
    assert json.loads(out)["runs"] == list(OLD)
    assert {row["verbosity_refused"] for row in json.loads(out)["rows"]} == {"no trial has both"}


def test_what_is_damaged_is_as_if_it_were_not_there(store: Path, answers: Answers) -> None:
    for question, rows in answers.items():
        assert not of_runs(rows, {**DAMAGE, "y-journal-alone": None}), question
    named = {Path(one.file).parent.name for one in damaged(store)}
    assert {"run_id=x-cut", "run_id=x-foreign", "run_id=old1", "trials"} <= named
    assert "run_id=x-written" not in named, "a part under its temporary name is being written, not damaged"


@pytest.mark.parametrize("run_id", [*DAMAGE, "y-journal-alone"])
def test_a_run_without_readable_tables_is_refused(run_id: str, door: Door) -> None:
    for line in (f"recommend {run_id}", f"compare old1 {run_id}"):
        code, out, err = door(line)
        assert (code, out) == (2, ""), line
        assert run_id in err


@pytest.mark.parametrize("made", THIN, ids=lambda made: made.__name__)
def test_thin_and_one_sided_runs(made: Callable[[str], Stored], door: Door, answers: Answers) -> None:
    runs = {f"{made.__name__}-{side}": None for side in "ab"}
    numbers_are_numbers([of_runs(rows, runs) for rows in answers.values()])
    for line, part in (
        (f"compare {' '.join(runs)} --json", THIN[made].compare),
        (f"recommend {' '.join(runs)}", THIN[made].recommend),
    ):
        code, out, err = door(line)
        assert code in (0, 2, 3, 4), line
        assert part in " ".join((out + err).split()), line


OTHERS = (
    "trend --json",
    "alerts --json",
    "profile --json",
    "report --history --json",
    "power --json",
)


@pytest.mark.parametrize("line", [line for line in OTHERS if line.split()[0] in VERBS])
def test_other_verbs_over_all_of_it(line: str, door: Door) -> None:
    code, _, err = door(line)
    assert code in (0, 3, 4) or "holds no runs of this workload" in err


def test_a_flipped_byte(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The footer is whole, so that it shows on decoding only: what needs that part goes without it."""
    results = two_runs("f").write(tmp_path)
    flipped(results / "tables" / "trials" / "run_id=f-b" / "part-0.parquet")
    code, out, _ = called("recommend --json", results, capsys)
    assert code == 0
    assert {row["runs"] for row in json.loads(out)["rows"]} == {1}
    assert {row["run_id"] for row in ask_many(("token_use",), results)["token_use"]} == {"f-a"}


@pytest.mark.parametrize("line", ["recommend", "compare latest~1 latest", *OTHERS[:2]])
def test_no_history_at_all(line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if line.split(maxsplit=1)[0] in VERBS:
        code, _, err = called(line, tmp_path / "none", capsys)
        assert code == 0 or "benchbook" in err
        assert not (tmp_path / "none").exists()
