"""`benchbook report`: a page where one wants it, drawings as files, and clear words for what can't be."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from benchbook.cli import report
from benchbook.errors import UnknownRunError, UserError
from benchbook.reports.pages import PAGES
from tests.spec.sql.agents import agents_history

DRAWN = ("wall", "wall-time-split", "cost-quality")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    stored = agents_history(4, cases=2, repetitions=2)
    for row in stored.rows["runs"]:
        row |= {"planned": 1, "succeeded": 1, "plan": '{"sections": {"aggregate": {"confidence": 0.9}}}'}
    stored.rows["trials"] = [row for row in stored.rows["trials"] if row["workload"] in ("api", "agent")]
    return stored.write(tmp_path_factory.mktemp("report") / "results")


def test_a_page_and_every_drawing_as_files(results: Path, tmp_path: Path) -> None:
    out, slides = tmp_path / "deep" / "run.html", tmp_path / "slides"
    words = ["r1", "--results", str(results), "--out", str(out), "--plots", str(slides), "--json"]
    answer = CliRunner().invoke(report.command, words, catch_exceptions=False)
    found = json.loads(answer.output)
    assert found["page"] == str(out)
    html = out.read_text()
    assert html.startswith("<!doctype html>")
    assert "Intervals hold with 90 % confidence" in html  # of the run's own plan
    assert sorted(found["plots"]) == sorted(str(path) for path in slides.iterdir())
    names = {Path(path).name for path in found["plots"]}
    assert {f"r1-{name}.{form}" for name in DRAWN for form in ("svg", "png")} <= names
    assert any(name.startswith("r1-timeline-slowest-") for name in names)
    for path in slides.iterdir():
        if path.suffix == ".png":
            assert path.read_bytes().startswith(b"\x89PNG")
        else:
            assert ET.parse(path).getroot().tag.endswith("svg")


def test_the_drawings_of_other_pages_are_files_too(results: Path, tmp_path: Path) -> None:
    out, slides = tmp_path / "history.html", tmp_path / "slides"
    words = ["--history", "--results", str(results), "--out", str(out), "--plots", str(slides), "--format", "svg"]
    answer = CliRunner().invoke(report.command, words, catch_exceptions=False)
    assert out.read_text().startswith("<!doctype html>")
    assert answer.output.splitlines()[0].split() == ["page", str(out)]
    drawn = sorted(path.name for path in slides.iterdir())
    assert len(drawn) == out.read_text().count("<svg ") > 0
    assert all(name.startswith("history-") and name.endswith(".svg") for name in drawn)


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        (["a", "b", "c"], UserError, "too much for one page"),
        (["a", "--history"], UserError, "add --history alone"),
        (["nobody"], UnknownRunError, "no such run"),
    ],
)
def test_what_can_not_be_is_said(results: Path, words: list[str], error: type[UserError], said: str) -> None:
    with pytest.raises(error, match=said):
        CliRunner().invoke(report.command, [*words, "--results", str(results)], catch_exceptions=False)


def test_pages_that_are_hooked_in_are_there() -> None:
    assert {*PAGES} <= {"comparison", "history"}
