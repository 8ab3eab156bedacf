"""The built-in datasets, prices and plans keep what their README promises.

Read twice: as plain JSON and YAML, so that a mistake in our own reader can't hide one in the data, and through
`benchbook.datasets`, as every run does.
"""

from __future__ import annotations

import datetime
import json
import math
import re
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchbook.config import load_plan
from benchbook.datasets import files, read, render
from benchbook.records import Case
from benchbook.scoring import judge

ROOT = Path(__file__).resolve().parents[2]
COUNTS = {
    "coding-tasks.json": 14,
    "reasoning-tasks.yaml": 12,
    "summarization-tasks.json": 10,
    "instruction-following.yaml": 10,
    "agent-tasks.yaml": 16,
}
FILE_FIELDS = {"name", "description", "version", "schema_version", "defaults", "metadata", "test_cases"}
CASE_FIELDS = {
    "id", "category", "prompt", "messages", "system", "variables", "expected", "references", "config", "metadata",
}  # fmt: skip
PLANS = sorted([ROOT / "params.yaml", *(ROOT / "plans").rglob("*.yaml")], key=str)
PRICES = ROOT / "datasets" / "prices" / "2026-11.yaml"


def plain(path: Path) -> dict[str, Any]:
    text = path.read_text(encoding="utf-8")
    return json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)


def templates(case: dict[str, Any]) -> str:
    turns = [message["content"] for message in case.get("messages", [])]
    return "\n".join([case.get("prompt", ""), case.get("system", ""), *turns])


DATASETS = {name: plain(ROOT / "datasets" / name) for name in COUNTS}
CASES = [pytest.param(data, case, id=case["id"]) for data in DATASETS.values() for case in data["test_cases"]]


@pytest.mark.parametrize(("name", "count"), COUNTS.items())
def test_a_dataset_has_its_fields_and_its_cases(name: str, count: int) -> None:
    data = DATASETS[name]
    assert set(data) == FILE_FIELDS
    assert data["name"] == name.partition(".")[0]
    assert (data["version"], data["schema_version"]) == ("1.0.0", "1")
    assert data["metadata"]["licence"] == "Apache-2.0"
    assert data["metadata"]["purpose"]
    assert len(data["test_cases"]) == count


def test_ids_are_unique_over_all_datasets() -> None:
    ids = Counter(case["id"] for data in DATASETS.values() for case in data["test_cases"])
    assert [name for name, times in ids.items() if times > 1] == []


@pytest.mark.parametrize(("data", "case"), CASES)
def test_a_case_is_whole(data: dict[str, Any], case: dict[str, Any]) -> None:
    assert set(case) <= CASE_FIELDS
    assert re.fullmatch(r"(cod|rea|sum|ins|agt)-\d\d-[a-z0-9-]+", case["id"])
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", case["category"])
    assert ("prompt" in case) != ("messages" in case)
    assert case.get("expected") or case.get("references")
    used = set(re.findall(r"\{\{\s*(\w+)\s*\}\}", templates(case)))
    assert used == set(case.get("variables", {}))


def test_passages_and_references_keep_the_promised_lengths() -> None:
    for case in DATASETS["summarization-tasks.json"]["test_cases"]:
        assert 80 <= len(case["variables"]["passage"].split()) <= 150
        assert len(case["references"]) == 2
        assert max(len(text.split()) for text in case["references"]) <= case["variables"]["max_words"]


@pytest.mark.parametrize("path", [*COUNTS, "hello/hello.json"])
def test_our_reader_finds_nothing_to_complain_about(path: str) -> None:
    assert read(ROOT / "datasets" / path).notes == ()


def test_the_folder_stands_for_exactly_these() -> None:
    assert {path.name for path in files([ROOT / "datasets"])} == set(COUNTS)


def test_what_is_sent_is_unique_over_all_datasets() -> None:
    """The simulator looks an answer up by the last user message, so that alone has to be unique."""
    sent = Counter()
    for name in [*COUNTS, "hello/hello.json"]:
        dataset = read(ROOT / "datasets" / name).dataset
        for case in dataset.cases:
            last = render(dataset, case).messages[-1]
            assert last.role == "user"
            assert "{{" not in last.content
            sent[last.content] += 1
    assert [text for text, times in sent.items() if times > 1] == []


def right_answers(case: Case) -> tuple[str, ...]:
    return case.references or (str(case.expected),)


@pytest.mark.parametrize("name", COUNTS)
def test_a_right_answer_passes_and_an_empty_one_fails(name: str) -> None:
    dataset = read(ROOT / "datasets" / name).dataset
    for case in dataset.cases:
        for answer in right_answers(case):
            right = judge(case, dataset.defaults, answer)
            assert right is not None, case.id
            assert right.passed, (case.id, right)
        empty = judge(case, dataset.defaults, "")
        assert empty is not None, case.id
        assert not empty.passed, case.id


@pytest.mark.parametrize("name", COUNTS)
def test_another_cases_answer_fails(name: str) -> None:
    """A scorer that passes anything would also pass the answer of the case before."""
    dataset = read(ROOT / "datasets" / name).dataset
    for other, case in zip(dataset.cases, dataset.cases[1:], strict=False):
        answer = right_answers(other)[0]
        if answer not in right_answers(case):
            judged = judge(case, dataset.defaults, answer)
            assert judged is not None
            assert not judged.passed, (case.id, answer)


COMPUTED: dict[str, Callable[[dict[str, Any]], object]] = {
    "cod-08-sql-null-counting": lambda v: count_by_sql(v["rows"]),
    "cod-12-complexity-follow-up": lambda v: math.floor(math.log2(v["second"])),
    "rea-01-trains-meeting": lambda v: 60 * v["distance_km"] / (v["first_kmh"] + v["second_kmh"]),
    "rea-02-discount-and-tax": lambda v: v["price"] * (1 - v["discount"] / 100) * (1 + v["tax"] / 100),
    "rea-03-clock-hands": lambda v: between_hands(*map(int, v["time"].split(":"))),
    "rea-04-two-pumps-and-a-drain": lambda v: 1 / (1 / v["slow_h"] + 1 / v["fast_h"] - 1 / v["drain_h"]),
    "rea-05-two-red-balls": lambda v: math.comb(v["red"], 2) / math.comb(v["red"] + v["blue"], 2),
    "rea-06-letter-arrangements": lambda v: math.perm(len(set(v["word"])), 3),
    "rea-10-weekday": lambda v: weekday_after(v["today"], v["days"]),
    "rea-11-ages-follow-up": lambda v: (
        v["now_times"] * v["years"] * (v["then_times"] - 1) / (v["now_times"] - v["then_times"])
    ),
    "rea-12-power-remainder": lambda v: pow(v["base"], v["exponent"], v["modulus"]),
    "ins-07-word-count": lambda v: len(v["sentence"].split()),
    "ins-09-numbered-list": lambda v: "\n".join(
        f"{place}. {word}" for place, word in enumerate(sorted(v["words"].split(", ")), start=1)
    ),
}
"""Case id -> the right answer, computed from the case's variables."""


def count_by_sql(rows: str) -> int:
    with sqlite3.connect(":memory:") as database:
        database.execute("CREATE TABLE t (v INTEGER)")
        database.execute("INSERT INTO t VALUES " + ", ".join(f"({row})" for row in rows.split(", ")))
        query = "SELECT COUNT(*) * 10 + COUNT(v) FROM t WHERE v IS NULL OR v <> 4"
        found: int = database.execute(query).fetchone()[0]
    database.close()
    return found


def between_hands(hour: int, minute: int) -> float:
    apart = abs(30 * hour + minute / 2 - 6 * minute)
    return min(apart, 360 - apart)


def weekday_after(today: str, days: int) -> str:
    start = datetime.date(2026, 11, 16)
    week = (start + datetime.timedelta(shift) for shift in range(7))
    first = next(day for day in week if f"{day:%A}" == today)
    return f"{first + datetime.timedelta(days):%A}"


@pytest.mark.parametrize("case_id", COMPUTED)
def test_an_expected_answer_is_the_computed_one(case_id: str) -> None:
    loaded = (read(ROOT / "datasets" / name).dataset for name in COUNTS)
    dataset, case = next((data, case) for data in loaded for case in data.cases if case.id == case_id)
    judged = judge(case, dataset.defaults, str(COMPUTED[case_id](dict(case.variables))))
    assert judged is not None
    assert judged.passed, (case_id, judged)


@pytest.mark.parametrize("case_id", ["cod-01-python-mutable-default", "cod-02-python-slicing"])
def test_a_python_program_prints_the_expected_answer(case_id: str) -> None:
    case = next(case for case in DATASETS["coding-tasks.json"]["test_cases"] if case["id"] == case_id)
    command = [sys.executable, "-I", "-c", case["variables"]["code"]]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    assert printed.strip() == case["expected"]


def test_json_in_a_code_fence_fails_where_the_prompt_forbids_it() -> None:
    dataset = read(ROOT / "datasets" / "instruction-following.yaml").dataset
    fenced = [case for case in dataset.cases if "code fence" in str(case.prompt)]
    assert len(fenced) == 3
    for case in fenced:
        judged = judge(case, dataset.defaults, f"```json\n{case.expected}\n```")
        assert judged is not None
        assert not judged.passed, case.id


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.name)
def test_a_plan_loads_with_every_price_it_names(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    spec = load_plan(path.relative_to(ROOT))
    named = {target.name for target in spec.execute.targets if target.price is not None}
    assert set(spec.prices) == named
    assert all(price.input is not None and price.output is not None for price in spec.prices.values())
    assert all((ROOT / name).exists() for name in spec.validate_.datasets)
    assert spec.execute.simulator is None or (ROOT / spec.execute.simulator).exists()


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.name)
def test_a_price_belongs_to_its_target(path: Path) -> None:
    for target in plain(path)["execute"]["targets"]:
        if "price" in target:
            assert target["price"].partition("#")[2] == f"{target['provider']}/{target['model']}"


def test_the_bedrock_plan_asks_each_model_streamed_and_not() -> None:
    targets = plain(ROOT / "plans" / "bedrock-latency.yaml")["execute"]["targets"]
    assert Counter(target["model"] for target in targets) == dict.fromkeys((target["model"] for target in targets), 2)
    assert {(target["model"], target["stream"]) for target in targets} == {
        (target["model"], stream) for target in targets for stream in (True, False)
    }


def test_every_price_says_where_it_comes_from() -> None:
    document = plain(PRICES)
    assert (document["date"], document["currency"], document["unit"]) == ("2026-11-21", "USD", "per million tokens")
    for key, entry in document["prices"].items():
        assert entry["source"], key
        assert ("made up for the simulator" in entry["source"]) == ("sim-" in key)
        assert entry["output"] >= entry["input"] >= entry.get("cached", 0) >= 0, key
