"""Documents are listed, read, searched and written in two folders, and nothing outside of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from benchbook import tools
from benchbook.tools import Outcome, Place

HTML = """<html><head><title>A &amp; B</title><style>p {}</style></head><body><h1>Prices</h1>
<p>One <b>bold</b>
word.</p><table><tr><th>name</th><th>EUR</th></tr><tr><td>Bod&oslash;</td><td>3</td></tr></table>
<script>alert("no")</script></body></html>"""


class Desk:
    """A folder of documents beside a secret, and a place to write."""

    def __init__(self, root: Path) -> None:
        self.folder, self.scratch = root / "library", root / "scratch"
        self.folder.mkdir()
        self.scratch.mkdir()
        (root / "secret.txt").write_text("the word is mango")

    async def ask(self, action: str, settings: dict[str, Any] | None = None, **arguments: Any) -> Outcome:
        wishes = {"folder": str(self.folder), **(settings or {})}
        return await tools.use("documents", {"action": action, **arguments}, wishes, Place(self.scratch))

    async def refused(self, action: str, settings: dict[str, Any] | None = None, **arguments: Any) -> str:
        outcome = await self.ask(action, settings, **arguments)
        assert outcome.failed
        assert "\n" not in outcome.text
        assert "mango" not in outcome.text
        return outcome.text


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def test_reads_by_lines_and_says_where_to_go_on(desk: Desk) -> None:
    (desk.folder / "long.txt").write_text("".join(f"line {n}\n" for n in range(1, 11)))
    first = await desk.ask("read", path="long.txt", lines=4)
    assert first.text.splitlines() == [
        "long.txt, lines 1 to 4 of 10; go on with first_line 5",
        *(f"line {n}" for n in range(1, 5)),
    ]
    last = await desk.ask("read", path="long.txt", first_line=9)
    assert last.text == "long.txt, lines 9 to 10 of 10\nline 9\nline 10"
    assert "ends with line 10" in await desk.refused("read", path="long.txt", first_line=11)


async def test_an_answer_is_no_longer_than_the_team_allows(desk: Desk) -> None:
    (desk.folder / "long.txt").write_text("".join(f"line {n:03}\n" for n in range(1, 101)))
    (desk.folder / "wide.txt").write_text("x" * 50_000)
    page = await desk.ask("read", {"answer_chars": 200}, path="long.txt")
    assert page.text.startswith("long.txt, lines 1 to 22 of 100; go on with first_line 23\n")
    assert "[and 48,000 more]" in (await desk.ask("read", path="wide.txt")).text
    found = await desk.ask("search", {"answer_chars": 200}, query="line")
    assert len(found.text) < 260
    assert found.text.endswith("[there is more than is shown]")


async def test_kinds_of_text(desk: Desk) -> None:
    (desk.folder / "page.html").write_text(HTML)
    (desk.folder / "flat.json").write_text('{"a": [1, "ø"]}')
    (desk.folder / "broken.json").write_text('{"a": ')
    (desk.folder / "table.csv").write_bytes(b"\xef\xbb\xbfa,b\r\n1,2\r\n")
    page = await desk.ask("read", path="page.html")
    assert page.text.splitlines()[1:] == ["A & B", "Prices", "One bold word.", "name | EUR", "Bodø | 3"]
    assert '"ø"' in (await desk.ask("read", path="flat.json")).text.splitlines()[4]
    assert (await desk.ask("read", path="broken.json")).text.endswith('{"a": ')
    assert (await desk.ask("read", path="table.csv")).text.endswith("\na,b\n1,2")


async def test_what_is_no_text_is_not_read(desk: Desk) -> None:
    (desk.folder / "a.png").write_bytes(b"\x89PNG")
    (desk.folder / "nul.txt").write_bytes(b"a\0b")
    (desk.folder / "latin.txt").write_bytes("Bodø".encode("latin-1"))
    (desk.folder / "large.txt").write_bytes(b"x" * 2000)
    os.mkfifo(desk.folder / "pipe.txt")
    assert ".png is not read" in await desk.refused("read", path="a.png")
    assert "is no text" in await desk.refused("read", path="nul.txt")
    assert "byte 3" in await desk.refused("read", path="latin.txt")
    assert "2,000 bytes, more than the 1,000" in await desk.refused("read", {"read_bytes": 1000}, path="large.txt")
    assert "is no file" in await desk.refused("read", path="pipe.txt")
    assert "there is no file" in await desk.refused("read", path="none.txt")


async def test_lists_and_searches_both_folders_in_order(desk: Desk) -> None:
    (desk.folder / "b").mkdir()
    (desk.folder / "b" / "two.md").write_text("A Red kite\n\nand a red car\n")
    (desk.folder / "a.md").write_text("The KITE is red\n")
    (desk.folder / "README.md").write_text("a red kite as well\n")
    (desk.folder / ".hidden.md").write_text("a red kite as well\n")
    (desk.folder / "a.bin").write_text("a red kite as well\n")
    (desk.scratch / "own.md").write_text("my red kite\n")
    listed = await desk.ask("list")
    assert [line.split()[0] for line in listed.text.splitlines()] == ["a.md", "b/two.md", "scratch/own.md"]
    found = await desk.ask("search", query="red kite")
    assert found.text.splitlines() == [
        "a.md:1: The KITE is red",
        "b/two.md:1: A Red kite",
        "scratch/own.md:1: my red kite",
    ]
    assert (await desk.ask("search", {"hits": 1}, query="red")).text.splitlines()[1] == "and 3 more lines"
    assert "no line holds" in (await desk.ask("search", query="mango")).text
    assert "there is no file" in await desk.refused("read", path="README.md")


async def test_writes_to_the_scratch_folder_and_reads_it_again(desk: Desk) -> None:
    written = await desk.ask("write", path="notes/plan.md", text="# Plan\nfirst\n")
    assert written.files == ("notes/plan.md",)
    assert (desk.scratch / "notes" / "plan.md").read_text() == "# Plan\nfirst\n"
    again = await desk.ask("write", path="scratch/notes/plan.md", text="short")
    assert again.files == ("notes/plan.md",)
    assert (await desk.ask("read", path="scratch/notes/plan.md")).text.endswith("1 of 1\nshort")
    assert not any(desk.folder.iterdir())
    assert "more than the 10" in await desk.refused("write", {"write_bytes": 10}, path="a.md", text="x" * 11)
    assert "only texts" in await desk.refused("write", path="a.sh", text="x")


OUTSIDE = ("../secret.txt", "a/../../secret.txt", "scratch/../../secret.txt", "~/secret.txt", "C:\\secret.txt", "..")


@pytest.mark.parametrize("path", OUTSIDE)
async def test_no_path_leads_outside(desk: Desk, path: str) -> None:
    for action in ("read", "write"):
        assert "outside" in await desk.refused(action, path=path, text="papaya")
    assert (desk.folder.parent / "secret.txt").read_text() == "the word is mango"


async def test_absolute_and_odd_paths_are_none(desk: Desk) -> None:
    secret = desk.folder.parent / "secret.txt"
    for action in ("read", "write"):
        assert "outside" in await desk.refused(action, path=str(secret), text="papaya")
        for odd in ("", " ", "a\0.md", "a\n.md", "x/" * 300 + "a.md"):
            assert "is no path" in await desk.refused(action, path=odd, text="papaya")
    assert secret.read_text() == "the word is mango"


async def test_links_are_not_followed(desk: Desk) -> None:
    secret = desk.folder.parent / "secret.txt"
    for folder in (desk.folder, desk.scratch):
        (folder / "link.txt").symlink_to(secret)
        (folder / "up").symlink_to(folder.parent)
        (folder / "dangling.txt").symlink_to(folder.parent / "made.txt")
    for path in ("link.txt", "up/secret.txt", "scratch/link.txt", "scratch/up/secret.txt"):
        assert "link" in await desk.refused("read", path=path)
        assert "link" in await desk.refused("write", path=path, text="papaya") or path == "scratch"
    await desk.refused("write", path="dangling.txt", text="papaya")
    assert not (desk.scratch.parent / "made.txt").exists()
    assert secret.read_text() == "the word is mango"
    assert (await desk.ask("list")).text == "no documents"
    assert "no line" in (await desk.ask("search", query="mango")).text


async def test_the_team_s_own_folder_may_be_a_link_and_not_too_large(desk: Desk) -> None:
    (desk.folder / "a.md").write_text("a red kite\n")
    linked = desk.folder.parent / "linked"
    linked.symlink_to(desk.folder)
    assert (await desk.ask("list", {"folder": str(linked)})).text == "a.md (11 bytes)"
    assert not (await desk.ask("read", {"folder": str(linked)}, path="a.md")).failed
    for number in range(5_000):
        (desk.folder / f"{number}").touch()
    assert "more than 5,000 files" in await desk.refused("list")


async def test_a_second_name_of_a_file_is_not_written_to(desk: Desk) -> None:
    secret = desk.folder.parent / "secret.txt"
    os.link(secret, desk.scratch / "own.txt")
    assert "plain file of its own" in await desk.refused("write", path="own.txt", text="papaya")
    assert secret.read_text() == "the word is mango"


async def test_a_folder_that_is_not_there_is_a_failure(desk: Desk) -> None:
    assert "is not there" in await desk.refused("list", {"folder": str(desk.folder / "none")})
    assert "needs a query" in await desk.refused("search", query=" ")
    wrong = await desk.ask("list", {"folders": "x"})
    assert wrong.detail["kind"] == "bad_settings"
