"""The cassette's file: what is written is what is read, and what harm costs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchbook.errors import CassetteError, StorageError
from benchbook.proxy.cassette import (
    CHUNKED,
    COMPLETE,
    CUT,
    LEFT,
    RESET,
    Answered,
    Asked,
    CassetteWriter,
    Recorded,
    cassette_sha256,
    read_cassette,
)

ASKED = Asked("POST", "/v1/chat/completions?a=1", (("content-type", "application/json"),), b'{"model":"m"}')
WHOLE = Answered(
    end_ns=30,
    ending=COMPLETE,
    status=200,
    headers=(("Content-Type", "text/event-stream"), ("x-twice", "1"), ("x-twice", "2")),
    framing=CHUNKED,
    head_ns=10,
    piece_at_ns=(10, 25),
    pieces=("Grüe".encode()[:-1], b"zi \x00\xff"),
    trailers=(("x-sum", "7"),),
)
KEPT = [
    Recorded(1, "http://one", ASKED, WHOLE),
    Recorded(2, "http://two", replace(ASKED, body=b"no JSON \xfe"), Answered(5, RESET)),
    Recorded(3, "http://one", replace(ASKED, method="GET", body=b""), replace(WHOLE, ending=CUT)),
    Recorded(4, "http://one", ASKED, replace(WHOLE, status=204, pieces=(), piece_at_ns=(), ending=LEFT)),
]


def written(path: Path, *kept: Recorded, append: bool = False) -> Path:
    writer = CassetteWriter(path, {"to": ["http://one"], "ignore": ["user"]}, append=append)
    for recorded in kept:
        writer.append(recorded)
    writer.close()
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    found = read_cassette(written(tmp_path / "new" / "tape.ndjson", *KEPT))
    assert list(found.exchanges) == KEPT
    assert (found.to, found.ignore, found.damaged) == ("http://one, http://two", ("user",), ())
    assert found.header["version"] == 1


def test_exchanges_stand_in_the_order_of_their_requests(tmp_path: Path) -> None:
    found = read_cassette(written(tmp_path / "tape", KEPT[2], KEPT[0], KEPT[1]))
    assert [kept.number for kept in found.exchanges] == [1, 2, 3]


@pytest.mark.parametrize("cut", [2, 40, 100])
def test_a_torn_last_line_costs_that_line_and_is_named(tmp_path: Path, cut: int) -> None:
    path = written(tmp_path / "tape", *KEPT[:2])
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    found = read_cassette(path)
    assert [kept.number for kept in found.exchanges] == [1]
    assert [damage.line for damage in found.damaged] == [3]


def test_a_torn_line_can_be_appended_to(tmp_path: Path) -> None:
    path = written(tmp_path / "tape", *KEPT[:2])
    path.write_bytes(path.read_bytes()[:-40])
    found = read_cassette(written(path, KEPT[2], append=True))
    assert [kept.number for kept in found.exchanges] == [1, 3]
    assert [damage.line for damage in found.damaged] == [3]


def test_a_harmed_line_is_named_and_passed_over(tmp_path: Path) -> None:
    path = written(tmp_path / "tape", *KEPT)
    path.write_bytes(path.read_bytes().replace(b"no JSON", b"no json"))
    found = read_cassette(path)
    assert [kept.number for kept in found.exchanges] == [1, 2, 3, 4]  # that body was not UTF-8, so not in plain sight
    path.write_bytes(path.read_bytes().replace(b'"ending":"reset"', b'"ending":"unset"'))
    found = read_cassette(path)
    assert [kept.number for kept in found.exchanges] == [1, 3, 4]
    assert [(damage.line, damage.why) for damage in found.damaged] == [(3, "checksum does not match")]


def test_a_harmed_first_line_costs_no_exchange(tmp_path: Path) -> None:
    path = written(tmp_path / "tape", *KEPT)
    path.write_bytes(path.read_bytes().replace(b'"version":1', b'"version":7', 1))
    found = read_cassette(path)
    assert (len(found.exchanges), [damage.line for damage in found.damaged]) == (4, [1])


def test_a_writer_leaves_what_is_there_alone_unless_told_to_add(tmp_path: Path) -> None:
    path = written(tmp_path / "tape", *KEPT[:2])
    before = cassette_sha256(path)
    with pytest.raises(CassetteError, match="is there already; name another file, or add to it with --append"):
        CassetteWriter(path, {})
    assert cassette_sha256(path) == before
    writer = CassetteWriter(path, {}, append=True)
    assert writer.last_number == 2
    writer.close()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "no cassette can be read there"),
        (b"", "is no cassette"),
        (b'{"name": "a dataset"}\n', "is no cassette"),
    ],
)
def test_what_is_no_cassette_is_refused(tmp_path: Path, content: bytes | None, why: str) -> None:
    path = tmp_path / "tape"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CassetteError, match=why):
        read_cassette(path)


def test_an_empty_or_a_later_cassette_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CassetteError, match="holds no exchange"):
        read_cassette(written(tmp_path / "tape"))
    writer = CassetteWriter(tmp_path / "later", {"version": 99})
    writer.close()
    with pytest.raises(CassetteError, match="version 99"):
        read_cassette(tmp_path / "later")


def test_a_full_disk_is_said_and_nothing_more_is_taken() -> None:
    with pytest.raises(StorageError, match="0 exchanges are safe there"):
        CassetteWriter(Path("/dev/full"), {})


@pytest.mark.parametrize("offsets", [(5, 3), (5, 40), (-1, 5)])
def test_offsets_that_do_not_rise_are_no_record(offsets: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="don't rise"):
        Answered(30, COMPLETE, 200, head_ns=0, piece_at_ns=offsets, pieces=(b"a", b"b"))
