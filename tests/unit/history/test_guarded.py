"""SQL from whoever: what reads is answered, everything else is refused, and nothing is left behind."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from benchbook.errors import QueryError
from benchbook.history.guarded import Answer, Limits, ask_guarded
from benchbook.history.guarded_process import answered
from tests.spec.sql.stored import Stored, run_row, trial_row

BRIEF = Limits(seconds=0.5, rows=5, bytes=20_000, memory_mb=256)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    stored = Stored()
    stored.rows["runs"].append(run_row("r1"))
    stored.rows["trials"] += [trial_row("r1", n, ttft_ms=float(n)) for n in range(8)]
    folder = stored.write(tmp_path_factory.mktemp("it's") / "results")
    (folder / "secret.csv").write_text("a,b\n1,2\n")
    return folder


def test_what_reads_is_answered(results: Path) -> None:
    text = """select count(*) as n, max(ttft_ms) as top, 'nan'::double as x,
        170141183460469231731687303715884105727::hugeint as h,
        timestamptz '2026-11-21T08:00:00Z' as t, {'a': [1, null]} as s, '\\xFF'::blob as b,
        (from answers.overview select count(*)) as o
        from trials"""
    found = ask_guarded(results, text)
    assert found.columns == ("n", "top", "x", "h", "t", "s", "b", "o")
    assert found.types[:2] == ("BIGINT", "DOUBLE")
    big = "170141183460469231731687303715884105727"
    assert found.rows == ((8, 7.0, "nan", big, "2026-11-21T08:00:00+00:00", {"a": [1, None]}, "\\xff", 1),)
    assert not found.cut


def test_an_answer_says_where_it_was_cut(results: Path) -> None:
    found: Answer = ask_guarded(results, "from range(9) t(i) order by i desc", BRIEF)
    assert [row[0] for row in found.rows] == [8, 7, 6, 5, 4]
    assert found.cut == "the first 5 rows; there are more"


REFUSED = {
    "copy trials to '{out}/a.csv'": "kind COPY",
    "explain analyze copy trials to '{out}/a.csv'": "file system operations are disabled",
    "from read_csv('{results}/secret.csv')": "file system operations are disabled",
    "from read_text('/etc/passwd')": "file system operations are disabled",
    "from read_text('{results}/tables/../secret.csv')": "file system operations are disabled",
    "from glob('/*')": "file system operations are disabled",
    "attach '{out}/a.duckdb'": "kind ATTACH",
    "install httpfs": "kind LOAD",
    "pragma enable_profiling": "kind",
    "set enable_external_access = true": "kind",
    "create table t as select 1": "kind CREATE",
    "select 1; drop view trials": "holds 2 statements",
    "-- nothing": "holds 0 statements",
    "selct 1": "syntax error",
    "select nothing from trials": '"nothing" not found',
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_does_more_than_reading_is_refused(results: Path, tmp_path: Path, text: str) -> None:
    """By DuckDB's own walls, without those of a process."""
    told = text.format(out=tmp_path, results=str(results).replace("'", "''"))
    said = answered({"results": str(results), "sql": told, "limits": asdict(BRIEF)})
    assert REFUSED[text] in said["error"]["what"]
    assert not list(tmp_path.iterdir())


def test_a_process_that_is_let_through_still_writes_nothing(results: Path) -> None:
    """Its own wall: DuckDB may open files under the tables, and there as well none is written."""
    inside = str(results / "tables" / "a.csv").replace("'", "''")
    with pytest.raises(QueryError):
        ask_guarded(results, f"explain analyze copy trials to '{inside}'", BRIEF)
    assert not (results / "tables" / "a.csv").exists() or not (results / "tables" / "a.csv").stat().st_size


def test_what_never_ends_is_ended(results: Path) -> None:
    with pytest.raises(QueryError, match=r"took longer than 0\.5 s and was ended"):
        ask_guarded(results, "with recursive t(i) as (select 1 union all from t) select count(*) from t", BRIEF)


def test_what_takes_too_much_memory_is_ended(results: Path) -> None:
    with pytest.raises(QueryError, match="takes more than 256 MB"):
        ask_guarded(results, "select list(i) from range(1000000000) t(i)", Limits(seconds=60, memory_mb=256))
