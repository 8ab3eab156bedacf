"""Python at E2B, by its interface over real sockets: a server of ours stands where E2B would."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchbook import tools
from benchbook.tools import Outcome, Place
from tests.unit.providers.scripted_server import REQUEST, STALL, Script, ScriptedServer, answer

KEY = "e2b_0123456789abcdef"
MADE = answer(json.dumps({"sandboxID": "sbx-7", "envdAccessToken": "token-of-the-box"}).encode(), "201 Created")
ENDED = answer(b"", "204 No Content")


def ran(*lines: dict[str, Any]) -> bytes:
    return answer(b"\n".join(json.dumps(line).encode() for line in lines) + b"\n")


async def e2b(tmp_path: Path, *scripts: Script, **place: Any) -> tuple[Outcome, list[bytes]]:
    async with ScriptedServer(*scripts) as server:
        base = server.url.removesuffix("/v1")
        wishes = {"remote": "e2b", "address": base, "host": base + "/{id}", "output_bytes": 200}
        room = Place(tmp_path, **{"environ": {"E2B_API_KEY": KEY}, "timeout_s": 20.0, **place})
        return await tools.use("python", {"code": "print(6)\n7"}, wishes, room), server.requests


async def test_a_script_is_run_in_a_sandbox_of_its_own(tmp_path: Path) -> None:
    result = ran({"type": "stdout", "text": "6\n"}, {"type": "result", "is_main_result": True, "text": "7"})
    outcome, requests = await e2b(tmp_path, (REQUEST, MADE), (REQUEST, result), (REQUEST, ENDED))
    assert (outcome.text, outcome.failed, outcome.detail) == ("6\n7\n", False, {"layers": ["e2b"], "missing": []})
    heads = [request.partition(b"\r\n")[0] for request in requests]
    assert heads == [b"POST /sandboxes HTTP/1.1", b"POST /sbx-7/execute HTTP/1.1", b"DELETE /sandboxes/sbx-7 HTTP/1.1"]
    made, executed, ended = requests
    assert f"x-api-key: {KEY}".encode() in made
    assert f"x-api-key: {KEY}".encode() in ended
    assert b"x-access-token: token-of-the-box" in executed
    assert KEY.encode() not in executed
    asked = json.loads(made.partition(b"\r\n\r\n")[2])
    assert asked == {"templateID": "code-interpreter-v1", "timeout": 30, "secure": True, "allow_internet_access": False}
    assert json.loads(executed.partition(b"\r\n\r\n")[2]) == {"code": "print(6)\n7", "language": "python"}


async def test_what_the_code_does_wrong_is_told(tmp_path: Path) -> None:
    error = {"type": "error", "name": "E", "value": "v", "traceback": "\x1b[31mZeroDivisionError\x1b[0m: by zero"}
    lines = ran({"type": "stderr", "text": "x" * 500}, error)
    outcome, requests = await e2b(tmp_path, (REQUEST, MADE), (REQUEST, lines), (REQUEST, ENDED))
    assert outcome.failed
    assert outcome.detail["kind"] == "error"
    assert outcome.text.endswith("ZeroDivisionError: by zero")
    assert "characters left out" in outcome.text
    assert len(requests) == 3


FAULTS: dict[str, tuple[Script, ...]] = {
    "auth": ((REQUEST, answer(b'{"code": 401, "message": "no such key e2b_0123456789abcdef"}', "401 Unauthorized")),),
    "rate_limited": ((REQUEST, answer(b"{}", "429 Too Many Requests")),),
    "server_error": ((REQUEST, MADE), (REQUEST, answer(b"", "502 Bad Gateway")), (REQUEST, ENDED)),
    "protocol": ((REQUEST, MADE), (REQUEST, answer(b"<html>")), (REQUEST, ENDED)),
}


@pytest.mark.parametrize("kind", FAULTS)
async def test_what_e2b_does_wrong_is_an_outcome(kind: str, tmp_path: Path) -> None:
    outcome, requests = await e2b(tmp_path, *FAULTS[kind])
    assert outcome.failed
    assert outcome.detail == {"kind": kind, "service": "e2b"}
    assert outcome.text.startswith("python: e2b: ")
    assert KEY not in outcome.text
    assert len(requests) == len(FAULTS[kind])


@pytest.mark.parametrize("said", [b"[]", b"{}", b'{"sandboxID": "../x"}', b'{"sandboxID": "x", "domain": "a.b/c"}'])
async def test_an_odd_sandbox_is_not_asked(said: bytes, tmp_path: Path) -> None:
    outcome, requests = await e2b(tmp_path, (REQUEST, answer(said, "201 Created")))
    assert (outcome.detail["kind"], len(requests)) == ("protocol", 1)


async def test_a_script_that_hangs_is_left(tmp_path: Path) -> None:
    """It is the script's own doing, so the service is not named as what failed."""
    outcome, _ = await e2b(tmp_path, (REQUEST, MADE), (REQUEST, STALL), (REQUEST, ENDED), timeout_s=1.0)
    assert (outcome.failed, outcome.detail) == (True, {"kind": "timeout"})


async def test_no_key_no_sandbox(tmp_path: Path) -> None:
    outcome, requests = await e2b(tmp_path, (REQUEST, MADE), environ={})
    assert (outcome.text, requests) == ("python: e2b: no key: $E2B_API_KEY is not set", [])
    assert outcome.detail["kind"] == "no_key"
    wishes = {"remote": "e2b", "address": "http://e2b.example"}
    plain = await tools.use("python", {"code": "1"}, wishes, Place(tmp_path, environ={"E2B_API_KEY": KEY}))
    assert plain.text == "python: e2b: a key is sent over https:// only, not to http://e2b.example"
