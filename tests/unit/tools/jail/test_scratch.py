"""What a job left behind: plain files only, whatever else lies there."""

from __future__ import annotations

import os
from pathlib import Path

from benchbook.tools.jail import scratch


def test_plain_files_at_any_depth_and_no_link(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "deep.txt").write_text("12345")
    (tmp_path / "top.txt").write_text("1")
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "way-out").symlink_to("/etc")
    os.mkfifo(tmp_path / "pipe")
    seen, too_much = scratch.look(str(tmp_path), 100)
    assert {name: facts[0] for name, facts in seen.items()} == {"a/b/deep.txt": 5, "top.txt": 1}
    assert not too_much


def test_no_more_entries_are_looked_at_than_asked_for(tmp_path: Path) -> None:
    for n in range(20):
        (tmp_path / str(n)).mkdir()
    assert scratch.look(str(tmp_path), 20) == ({}, False)
    assert scratch.look(str(tmp_path), 19) == ({}, True)
    assert scratch.look(str(tmp_path / "gone"), 5) == ({}, False)


def test_written_is_what_is_new_or_changed() -> None:
    before = {"same": (1, 10), "longer": (1, 10), "later": (1, 10), "gone": (1, 10)}
    after = {"same": (1, 10), "longer": (2, 10), "later": (1, 11), "new": (0, 12)}
    assert scratch.written(before, after) == ["later", "longer", "new"]


def test_what_was_there_stays_and_the_rest_goes(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "kept").write_text("kept")
    before = scratch.look(str(tmp_path), 100)[0]
    (tmp_path / "old" / "added").write_text("added")
    (tmp_path / "new" / "deep").mkdir(parents=True)
    outside = tmp_path.parent / "outside"
    outside.mkdir()
    (outside / "precious").write_text("precious")
    (tmp_path / "new" / "link").symlink_to(outside)
    after = scratch.look(str(tmp_path), 100)[0]
    left = scratch.without(str(tmp_path), after, scratch.written(before, after), ["old"])
    assert set(left) == {"old/kept"}
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["kept", "old"]
    assert (outside / "precious").read_text() == "precious"


def test_files_without_a_name_are_counted(tmp_path: Path) -> None:
    with (tmp_path / "f").open("wb", buffering=0) as file:
        (tmp_path / "f").unlink()
        before = scratch.unnamed_bytes(os.getpid(), 0)
        file.write(bytes(1000))
        assert scratch.unnamed_bytes(os.getpid(), 0) == before + 1000
        assert scratch.unnamed_bytes(os.getpid(), os.fstat(file.fileno()).st_ino) == before
    assert scratch.unnamed_bytes(1 << 22, 0) == 0
