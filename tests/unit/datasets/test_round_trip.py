"""Writing and reading again loses nothing, in any format; nor does the journal's form."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchbook.datasets import FORMATS, from_dict, read, to_dict, write
from benchbook.datasets.template import escape
from benchbook.errors import DatasetError
from benchbook.records import Case, Dataset, Message, ToolCall

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAME = TEXT.filter(bool)
TEMPLATE = TEXT.map(escape)
SCALAR = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
JSON = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=5
)
OBJECT = st.dictionaries(TEXT, JSON, max_size=3)
CONFIG = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.floats(0, 2),
        "max_tokens": st.integers(1, 9),
        "stop": st.lists(TEXT, max_size=2),
        "seed": st.integers(0, 2**63 - 1),
        "scorer": st.just("exact") | st.just({"kind": "numeric", "tolerance": 0.5}),
    },
)
CALL = st.builds(ToolCall, id=TEXT, name=TEXT, arguments=TEXT)
TURN = st.builds(
    Message,
    role=st.sampled_from(["user", "tool"]),
    content=TEMPLATE,
    tool_calls=st.lists(CALL, max_size=2).map(tuple),
    tool_call_id=st.none() | TEXT,
)
FIELDS = {
    "id": TEXT,
    "category": TEXT,
    "system": st.none() | TEMPLATE,
    "variables": OBJECT,
    "expected": st.none() | TEMPLATE,
    "references": st.lists(TEMPLATE, max_size=2).map(tuple),
    "config": CONFIG,
    "metadata": OBJECT,
}
CASE = st.builds(Case, prompt=TEMPLATE, **FIELDS) | st.builds(
    Case, messages=st.lists(TURN, min_size=1, max_size=3).map(tuple), **FIELDS
)
DATASET = st.builds(
    Dataset,
    name=NAME,
    cases=st.lists(CASE, min_size=1, max_size=3).map(tuple),
    version=TEXT,
    schema_version=TEXT,
    description=TEXT,
    defaults=CONFIG,
    metadata=OBJECT,
)


@pytest.mark.parametrize("extension", FORMATS)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(dataset=DATASET)
def test_a_file_reads_back_as_it_was_written(tmp_path: Path, extension: str, dataset: Dataset) -> None:
    path = tmp_path / f"d{extension}"
    write(dataset, path)
    assert replace(read(path).dataset, path="", sha256="") == dataset


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(dataset=DATASET)
def test_the_journals_form_loses_nothing(dataset: Dataset) -> None:
    document = json.loads(json.dumps(to_dict(dataset)))
    assert from_dict(document, "p", "h") == replace(dataset, path="p", sha256="h")


def test_a_broken_document_is_refused() -> None:
    with pytest.raises(DatasetError, match="neither prompt nor messages") as caught:
        from_dict({"name": "x", "test_cases": [{"id": "a"}, {"id": "b"}]}, "p")
    assert len(caught.value.problems) == 2


def test_what_cannot_be_written_says_so(tmp_path: Path) -> None:
    broken = Dataset("x", (Case("a", prompt="\ud800"),))
    with pytest.raises(DatasetError, match="lone surrogate"):
        write(broken, tmp_path / "a.json")
    with pytest.raises(DatasetError, match="No such file"):
        write(Dataset("x", (Case("a", prompt="x"),)), tmp_path / "gone" / "a.json")
