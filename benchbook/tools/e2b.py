"""Running code far away: a fresh sandbox at E2B for each script, by its HTTP interface, with a key of the place's.

Three exchanges, as E2B's own client of the template `code-interpreter-v1` has them: `POST /sandboxes` makes a sandbox
without internet, `POST /execute` at port 49999 of its host runs the code and answers in lines of JSON, `DELETE
/sandboxes/ID` ends it. One that could not be ended (a time limit, a lost line) ends by itself soon after.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchbook.errors import ToolError
from benchbook.tools import Outcome, Place, failure, remote

if TYPE_CHECKING:
    from benchbook.tools.python import Settings

_NAME = "e2b"
_TEMPLATE = "code-interpreter-v1"
_HEAD_START_S = 10
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True)
class _Sandbox:
    """A running sandbox. host: where it is reached; token: what it lets in."""

    id: str
    host: str
    token: str


async def run(code: str, settings: Settings, place: Place) -> Outcome:
    """The outcome's text is what was printed, as from a run on this machine. Raises ToolError."""
    api = remote.service(_NAME, settings.address, settings.key_env, place, "x-api-key")
    sandbox = await _made(api, settings, place)
    executor = remote.Service(_NAME, sandbox.host, sandbox.token, place.timeout_s, "x-access-token")
    try:
        answer = await remote.reached(executor).post("/execute", {"code": code, "language": "python"})
    except ToolError as error:
        await _ended(api, sandbox)
        if error.kind == "timeout":
            return failure("timeout", f"python: {error}")  # the script's own, most likely: no use in another try
        raise
    await _ended(api, sandbox)
    return _outcome(answer, settings.output_bytes)


async def _made(api: remote.Service, settings: Settings, place: Place) -> _Sandbox:
    asked = {
        "templateID": _TEMPLATE,
        "timeout": math.ceil(place.timeout_s) + _HEAD_START_S,
        "secure": True,
        "allow_internet_access": False,
    }
    said = remote.document(api, await api.post("/sandboxes", asked))
    if not isinstance(said, dict) or not isinstance(said.get("sandboxID"), str):
        raise ToolError("e2b: the answer names no sandbox", kind="protocol", service=_NAME)
    name, domain = said["sandboxID"], said.get("domain") or settings.domain
    if not re.fullmatch(r"[\w-]+", name) or not re.fullmatch(r"[\w.-]+", str(domain)):
        raise ToolError("e2b: the sandbox has an odd name", kind="protocol", service=_NAME)
    host = settings.host.format(id=name, domain=domain)
    return _Sandbox(name, host, said.get("envdAccessToken") or "none")


async def _ended(api: remote.Service, sandbox: _Sandbox) -> None:
    """A sandbox that is not ended here ends by its own timeout."""
    try:
        await api.delete(f"/sandboxes/{sandbox.id}")
    except ToolError:
        return


def _outcome(answer: bytes, most: int) -> Outcome:
    printed: list[str] = []
    failed = False
    for line in _lines(answer):
        kind = line.get("type")
        if kind in ("stdout", "stderr"):
            printed.append(str(line.get("text", "")))
        elif kind == "result" and line.get("is_main_result") and line.get("text") is not None:
            printed.append(f"{line['text']}\n")
        elif kind == "error":
            failed = True
            told = str(line.get("traceback") or f"{line.get('name')}: {line.get('value')}")
            printed.append(_COLOUR.sub("", told))
    text = _cut("".join(printed), most) or "(nothing was printed)"
    detail = {"layers": [_NAME], "missing": []}
    return Outcome(text, failed=failed, detail={**detail, "kind": "error"} if failed else detail)


def _lines(answer: bytes) -> Iterator[Mapping[str, Any]]:
    for line in answer.splitlines():
        try:
            said = json.loads(line)
        except ValueError:
            raise ToolError("e2b: the answer is not in lines of JSON", kind="protocol", service=_NAME) from None
        if isinstance(said, dict):
            yield said


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    head, tail = text[: most * 3 // 4], text[len(text) - most // 4 :]
    return f"{head}\n[... {len(text) - most:,} characters left out ...]\n{tail}"
