"""Search over the built-in library, and by Tavily's interface over a real socket."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from benchbook import tools
from benchbook.tools import Outcome, Place, library, remote
from tests.unit.providers.scripted_server import CLOSE, REQUEST, STALL, Script, ScriptedServer, answer

LIBRARY = Path(__file__).parents[3] / "datasets" / "library"
KEY = "tvly-0123456789abcdef"

QUESTIONS = {
    "price of the Heron 2": ("heron-2.md", "349 EUR"),
    "Who found rain counted twice, and in which firmware?": ("incident-2025-03-rain.md", "4.1"),
    "warranty months Plover Mini": ("returns-policy.md", "12 months"),
    "severity 2 first answer": ("on-call-handbook.md", "60 minutes"),
    "certificate outage August": ("incident-2025-08-outage.md", "02:10"),
    "how many tips when calibrating": ("calibration-guide.md", "25"),
    "daily allowance for a trip": ("travel-policy.md", "46 EUR"),
    "supplier of batteries": ("suppliers.html", "Nordlys"),
}


async def search(query: str, tmp_path: Path, settings: dict[str, Any] | None = None, **more: Any) -> Outcome:
    wishes = settings if settings is not None else {"folder": str(LIBRARY)}
    return await tools.use("search", {"query": query, **more}, wishes, Place(tmp_path, environ={"TAVILY_API_KEY": KEY}))


@pytest.mark.parametrize("query", QUESTIONS)
async def test_the_library_answers(query: str, tmp_path: Path) -> None:
    where, passage = QUESTIONS[query]
    found = await search(query, tmp_path)
    assert found.detail["found"][0] == where
    assert passage in found.text
    assert found.text == (await search(query, tmp_path)).text


async def test_never_more_than_five_hits(tmp_path: Path) -> None:
    found = await search("Larkfield Heron Plover station rain 2025", tmp_path)
    assert found.detail["hits"] == 5
    assert found.text.count("\n\n") == 4
    assert "README.md" not in found.detail["found"]
    assert (await search("rain", tmp_path, max_results=2)).detail["hits"] == 2
    limited = {"folder": str(LIBRARY), "max_results": 1}
    assert (await search("rain", tmp_path, limited, max_results=5)).detail["hits"] == 1
    assert (await search("rain", tmp_path, max_results=6)).detail["kind"] == "bad_arguments"
    assert (await search(" ", tmp_path)).detail["kind"] == "bad_arguments"


async def test_nothing_found_is_no_failure(tmp_path: Path) -> None:
    found = await search("zeppelin", tmp_path)
    assert (found.failed, found.detail["hits"]) == (False, 0)
    assert "nothing was found" in found.text
    assert (await search("'\" OR * NEAR( -- ;", tmp_path)).detail["hits"] == 0


async def test_the_index_follows_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    here = {"folder": str(folder)}
    assert (await search("mango", tmp_path, here)).detail["hits"] == 0
    (folder / "b.md").write_text("# Fruit\nA mango.\n")
    (folder / "a.md").write_text("# Fruit\nA mango.\n")
    (folder / "c.txt").write_bytes(b"mango \xff\xfe")
    (folder / "d.md").symlink_to(folder / "a.md")
    assert (await search("mangos", tmp_path, here)).detail["found"] == ["a.md", "b.md"]
    (folder / "b.md").write_text("# Fruit\nA mango, a mango and a pear.\n")
    assert (await search("mango", tmp_path, here)).detail["found"][0] == "b.md"
    gone = await search("mango", tmp_path, {"folder": str(folder / "none")})
    assert "is not there" in gone.text


def test_rank_is_as_computed_by_hand() -> None:
    """Two pages, one word: idf ln(1 + 1.5/1.5), tf 2 of 4 words and 1 of 2, mean length 3."""
    pages = [library.page_of("x.txt", "kite kite red car"), library.page_of("y.txt", "blue car")]
    pages[0].counts["x"], pages[1].counts["y"]  # a file's name counts as its title
    mean = sum(page.length for page in pages) / 2
    assert library._idf("kite", pages) == pytest.approx(0.6931471805599453)
    assert library._tf(pages[0], "kite", mean) == pytest.approx(
        2 * 2.2 / (2 + 1.2 * (0.25 + 0.75 * pages[0].length / mean))
    )
    assert [hit.where for hit in library.ranked(pages, "red kite", 5)] == ["x.txt"]


@pytest.mark.parametrize(
    ("text", "stems"),
    [
        ("Stations, station's", ["station", "station", "s"]),
        ("warranties counted COUNTING", ["warranty", "count", "count"]),
        ("bus glass axis", ["bus", "glass", "axis"]),
        ("price prices _x_ Bodø", ["pric", "pric", "x", "bodø"]),
    ],
)
def test_stems(text: str, stems: list[str]) -> None:
    assert library.stems(text) == stems


# ---------------------------------------------------------------- Tavily


def result(n: int) -> dict[str, Any]:
    return {"title": f"Page {n}", "url": f"https://a.example/{n}", "content": f"text\n{n} " + "x" * 900, "score": 1 / n}


async def tavily(tmp_path: Path, *script: str | bytes | float, **place: Any) -> tuple[Outcome, list[bytes]]:
    steps: Script = script
    async with ScriptedServer(steps) as server:
        wishes = {"provider": "tavily", "address": server.url.removesuffix("/v1"), "topic": "news"}
        room = Place(tmp_path, **{"environ": {"TAVILY_API_KEY": KEY}, **place})
        return await tools.use("search", {"query": "kites", "max_results": 3}, wishes, room), server.requests


async def test_tavily_is_asked_as_its_interface_has_it(tmp_path: Path) -> None:
    body = json.dumps({"query": "kites", "answer": None, "results": [result(n) for n in range(1, 9)]}).encode()
    found, requests = await tavily(tmp_path, REQUEST, answer(body, content_type="application/json"))
    head, _, sent = requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /search HTTP/1.1\r\n")
    assert f"authorization: Bearer {KEY}".encode() in head
    assert json.loads(sent) == {
        "query": "kites",
        "max_results": 3,
        "search_depth": "basic",
        "topic": "news",
        "include_answer": False,
        "include_raw_content": False,
        "include_images": False,
    }
    assert found.detail["found"] == [f"https://a.example/{n}" for n in (1, 2, 3)]
    assert found.text.splitlines()[:2] == ["1. Page 1", "   https://a.example/1"]
    assert all(len(line) < 620 for line in found.text.splitlines())


FAULTS = {
    "auth": (REQUEST, answer(b'{"detail": {"error": "Unauthorized: tvly-0123456789abcdef"}}', "401 Unauthorized")),
    "rate_limited": (REQUEST, answer(b'{"detail": {"error": "plan used up"}}', "432 Plan limit")),
    "server_error": (REQUEST, answer(b"<html>oh</html>", "500 Oh")),
    "http_error": (REQUEST, answer(b"", "301 Moved", location="http://elsewhere.example/")),
    "truncated": (REQUEST, b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{", CLOSE),
    "protocol": (REQUEST, answer(b"no json")),
}


@pytest.mark.parametrize("kind", FAULTS)
async def test_what_tavily_does_wrong_is_an_outcome(kind: str, tmp_path: Path) -> None:
    found, _ = await tavily(tmp_path, *FAULTS[kind])
    assert found.failed
    assert found.detail == {"kind": kind, "service": "tavily"}
    assert found.text.startswith("search: tavily: ")
    assert KEY not in found.text


async def test_an_odd_answer_is_an_outcome(tmp_path: Path) -> None:
    for body in (b"[]", b"{}", b'{"results": 3}'):
        found, _ = await tavily(tmp_path, REQUEST, answer(body))
        assert found.detail["kind"] == "protocol"
    found, _ = await tavily(tmp_path, REQUEST, answer(b'{"results": [3, {"url": null}]}'))
    assert found.detail["hits"] == 1
    endless = b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n" + b"x" * 9_000_000
    found, _ = await tavily(tmp_path, REQUEST, endless, STALL)
    assert "larger than" in found.text


async def test_a_service_that_hangs_is_left(tmp_path: Path) -> None:
    found, _ = await tavily(tmp_path, REQUEST, STALL, timeout_s=0.2)
    assert (found.failed, found.detail) == (True, {"kind": "timeout", "service": "tavily"})


async def test_https_is_spoken_to_a_certificate_that_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And to no other: the key is not sent."""
    authority, own = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(own)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    body = json.dumps({"results": [result(1)]}).encode()
    for known in (False, True):
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem") if known else "/dev/null")
        remote._tls.cache_clear()
        async with ScriptedServer((REQUEST, answer(body)), tls=own) as server:
            wishes = {"provider": "tavily", "address": f"https://localhost:{server.port}"}
            found = await search("kites", tmp_path, wishes)
            assert [bool(server.requests), found.failed] == [known, not known]
    assert found.detail["hits"] == 1
    remote._tls.cache_clear()


async def test_no_key_no_question(tmp_path: Path) -> None:
    found, requests = await tavily(tmp_path, REQUEST, environ={})
    assert (found.detail["kind"], requests) == ("no_key", [])
    plain = await search("kites", tmp_path, {"provider": "tavily", "address": "http://api.tavily.example"})
    assert plain.text == "search: tavily: a key is sent over https:// only, not to http://api.tavily.example"
