"""Two machines' journals become one; nothing that is there is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchbook.errors import BusyError, UnknownRunError
from benchbook.results.journal import JournalWriter, create_run, journal_hash, read_run, runs
from benchbook.results.lock import lock
from benchbook.results.merge import merge


def machine(results: Path, make_trial, *names: str) -> Path:  # type: ignore[no-untyped-def]
    for name in names:
        create_run(results, name, {"run_id": name}, [])
        with JournalWriter(results, name, {"wall_offset_ns": 1}) as writer:
            writer.append(make_trial(1))
            writer.append(make_trial(2))
            writer.finish("finished", {})
    return results


def test_union(tmp_path: Path, make_trial) -> None:  # type: ignore[no-untyped-def]
    ours = machine(tmp_path / "ours", make_trial, "r1")
    theirs = machine(tmp_path / "theirs", make_trial, "r2", "r3")
    merged = merge(ours, theirs)
    assert (merged.added, merged.same, merged.conflicts, merged.damaged) == (("r2", "r3"), (), (), ())
    assert runs(ours) == ["r1", "r2", "r3"]
    assert len(list(read_run(ours, "r3").trials())) == 2
    again = merge(ours, theirs / "journal")
    assert (again.added, again.same) == ((), ("r2", "r3"))
    assert merge(tmp_path / "new", ours).added == ("r1", "r2", "r3")


def test_conflicts_are_said_and_left_alone(tmp_path: Path, make_trial) -> None:  # type: ignore[no-untyped-def]
    ours = machine(tmp_path / "ours", make_trial, "r1")
    theirs = machine(tmp_path / "theirs", make_trial, "r1")
    (theirs / "journal" / "r1" / "segment-001.ndjson").touch()
    before = journal_hash(ours / "journal" / "r1")
    merged = merge(ours, theirs)
    assert merged.added == merged.same == ()
    assert merged.conflicts[0].startswith("r1: ")
    assert journal_hash(ours / "journal" / "r1") == before


def test_damage_is_named(tmp_path: Path, make_trial) -> None:  # type: ignore[no-untyped-def]
    theirs = machine(tmp_path / "theirs", make_trial, "r1", "r2")
    lines = theirs / "journal" / "r1" / "segment-000.ndjson"
    lines.write_bytes(lines.read_bytes().replace(b"hello", b"jello", 1))
    (theirs / "journal" / "r2" / "run.json").write_text("?")
    merged = merge(tmp_path / "ours", theirs)
    assert merged.added == ("r1",)
    assert [text.rsplit("; ", 1)[1] for text in merged.damaged] == ["copied as it is", "not copied"]
    assert "segment-000.ndjson:1: checksum does not match" in merged.damaged[0]
    assert runs(tmp_path / "ours") == ["r1"]
    assert journal_hash(tmp_path / "ours" / "journal" / "r1") == journal_hash(theirs / "journal" / "r1")


def test_refusals(tmp_path: Path, make_trial) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UnknownRunError, match="holds no runs"):
        merge(tmp_path / "ours", tmp_path)
    theirs = machine(tmp_path / "theirs", make_trial, "r1")
    with lock(tmp_path / "ours"), pytest.raises(BusyError):
        merge(tmp_path / "ours", theirs)
