"""The SQL tool over real files, and each way to write, to look around or to hang that must not work."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from benchbook import tools
from benchbook.tools import Outcome, Place


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "sales-2025.csv").write_text("item,units,price\nlamp,2,10.5\nchair,1,80\nlamp,4,10.5\n")
    (folder / "places.json").write_text(json.dumps([{"place": "Ulm", "open": True}, {"place": None, "open": False}]))
    (folder / "notes.txt").write_text("no table")
    return folder


async def sql(query: str, folder: Path, settings: Mapping[str, Any] | None = None, timeout_s: float = 30.0) -> Outcome:
    wishes = {"folder": str(folder), **(settings or {})}
    return await tools.use("sql", {"query": query}, wishes, Place(folder, timeout_s))


async def test_answer_is_a_table_as_text(shop: Path) -> None:
    outcome = await sql("select item, sum(units) units from sales_2025 group by item order by item", shop)
    assert outcome.text == "item  | units\n------+------\nchair |     1\nlamp  |     6\n(2 rows)"
    assert (outcome.failed, outcome.detail["rows"], outcome.detail["more"]) == (False, 2, False)
    assert [layer.split()[0] for layer in outcome.detail["layers"]][-2:] == ["landlock", "seccomp"]


READS = {
    "show tables": "places\nsales_2025",
    "describe places": "open        | BOOLEAN",
    "from places": "NULL  | False",
    "with a as (select 1 x) select x + 1 y from a": "y\n-\n2\n(1 row)",
    "values ('a\nb', date '2025-01-02', 1.50)": "a b  | 2025-01-02 | 1.50",
    "summarize sales_2025": "units",
    "explain select 1": "Projections",
    "select 1 where false": "(0 rows)",
    f"select '{'x' * 300}' t": "x...",
}


@pytest.mark.parametrize("query", READS, ids=lambda query: query[:24])
async def test_reading(query: str, shop: Path) -> None:
    outcome = await sql(query, shop)
    assert not outcome.failed, outcome.text
    assert READS[query] in outcome.text


ONE = "write one statement that reads"
FILES = "file system operations are disabled"
REFUSED = {
    "insert into places values ('x', true)": ONE,
    "update places set open = true": ONE,
    "delete from places": ONE,
    "create table mine (a int)": ONE,
    "create temp table mine as select 1": ONE,
    "drop table places": ONE,
    "copy places to 'out.csv'": ONE,
    "export database 'out'": ONE,
    "attach 'other.db'": ONE,
    "install httpfs": ONE,
    "load httpfs": ONE,
    "set memory_limit = '9GB'": ONE,
    "begin transaction": ONE,
    "pragma database_list": ONE,
    "call pragma_version()": ONE,
    "select 1; drop table places": ONE,
    "": "arguments of sql: query",
    "-- nothing": ONE,
    "with gone as (delete from places returning *) select * from gone": "read-only mode",
    "explain analyze insert into places values ('x', true)": "read-only mode",
    "from read_csv('/etc/passwd')": FILES,
    "from read_csv('../notes.txt')": FILES,
    "from read_text('/etc/passwd')": FILES,
    "from read_blob('/proc/self/environ')": FILES,
    "from read_json('http://127.0.0.1:9/a.json')": FILES,
    "from glob('/etc/*')": FILES,
    "from sniff_csv('/etc/passwd')": FILES,
    "from '/etc/passwd'": "does not exist",
    "from 'sales-2025.csv'": FILES,
    "select getenv('PATH')": "does not exist",
    "from shop": "The tables are: places(place, open); sales_2025(item, units, price)",
    "select unitz from sales_2025": 'Candidate bindings: "units"',
    "selec 1": 'syntax error at or near "selec"',
    "select 1 / 'a'": "Conversion Error",
    "select list(n) from range(1000000000) t(n)": "Out of Memory",
}


@pytest.mark.parametrize("query", REFUSED, ids=lambda query: query[:40] or "nothing")
async def test_refusal_says_why(query: str, shop: Path) -> None:
    outcome = await sql(query, shop)
    assert outcome.failed
    assert REFUSED[query] in outcome.text
    assert "\n" not in outcome.text
    assert sorted(path.name for path in shop.iterdir()) == ["notes.txt", "places.json", "sales-2025.csv"]  # noqa: ASYNC240


ENDLESS = "select count(*) from range(1000000000000)"


async def test_hanging_query_dies_at_its_limit(shop: Path) -> None:
    outcome = await sql(ENDLESS, shop, timeout_s=0.5)
    assert outcome.failed
    assert outcome.detail["kind"] == "timeout"
    assert "its time limit" in outcome.text


async def test_nobody_waits_for_a_hanging_query(shop: Path) -> None:
    hanging = asyncio.create_task(sql(ENDLESS, shop))
    await asyncio.sleep(0)
    answers = await asyncio.gather(*(sql(f"select {n} a", shop) for n in range(5)))
    assert not any(answer.failed for answer in answers)
    assert hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging


async def test_rows_are_limited(shop: Path) -> None:
    outcome = await sql("from range(1000) t(n)", shop, {"rows": 2})
    assert outcome.text == "n\n-\n0\n1\n(the first 2 rows; there are more)"
    assert outcome.detail["more"] is True


async def test_changed_file_is_read_anew(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("n\n1\n")
    assert "1" in (await sql("from a", tmp_path)).text
    (tmp_path / "a.csv").write_text("n\n1\n22\n")
    assert "22" in (await sql("from a", tmp_path)).text


WRONG = {
    "folder": ({"folder": "/nonesuch"}, "/nonesuch: no such folder"),
    "file": ({"tables": {"t": "gone.csv"}}, "table t: gone.csv is no file"),
    "outside": ({"tables": {"t": "../../etc/passwd"}}, "is no file"),
    "kind": ({"tables": {"t": "notes.txt"}}, "notes.txt is no file"),
    "field": ({"row": 3}, "row: Extra inputs are not permitted; it has: folder, tables, rows, memory_mb"),
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_wrong_settings_are_told(wrong: str, shop: Path) -> None:
    settings, told = WRONG[wrong]
    outcome = await sql("select 1", shop, settings)
    assert outcome.failed
    assert outcome.detail["kind"] == "bad_settings"
    assert told in outcome.text


async def test_file_that_is_no_table_is_told(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{")
    outcome = await sql("select 1", tmp_path)
    assert outcome.failed
    assert outcome.detail["kind"] == "refused"
    assert "bad.json" in outcome.text
