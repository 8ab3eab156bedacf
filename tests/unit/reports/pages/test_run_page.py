"""The page of a run: whole in one file, nothing fetched, nothing that a model, a provider or a user wrote obeyed."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from benchbook.reports.gather import gather
from benchbook.reports.pages.extras import more
from benchbook.reports.pages.run import page
from tests.spec.sql.stored import Stored, generated, run_row, trial_row

ASKED: dict[str, Any] = {"slos": {"e2e_ms": 250.0}, "confidence": 0.99}
EVIL = "<script>alert('x')</script>"
CLOSING = '"></td></table><img src="http://evil.example/x.png" onerror="alert(1)">'


class Seen(HTMLParser):
    """Every element with its attributes, and the text between them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def seen(html: str) -> Seen:
    parser = Seen()
    parser.feed(html)
    return parser


def made(results: Path, stored: Stored, run_id: str) -> str:
    """The page of a run of these rows."""
    of_run = gather(stored.write(results), run_id)
    return page(of_run, more(results, of_run))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generated(3).write(tmp_path_factory.mktemp("generated"))


@pytest.fixture(scope="module")
def page_of_a_run(results: Path) -> str:
    return again(results)


def again(results: Path) -> str:
    of_run = gather(results, "r1", **ASKED)
    return page(of_run, more(results, of_run))


def hostile() -> Stored:
    """A run whose every free text is markup."""
    stored = Stored()
    stored.rows["runs"].append(run_row("r", verdict="DEGRADED", reasons=[EVIL], host=EVIL, planned=9, succeeded=7))
    texts = {"target": "$a_" + EVIL, "model": EVIL, "dataset": EVIL, "test_id": CLOSING, "category": CLOSING}
    for number in range(8):
        times = {"ttft_ms": 10.0 + number, "e2e_ms": 20.0 + number, "response_ms": 21.0 + number, "score": 0.2}
        stored.rows["trials"].append(trial_row("r", number, **{**texts, **times}))
        score = {"run_id": "r", "trial_id": f"t{number:04d}", "scorer": EVIL, "value": 0.2, "passed": False}
        stored.rows["scores"].append({**score, "detail": CLOSING})
        answer = {
            "run_id": "r",
            "trial_id": f"t{number:04d}",
            "call_id": "c",
            "attempt": 1,
            "text": EVIL + "\n" + CLOSING,
        }
        stored.rows["responses"].append(answer)
    failed = {"status": "failure", "error_kind": "server_error", "error_message": CLOSING}
    stored.rows["trials"].append(trial_row("r", 8, **{**texts, **failed}))
    skipped = {"status": "skipped", "error_message": CLOSING}
    stored.rows["trials"].append(trial_row("r", 9, **{**texts, **skipped}))
    stored.rows["checks"].append(
        {"run_id": "r", "suite": "dataset", "subject": EVIL, "name": EVIL, "success": False, "severity": "warning"}
        | {"observed": 1, "unexpected": 1, "failures": [CLOSING]}
    )
    return stored


def test_what_others_wrote_is_shown_and_never_obeyed(tmp_path: Path) -> None:
    found = seen(made(tmp_path, hostile(), "r"))
    assert not [tag for tag, _ in found.tags if tag in ("img", "iframe", "link", "object")]
    assert [tag for tag, _ in found.tags].count("script") == 1  # ours
    assert not [name for _, attrs in found.tags for name in attrs if name.startswith("on")]
    text = "".join(found.text)
    assert text.count(EVIL) >= 10
    assert text.count(CLOSING) >= 4
    assert EVIL not in "".join(part for part in found.text if "use strict" in part)
    assert "$a_" + EVIL in text


def test_nothing_is_fetched_from_anywhere(page_of_a_run: str) -> None:
    for tag, attrs in seen(page_of_a_run).tags:
        for name in ("src", "href", "xlink:href", "action", "data", "srcset"):
            assert (attrs.get(name) or "#").startswith("#"), (tag, name, attrs[name])
    assert not re.search(r"@import|url\((?!#)", page_of_a_run)
    assert page_of_a_run.count("<!doctype html>") == page_of_a_run.count("</html>") == 1


def test_every_target_stands_in_table_and_curves(page_of_a_run: str) -> None:
    found = seen(page_of_a_run)
    titles = re.findall(r"<figcaption>([^<]+)</figcaption>", page_of_a_run)
    assert {"Time to first token", "Gaps between chunks", "Failures over the run"} <= {*titles}
    assert len(titles) == [tag for tag, _ in found.tags].count("svg")
    for name in ("alpha (api)", "alpha (chat)", "beta (api)"):
        assert page_of_a_run.count(f">{name}<") >= 5  # the tables, and the legends of curves


def test_numbers_on_the_page_are_those_of_the_history(results: Path, page_of_a_run: str) -> None:
    text = " ".join("".join(seen(page_of_a_run).text).split())
    row = gather(results, "r1", **ASKED).targets[0]
    assert f"{row['ttft_ms_p50']:.0f}" in text
    assert f"{row['succeeded']} / {row['attempted']}" in text
    assert "distribution-free 99 % interval" in text
    assert "(e2e_ms ≤ 250)" in text


def test_a_refused_quantile_says_what_it_needs(page_of_a_run: str) -> None:
    assert re.search(r"needs 459,\s*has \d+", "".join(seen(page_of_a_run).text))


def test_a_run_without_any_success_still_has_a_page(tmp_path: Path) -> None:
    stored = Stored()
    stored.rows["runs"].append(run_row("r", verdict="INVALID", reasons=["no trial succeeded"], planned=1, failed=1))
    stored.rows["trials"].append(
        trial_row("r", 0, status="failure", error_kind="refused", error_message="no one there")
    )
    html = made(tmp_path, stored, "r")
    assert "No measured trial succeeded" in html
    assert "no one there" in html
    assert 'class="verdict bad"' in html
    assert "INVALID" in html


def test_a_run_that_nothing_was_measured_of_has_a_page(tmp_path: Path) -> None:
    stored = Stored()
    stored.rows["runs"].append(run_row("r", verdict="INVALID", reasons=["no trial was attempted"], started_at=None))
    assert "no trial was attempted" in made(tmp_path, stored, "r")


def test_what_can_not_be_read_is_said_first(tmp_path: Path) -> None:
    stored = Stored()
    stored.rows["runs"].append(run_row("r", planned=1, succeeded=1))
    stored.rows["trials"].append(trial_row("r", 0, ttft_ms=5.0))
    part = stored.write(tmp_path) / "tables" / "trials" / "run_id=r" / "part-0.parquet"
    part.write_bytes(part.read_bytes()[:200])
    of_run = gather(tmp_path, "r")
    head = page(of_run, more(tmp_path, of_run)).split("<nav")[0]
    assert "tables/trials/run_id=r/part-0.parquet" in head
    assert "cut short" in head
    assert "benchbook stage store" in head


def test_the_same_tables_give_the_same_page(results: Path, page_of_a_run: str) -> None:
    assert again(results) == page_of_a_run


def test_no_name_of_a_target_is_lost_in_a_drawing(tmp_path: Path) -> None:
    stored, names = Stored(), ("_hidden", "$x$", "a&b<c>", "日本")
    stored.rows["runs"].append(run_row("r", planned=8, succeeded=8))
    for number, target in enumerate(2 * names):
        stored.rows["trials"].append(trial_row("r", number, target=target, ttft_ms=5.0 + number))
    html = made(tmp_path, stored, "r")
    drawn = "".join(seen(html[html.index("<svg") : html.index("</svg>")]).text)
    for target in names:
        assert target in drawn
