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
from benchbook.errors import UserError
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
