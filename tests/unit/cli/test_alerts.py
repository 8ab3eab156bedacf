"""The verbs trend, alerts and profile, as a person and a script meet them; and a webhook on a real port."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from benchbook.cli import root
from benchbook.cli.alerts import _sure
from benchbook.cli.trend import _reservations
from benchbook.errors import UserError
from benchbook.history.alerts import _plan_words
from benchbook.stages import Job
from benchbook.stages.alerting import checked_webhook, tell, untold
from flows.telling import alerts_told
from tests.unit.history.drawn import course, history, run_name, written


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    levels = course(1, 28, at=22, by=0.2)
    levels[9] += 0.6
    return written(history(levels, {22: {"git_commit": "b"}}), tmp_path_factory.mktemp("verbs"))


def asked(results: Path, *words: str) -> tuple[int, str]:
    found = CliRunner().invoke(root, [*words, "--results", str(results)], standalone_mode=False)
    if found.exception:
        raise found.exception
    return (found.return_value or 0), found.output


def test_trend_prints_stretches(results: Path) -> None:
    _, said = asked(results, "trend", "alpha", "--metric", "e2e_ms")
    assert "what we changed: git commit c0ffee0000 -> b" in said
    assert "|" in said
    assert "^" in said
    (row,) = json.loads(asked(results, "trend", "--metric", "e2e_ms", "--json")[1])
    assert [segment["runs"] for segment in row["segments"]] == [22, 6]
    with pytest.raises(UserError, match="is no date"):
        asked(results, "trend", "--since", "yesterday")


def test_alerts_say_and_exit(results: Path) -> None:
    code, said = asked(results, "alerts")
    assert code == 3
    assert "CONFIRMED worse  alpha" in said
    assert "`benchbook aa`" in said
    assert "benchbook run" in said
    code, said = asked(results, "alerts", "--json")
    told = json.loads(said)
    assert (code, len(told["alerts"]), told["series"]) == (3, 1, 2)


def test_a_profile_is_set_updated_and_archived(results: Path) -> None:
    asked(results, "profile", "set", "prod", "--target", "alpha", "--run", run_name(3))
    with pytest.raises(UserError, match="is set already"):
        asked(results, "profile", "set", "prod", "--target", "alpha", "--run", "latest")
    assert "now +2" in asked(results, "trend", "--metric", "e2e_ms")[1]
    assert asked(results, "alerts")[0] == 3
    asked(results, "profile", "update", "prod", "--target", "alpha", "--run", "latest")
    code, said = asked(results, "alerts")
    assert (code, "accepted: baseline prod" in said) == (0, True)
    asked(results, "profile", "archive", "prod", "--target", "alpha")
    assert json.loads(asked(results, "profile", "list", "--json")[1]) == []
    shown = json.loads(asked(results, "profile", "show", "prod", "--json")[1])
    wanted = [("set", run_name(3)), ("update", run_name(27)), ("archive", run_name(27))]
    assert [(row["action"], row["run_id"]) for row in shown] == wanted
    assert len(list((results / "baselines").rglob("*.json"))) == 3
    for words, why in (
        (("update", "prod", "--target", "alpha", "--run", "latest"), "is not set"),
        (("set", "prod", "--target", "gamma", "--run", "latest"), "was not asked in run"),
        (("set", "../x", "--target", "alpha", "--run", "latest"), "is no name"),
        (("show", "other"), "no baseline has this name"),
    ):
        with pytest.raises(UserError, match=why):
            asked(results, "profile", *words)


class _Hook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server: Any = self.server
        server.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(server.answers.pop(0) if server.answers else 200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing is printed."""


@pytest.fixture
def hook() -> Iterator[Any]:
    server: Any = HTTPServer(("127.0.0.1", 0), _Hook)
    server.got, server.answers = [], []
    serving = threading.Thread(target=server.serve_forever, args=(0.01,))
    serving.start()
    yield server
    server.shutdown()
    serving.join()
    server.server_close()


def test_a_webhook_is_told_once_and_again_after_a_failure(tmp_path: Path, hook: Any) -> None:
    url = f"http://127.0.0.1:{hook.server_port}/hook?secret=1"
    rows = [{"id": "a", "state": "new"}, {"id": "b", "state": "resolved"}]
    hook.answers = [500, 302]
    assert "not delivered (HTTP 500)" in tell(str(tmp_path), url, rows)
    assert "not delivered (HTTP 302)" in tell(str(tmp_path), url, rows)
    assert tell(str(tmp_path), url, rows) == "webhook: told 1 alerts"
    assert tell(str(tmp_path), url, rows) == ""
    assert [[one["id"] for one in got["alerts"]] for got in hook.got] == [["a"]] * 3
    rows[0]["state"] = "resolved"
    assert tell(str(tmp_path), url, rows) == "webhook: told 1 alerts"
    assert hook.got[-1]["alerts"] == [{"id": "a", "state": "resolved"}]
    assert "secret" not in (tmp_path / "alerts" / "told.ndjson").read_text()
    assert untold(str(tmp_path), url + "2", [{"id": "a", "state": "new"}])


def test_where_nothing_listens_it_is_one_line(tmp_path: Path, hook: Any) -> None:
    hook.server_close()
    line = tell(str(tmp_path), f"http://127.0.0.1:{hook.server_port}/", [{"id": "a", "state": "new"}])
    assert "not delivered" in line
    assert "\n" not in line
    assert not (tmp_path / "alerts").exists()


def test_a_plan_has_its_alerts_told_after_a_run(results: Path, hook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    target = {"name": "alpha", "provider": "openai", "model": "m", "base_url": "simulator"}
    document: dict[str, Any] = {
        "validate": {"datasets": ["datasets/coding-tasks.json"]},
        "execute": {"targets": [target]},
    }

    def told(report: dict[str, Any], run_id: str) -> list[str]:
        job = Job(plan="p", document=document | {"report": report}, results=str(results))
        return asyncio.run(alerts_told(job, run_id))

    assert told({}, run_name(24)) == []
    monkeypatch.delenv("HOOK", raising=False)
    alert, count, webhook = told({"alerts": {"webhook_env": "HOOK"}}, run_name(24))
    assert alert.startswith("alert confirmed, worse: alpha api e2e_ms +2")
    assert alert.endswith(f"from run {run_name(22)}: what we changed: git commit c0ffee0000 -> b")
    assert count == "alerts: 1 by this run, 1 stand; see `benchbook alerts`"
    assert webhook == "webhook: HOOK is not set, nothing is posted"
    assert told({"alerts": {}}, run_name(27)) == ["alerts: 0 by this run, 1 stand; see `benchbook alerts`"]
    monkeypatch.setenv("HOOK", f"http://127.0.0.1:{hook.server_port}/")
    assert told({"alerts": {"webhook_env": "HOOK"}}, run_name(27))[1:] == ["webhook: told 1 alerts"]
    assert hook.got[0]["alerts"][0]["target"] == "alpha"
    monkeypatch.setenv("HOOK", "nowhere")
    (line,) = told({"alerts": {"webhook_env": "HOOK"}}, run_name(27))
    assert line.startswith("alerts: not told (")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/x", "hooks.example.com", "http://"])
def test_only_http_is_posted_to(url: str) -> None:
    with pytest.raises(UserError, match="no http"):
        checked_webhook(url)


def test_how_a_run_is_repeated() -> None:
    target = {"provider": "openai", "model": "m", "base_url": "http://h/v1"}
    sections = {"execute": {"targets": [target]}, "validate": {"datasets": ["d.json"]}}
    assert _plan_words({"source": "params.yaml"}) == []
    assert _plan_words({"source": "p.yaml"}) == ["--plan", "p.yaml"]
    words = _plan_words({"source": "command line", "sections": sections})
    assert words == ["--target", "openai:m@http://h/v1", "--dataset", "d.json"]
    for missing in ("provider", "model"):
        sections["execute"]["targets"] = [target, {name: value for name, value in target.items() if name != missing}]
        assert _plan_words({"source": "command line", "sections": sections}) is None


def test_what_is_known_of_false_alarms_is_said() -> None:
    row: dict[str, Any] = {"metric": "e2e_ms", "spread": {"sd": 0.021}, "realised": None}
    assert "no aa run of this target is stored, `benchbook aa` makes them" in _sure(row)
    row["realised"] = {"rounds": 1, "comparisons": 0}
    assert _sure(row).endswith("false alarms: 1 aa rounds are stored, too few to compare any")
    row["realised"] = {"rounds": 8, "comparisons": 4, "alarms": 1, "spread": {"e2e_ms": {"sd": 0.03}}}
    assert "1 of 4 comparisons of it with itself" in _sure(row)
    assert _sure(row).endswith("aa rounds lie 3 % apart")


def test_reservations_of_a_trend() -> None:
    hour = {"share": 0.6, "lowest_hour": 3, "lowest_change": -0.1, "highest_hour": 14, "highest_change": 0.2}
    gone = {"run_id": "r7", "seen_run_id": "r9", "change": 0.15}
    out = [{"run_id": f"r{number}", "why": "INVALID"} for number in range(6)]
    rest = {"scale": "log", "metric": "e2e_ms", "withdrawn": [gone], "by_hour": hour, "left_out": out}
    lines = _reservations({**rest, "baselines": [{"profile": "p", "run_id": "r", "value": 5.0, "change": 0.5}]})
    gone_line, hour_line, *others = lines
    assert gone_line == "run r7: a change of +15.0 % seen with r9 did not last"
    assert (
        "explains 60% of the spread within stretches: lowest at 03 h (-10.0 %) and highest at 14 h (+20.0 %)"
        in hour_line
    )
    assert others == [
        "against profile p (run r, 5 ms): now +50.0 %",
        "left out: r0 (INVALID), r1 (INVALID), r2 (INVALID), r3 (INVALID) and 2 more",
    ]
