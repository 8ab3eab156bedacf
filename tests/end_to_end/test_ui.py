"""`benchbook ui` over real sockets and in a real browser: what it serves, whom it refuses, and that nothing runs in it.

One server and one Chromium for all of it, over a story of a dozen runs whose newest answers are hostile.
"""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import pytest

from benchbook.reports.gather import gather
from benchbook.reports.pages.extras import more
from benchbook.reports.pages.run import page as run_page
from tests.chromium import Browser, chromium
from tests.spec.sql.stored import Stored, run_row, trial_row
from tests.stories import HOSTILE, RUNS, STEP_AT, dozen, run_id

NEWEST = run_id(RUNS - 1)
SIDES = urlencode([*(("a", run_id(number)) for number in range(7)), ("b", "since=2026-11-13")])
"""Seven runs that are ticked for A; words for B."""
PATHS = ("/", "/runs", f"/runs/{NEWEST}/trials", f"/runs/{NEWEST}/trials/t0000", f"/compare?{SIDES}")


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    text: str


class Served:
    """A server on a port of its own; `ask` is one request over a connection of its own."""

    def __init__(self, port: int, results: Path) -> None:
        self.port, self.results = port, results
        self._pages: dict[str, Reply] = {}

    def page(self, path: str) -> Reply:
        """As `ask`, each page once: nothing changes between tests."""
        if path not in self._pages:
            self._pages[path] = self.ask(path)
        return self._pages[path]

    def ask(self, path: str, method: str = "GET", body: str | None = None, **headers: str) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, told)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, text)

    def rows(self, path: str) -> Any:
        return json.loads(self.page(f"/api{path}").text)


@contextmanager
def serving(results: Path) -> Iterator[Served]:
    """The verb in a process, on a free port. It ends by Ctrl-C, with exit code 0 and no traceback."""
    words = [sys.executable, "-m", "benchbook", "ui", "--port", "0", "--results", str(results)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        line = process.stdout.readline()
        assert "(Ctrl-C ends it)" in line, process.stderr and process.stderr.read()
        try:
            yield Served(int(line.split("127.0.0.1:")[1].split("/")[0]), results)
        finally:
            process.send_signal(signal.SIGINT)
            out, wrong = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "")
    assert "Traceback" not in wrong


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(dozen(tmp_path_factory.mktemp("ui") / "results", cases=6, repetitions=3)) as found:
        yield found


def test_every_place_answers_as_a_page_and_as_rows(served: Served) -> None:
    for path in ("/", "/runs", "/compare", "/questions", "/sql"):
        found = served.page(path)
        assert (found.status, found.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert '<nav class="places"' in found.text
    runs = served.rows("/runs")
    assert [row["run_id"] for row in runs] == [run_id(number) for number in reversed(range(RUNS))]
    assert served.rows("/questions")["overview"]
    assert served.rows("/questions/overview?run=latest")[0]["run_id"] == NEWEST
    assert "ttft_ms" in served.ask("/questions/latency?run=latest").text


def test_runs_are_filtered(served: Served) -> None:
    assert [row["run_id"] for row in served.rows("/runs?verdict=INVALID")] == [run_id(7)]
    since = served.rows("/runs?since=2026-11-14&target=alpha-small&workload=api")
    assert {row["run_id"] for row in since} == {run_id(number) for number in range(10, RUNS)}
    assert served.rows("/runs?target=nobody") == []
    assert "No stored run fits" in served.ask("/runs?target=nobody").text
    assert served.ask("/runs?since=yesterday").status == 400


def test_sides_are_compared(served: Served) -> None:
    found = served.rows(f"/compare?{SIDES}")
    worse = {
        (row["target"], row["metric"]) for row in found["rows"] if row["gated"] and row["verdict"] == "CHANGED worse"
    }
    assert found["exit_code"] == 3
    assert ("beta-large", "ttft_ms") in worse
    assert all(target == "beta-large" for target, _ in worse)
    text = served.page(f"/compare?{SIDES}").text
    assert "REGRESSION" in text
    assert text.count('<figure class="plot">') == 2 + 4
    assert found["a"]["runs"] == [run_id(number) for number in range(7)]


def test_the_history_tells_the_step_first(served: Served) -> None:
    found = served.rows("/history")
    told = [row for row in found["alerts"] if row["state"] != "resolved"]
    assert {row["target"] for row in told} == {"beta-large"}
    assert {row["run_id"] for row in told} == {run_id(STEP_AT)}
    text = served.page("/").text
    assert text.index("ALERT") < text.index("Over time</h2>") < text.index("14 runs, the newest first")
    assert f'href="/runs/{run_id(0)}"' in text
    assert "1 run left out (INVALID)" in text


def test_a_trial_is_shown_whole(served: Served) -> None:
    assert served.rows(f"/runs/{NEWEST}")["run"]["verdict"] == "VALID"
    found = served.rows(f"/runs/{NEWEST}/trials/t0000")
    assert found["responses"][0]["text"] == HOSTILE
    assert len(found["calls"][0]["chunk_offsets_us"]) == 13
    trials = served.rows(f"/runs/{NEWEST}/trials?status=failure")
    assert {row["status"] for row in trials} <= {"failure"}
    assert served.ask(f"/runs/{NEWEST}/trials/none").status == 400


SQL = "select count(*) as n from trials"


def test_sql_is_answered_and_what_is_wrong_with_it_said(served: Served) -> None:
    form = {"content_type": "application/x-www-form-urlencoded"}
    found = json.loads(served.ask("/api/sql", "POST", urlencode({"query": SQL}), **form).text)
    assert (found["columns"], found["rows"]) == (["n"], [[RUNS * 36]])
    hostile = "copy trials to '/tmp/x'; <script>"
    refused = served.ask("/sql", "POST", urlencode({"query": hostile}), **form)
    assert refused.status == 400
    assert "&lt;script&gt;" in refused.text
    assert hostile not in refused.text
    assert served.ask(f"/sql?{urlencode({'query': SQL})}").text.count("rows in") == 0


def test_other_sites_pages_and_other_names_are_refused(served: Served) -> None:
    body, form = urlencode({"query": SQL}), {"content_type": "application/x-www-form-urlencoded"}
    port = served.port
    assert served.ask("/", host="evil.example").status == 421
    assert served.ask("/", host=f"192.0.2.1:{port}").status == 421
    assert served.ask("/questions", host=f"localhost:{port}").status == 200
    assert served.ask("/sql", "POST", body, origin="http://evil.example", **form).status == 403
    assert served.ask("/sql", "POST", body, origin="null", **form).status == 403
    assert served.ask("/sql", "POST", body, sec_fetch_site="cross-site", **form).status == 403
    assert served.ask("/sql", "POST", "x" * 200_000, **form).status == 413
    assert served.ask("/questions", sec_fetch_site="cross-site", sec_fetch_mode="no-cors").status == 403
    assert served.ask("/runs", "DELETE").status == 405
    assert served.ask("/runs", "POST", "", **form).status == 405


def test_every_answer_tells_the_browser_what_it_may_do(served: Served) -> None:
    for path in ("/questions", "/nowhere", "/api/questions"):
        headers = served.ask(path, origin="http://evil.example").headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert not any(name.startswith("access-control") for name in headers)


def test_what_is_not_there_is_said_in_a_line(served: Served) -> None:
    cases = {
        "/runs/2031": (404, "no such run"),
        "/questions/none": (400, "no question"),
        "/compare?a=nope&b=latest": (400, "no such run"),
        "/compare?a=latest": (400, "side B is empty"),
        "/compare?a=latest&b=latest": (400, "on both sides"),
        "/nowhere": (404, "no such page"),
        f"/runs/{quote('../../etc/passwd', safe='')}": (404, ""),
        f"/runs/{quote('<script>alert(1)</script>', safe='')}": (404, ""),
    }
    for path, (status, line) in cases.items():
        found = served.ask(path)
        assert found.status == status, path
        assert line in found.text
        assert "<script>alert" not in found.text
        assert "Traceback" not in found.text


def test_damage_is_told_and_hides_nothing_else(served: Served) -> None:
    stray = served.results / "tables" / "trials" / "run_id=broken"
    stray.mkdir()
    (stray / "part-0.parquet").write_bytes(b"PAR1 and no end")
    try:
        text = served.ask("/runs").text
        assert "passed over" in text
        assert "cut short" in text
        assert len(served.rows("/runs")) == RUNS
    finally:
        (stray / "part-0.parquet").unlink()
        stray.rmdir()


def test_an_empty_folder_says_what_to_do_and_what_is_stored_later_shows(tmp_path: Path) -> None:
    """The page of a run is the text that `report` writes, but for the bar and that it may say where it comes from."""
    results = tmp_path / "results"
    with serving(results) as empty:
        assert "benchbook run" in empty.ask("/").text
        assert "Nothing is stored yet" in empty.ask("/runs").text
        assert empty.ask("/runs/latest").status == 404
        assert empty.ask("/compare?a=latest~1&b=latest").status == 400
        stored = Stored()
        stored.rows["runs"].append(run_row("r1", planned=1, succeeded=0, failed=1, host=HOSTILE))
        failed = {"status": "failure", "error_kind": "reset", "error_message": HOSTILE, "test_id": HOSTILE}
        stored.rows["trials"].append(trial_row("r1", 1, **failed))
        stored.write(results)
        assert [row["run_id"] for row in empty.rows("/runs")] == ["r1"]
        view = gather(results, "r1")
        text, written = empty.ask("/runs/latest").text, run_page(view, more(results, view))
        top = '<header class="top">'
        assert text[text.index(top) :] == written[written.index(top) :]
        assert HOSTILE not in text
        second = subprocess.run(
            [sys.executable, "-m", "benchbook", "ui", "--port", str(empty.port)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert second.returncode == 2
    assert f"port {empty.port}: is taken by another program; --port " in second.stderr
    assert len(second.stderr.splitlines()) == 1


def test_nothing_that_was_answered_runs_in_a_browser(served: Served, tmp_path: Path) -> None:
    """Each page as a phone shows it: no script of others, no error of ours, nothing to scroll sideways, no request."""
    seen_of = "[document.title, document.documentElement.scrollWidth, document.documentElement.dataset.script]"
    with chromium(tmp_path) as browser:
        browser.ask("Emulation.setDeviceMetricsOverride", width=390, height=900, deviceScaleFactor=1, mobile=True)
        for path in (*PATHS, "/sql"):
            opened(browser, f"http://127.0.0.1:{served.port}{path}")
            seen = value(browser, seen_of)
            assert "owned" not in seen[0], path
            assert seen[1] <= 390, path
            assert seen[2] == "ran", path
            wrong = [
                event for event in browser.events if event["method"] in ("Log.entryAdded", "Runtime.exceptionThrown")
            ]
            assert not wrong, (path, wrong)
        asked = "document.querySelector('textarea').value = 'select 6 * 7 as answer'; document.forms[0].submit()"
        browser.events.clear()
        browser.ask("Runtime.evaluate", expression=asked)
        loaded(browser)
        assert "42" in value(browser, "document.querySelector('table').textContent")


def opened(browser: Browser, address: str) -> None:
    browser.events.clear()
    browser.ask("Page.navigate", url=address)
    loaded(browser)


def loaded(browser: Browser) -> None:
    while not any(event["method"] == "Page.loadEventFired" for event in browser.events):
        browser.events.append(browser._next())


def value(browser: Browser, expression: str) -> Any:
    return browser.ask("Runtime.evaluate", expression=expression, returnByValue=True)["result"]["value"]


def test_a_host_that_lets_others_in_is_refused_unless_it_is_meant() -> None:
    from benchbook.errors import UserError
    from benchbook.service.listening import Where, serve

    with pytest.raises(UserError, match="--allow-remote"):
        serve(Path("nowhere"), Where("0.0.0.0", 0), print)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with pytest.raises(UserError, match="is taken"):
            serve(Path("nowhere"), Where("127.0.0.1", listener.getsockname()[1]), print)
