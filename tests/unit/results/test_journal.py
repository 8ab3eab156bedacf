"""The journal over real files: what is written is read, once, in order, and what is harmed is named."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from benchbook.errors import RecordError, StorageError, UnknownRunError
from benchbook.records import Event
from benchbook.results import journal
from benchbook.results.frame import framed
from benchbook.results.journal import JournalWriter, create_run, journal_hash, read_run

RUN = "20261121T081502Z-3f9a07"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    create_run(tmp_path, RUN, {"run_id": RUN, "plan_hash": "p1"}, [{"name": "d"}], checks=b"[]\n")
    return tmp_path


def write(results: Path, trials, status: str | None = "finished", **facts: object) -> None:  # type: ignore[no-untyped-def]
    with JournalWriter(results, RUN, facts) as writer:
        for trial in trials:
            writer.append(trial)
        if status:
            writer.finish(status, {"done": len(trials)})


def segment(results: Path, number: int = 0) -> Path:
    return results / "journal" / RUN / f"segment-{number:03d}.ndjson"


def test_what_is_written_is_read_back(results: Path, make_trial, fake_clock) -> None:  # type: ignore[no-untyped-def]
    trials = [make_trial(number) for number in (3, 1, 2)]
    with JournalWriter(results, RUN, {"wall_offset_ns": 17}, fake_clock) as writer:
        for trial in trials:
            writer.append(trial)
        fake_clock.now_ns += 5
        writer.finish("finished", {"done": 3})
    run = read_run(results, RUN)
    assert (run.run_id, run.manifest["plan_hash"], run.datasets) == (RUN, "p1", [{"name": "d"}])
    assert list(run.trials()) == trials
    assert run.damaged == []
    assert run.status == "finished"
    (part,) = run.segments
    assert part.start["wall_offset_ns"] == 17
    assert part.start["host"] == os.uname().nodename
    assert part.end == {
        "ended_wall_ns": part.start["started_wall_ns"] + 5,
        "status": "finished",
        "records": 3,
        "counts": {"done": 3},
    }
    assert (run.folder / "checks.json").read_bytes() == b"[]\n"


def test_a_record_is_in_the_file_when_append_returns(results: Path, make_trial) -> None:  # type: ignore[no-untyped-def]
    with JournalWriter(results, RUN, {}) as writer:
        for number in range(3):
            writer.append(make_trial(number))
            assert len(list(read_run(results, RUN).trials())) == number + 1
        writer.sync()


def test_a_resume_adds_a_segment_and_leaves_the_first_alone(results: Path, make_trial) -> None:  # type: ignore[no-untyped-def]
    write(results, [make_trial(1)], status="interrupted")
    before = segment(results).read_bytes()
    write(results, [make_trial(2)])
    assert segment(results).read_bytes() == before
    run = read_run(results, RUN)
    assert [(part.number, trial.planned.position) for part, trial in run.records()] == [(0, 1), (1, 2)]
    assert [part.end["status"] for part in run.segments if part.end] == ["interrupted", "finished"]
    assert run.status == "finished"


def test_of_a_trial_that_is_there_twice_the_first_holds(results: Path, make_trial) -> None:  # type: ignore[no-untyped-def]
    write(results, [make_trial(1)], status=None)
    write(results, [make_trial(1), make_trial(2)])
    run = read_run(results, RUN)
    for _ in range(2):
        assert [trial.planned.position for trial in run.trials()] == [1, 2]
        (damage,) = run.damaged
        assert (damage.file, damage.line) == (str(segment(results, 1)), 1)
        assert str(damage).endswith(":1: trial t0001 is there already: the first record holds; passed over")


def test_a_torn_last_line_is_forgiven_if_the_session_never_ended(results: Path, make_trial) -> None:  # type: ignore[no-untyped-def]
    write(results, [make_trial(1), make_trial(2)], status=None)
    whole = segment(results).read_bytes()
    second = whole.index(b"\n") + 1
    for size in (second, second + 1, second + 12, len(whole) - 2):
        segment(results).write_bytes(whole[:size])
        run = read_run(results, RUN)
        assert [trial.planned.position for trial in run.trials()] == [1]
        assert run.damaged == []
        assert run.status == "crashed"
    segment(results).write_bytes(whole[:-1])
    assert len(list(read_run(results, RUN).trials())) == 2


def test_a_torn_last_line_of_an_ended_session_is_damage(results: Path, make_trial) -> None:  # type: ignore[no-untyped-def]
    write(results, [make_trial(1), make_trial(2)])
    segment(results).write_bytes(segment(results).read_bytes()[:-9])
    run = read_run(results, RUN)
    assert len(list(run.trials())) == 1
    assert [(damage.line, damage.why) for damage in run.damaged] == [(2, "cut short")]


def test_bad_lines_are_named_and_skipped(results: Path, make_trial) -> None:  # type: ignore[no-untyped-def]
    write(results, [make_trial(number) for number in range(3)])
    lines = segment(results).read_bytes().splitlines(keepends=True)
    lines.insert(1, b"not a record at all\n")
    lines.insert(3, framed("trial", {"planned": {}}))
    lines.insert(4, framed("trial", [1]))
    segment(results).write_bytes(b"".join(lines))
    run = read_run(results, RUN)
    assert [trial.planned.position for trial in run.trials()] == [0, 1, 2]
    assert [damage.line for damage in run.damaged] == [2, 4, 5]
    assert run.damaged[0].why == "not a record"
    assert all(damage.why.startswith("not a trial (") for damage in run.damaged[1:])


def test_missing_or_harmed_session_facts_are_named(results: Path, make_trial) -> None:  # type: ignore[no-untyped-def]
    write(results, [make_trial(1)])
    start, end = (segment(results).with_suffix(f".{name}.json") for name in ("start", "end"))
    start.unlink()
    end.write_text("{}")
    run = read_run(results, RUN)
    assert len(list(run.trials())) == 1
    assert [Path(damage.file).name for damage in run.damaged] == [segment(results).name, end.name]
    assert run.segments[0].start == {}
    assert run.status == "crashed"
    assert str(run.damaged[1]) == f"{end}: not a record; passed over"


def test_a_run_without_records_is_a_run(results: Path) -> None:
    run = read_run(results, RUN)
    assert (list(run.trials()), run.segments, run.status) == ([], (), "crashed")


def test_a_run_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UnknownRunError, match="has no such run"):
        read_run(tmp_path, RUN)


@pytest.mark.parametrize("name", ["run.json", "datasets.json"])
def test_a_harmed_manifest_is_one_clear_line(results: Path, name: str) -> None:
    path = results / "journal" / RUN / name
    path.write_bytes(path.read_bytes().replace(b"d", b"e"))
    with pytest.raises(StorageError, match=f"{name}: can't be read"):
        read_run(results, RUN)


def test_a_run_is_created_once(results: Path) -> None:
    before = journal_hash(results / "journal" / RUN)
    with pytest.raises(StorageError, match="can't be written"):
        create_run(results, RUN, {}, [])
    assert journal_hash(results / "journal" / RUN) == before
    assert os.listdir(results / "journal") == [RUN]


def test_leftovers_of_a_crash_are_no_runs(results: Path) -> None:
    shutil.copytree(results / "journal" / RUN, results / "journal" / f".{RUN}x.tmp")
    (results / "journal" / "notes").mkdir()
    assert journal.runs(results) == [RUN]
    create_run(results, f"{RUN}x", {}, [])
    assert journal.runs(results) == [RUN, f"{RUN}x"]


def test_a_finished_run_of_a_plan(results: Path, make_trial) -> None:  # type: ignore[no-untyped-def]
    assert journal.finished_run(results, "p1") is None
    write(results, [make_trial(1)], status="interrupted")
    assert journal.finished_run(results, "p1") is None
    write(results, [make_trial(2)])
    broken = create_run(results, "20991121T081502Z-000000", {"plan_hash": "p1"}, [])
    (broken / "run.json").write_text("?")
    assert journal.finished_run(results, "p1") == RUN
    assert journal.finished_run(results, "p2") is None


def test_a_closed_writer_takes_nothing(results: Path, make_trial) -> None:  # type: ignore[no-untyped-def]
    writer = JournalWriter(results, RUN, {})
    writer.close()
    writer.close()
    writer.sync()
    with pytest.raises(ValueError, match="closed"):
        writer.append(make_trial(1))


def test_the_hash_is_of_content_and_names_only(results: Path, make_trial) -> None:  # type: ignore[no-untyped-def]
    folder = results / "journal" / RUN
    write(results, [make_trial(1)])
    first = journal_hash(folder)
    for path in folder.iterdir():
        os.utime(path, (1, 1))
    (folder / ".half.tmp").write_bytes(b"x")
    assert journal_hash(folder) == first
    assert journal_hash(Path(shutil.copytree(folder, results / "copy"))) == first
    seen = {first}
    for path in sorted(folder.glob("[!.]*")):
        path.write_bytes(path.read_bytes() + b" ")
        seen.add(journal_hash(folder))
    segment(results).rename(folder / "segment-007.ndjson")
    seen.add(journal_hash(folder))
    assert len(seen) == 1 + 6 + 1


def test_what_is_written_is_synced_by_itself(results: Path, make_trial) -> None:  # type: ignore[no-untyped-def]
    with JournalWriter(results, RUN, {}) as writer:
        writer.append(make_trial(1))
        for _ in range(200):
            if writer._synced == 1:
                break
            time.sleep(0.05)
        assert writer._synced == 1


# ---------------------------------------------------------------- events

OPENED = Event(1_000, "breaker", "opened", "sim", {"value": 0.5, "failures": 5, "calls": 10})
CLOSED = Event(2_000, "breaker", "closed", "sim", {"pause_s": float("inf")})


def test_events_stand_among_trials_and_are_counted_apart(results: Path, make_trial) -> None:  # type: ignore[no-untyped-def]
    with JournalWriter(results, RUN, {"wall_offset_ns": 17}) as writer:
        writer.note(OPENED)
        writer.append(make_trial(1))
        writer.note(CLOSED)
        writer.finish("finished", {})
    write(results, [make_trial(2)])
    run = read_run(results, RUN)
    assert [trial.planned.position for trial in run.trials()] == [1, 2]
    assert [(part.number, event.name) for part, event in run.events()] == [(0, "opened"), (0, "closed")]
    opened, closed = (event for _, event in run.events())
    assert opened == OPENED
    assert closed.fields == {"pause_s": "inf"}  # JSON has no word for it
    assert run.damaged == []
    assert run.segments[0].end is not None
    assert run.segments[0].end["records"] == 1
    assert segment(results).read_bytes().count(b"\n") == 3


def test_an_older_journal_has_no_events(results: Path, make_trial) -> None:  # type: ignore[no-untyped-def]
    write(results, [make_trial(1)])
    assert list(read_run(results, RUN).events()) == []


def test_a_torn_event_at_the_end_is_forgiven_if_the_session_never_ended(results: Path, make_trial) -> None:  # type: ignore[no-untyped-def]
    with JournalWriter(results, RUN, {}) as writer:
        writer.append(make_trial(1))
        writer.note(OPENED)
    whole = segment(results).read_bytes()
    start = whole.index(b"\n") + 1
    for size in (start + 1, start + 20, start + 40, len(whole) - 2):
        segment(results).write_bytes(whole[:size])
        run = read_run(results, RUN)
        assert (len(list(run.trials())), list(run.events()), run.damaged) == (1, [], [])
    segment(results).write_bytes(whole[:-1])
    assert [event for _, event in read_run(results, RUN).events()] == [OPENED]


def test_a_damaged_event_is_named_once_and_costs_itself(results: Path, make_trial) -> None:  # type: ignore[no-untyped-def]
    with JournalWriter(results, RUN, {}) as writer:
        for event in (OPENED, CLOSED):
            writer.note(event)
        writer.append(make_trial(1))
        writer.finish("finished", {})
    lines = segment(results).read_bytes().splitlines(keepends=True)
    lines[0] = lines[0].replace(b"opened", b"opaned")
    lines[1] = framed("event", {"at_ns": 1, "kind": "weather", "name": "rain"})
    lines.insert(2, framed("event", {"kind": "load"}))
    segment(results).write_bytes(b"".join(lines))
    run = read_run(results, RUN)
    for _ in range(2):
        assert len(list(run.trials())) == 1
        assert list(run.events()) == []
        assert [(damage.line, damage.why.split(" (")[0]) for damage in run.damaged] == [
            (1, "checksum does not match"),
            (2, "not an event"),
            (3, "not an event"),
        ]


def test_what_a_failed_writer_calls_safe_are_trials(results: Path, make_trial) -> None:  # type: ignore[no-untyped-def]
    with JournalWriter(results, RUN, {}) as writer:
        writer.append(make_trial(1))
        writer.note(OPENED)
    writer = JournalWriter(results, RUN, {})
    writer.note(CLOSED)
    assert writer._descriptor is not None
    os.dup2(full := os.open("/dev/full", os.O_WRONLY), writer._descriptor)
    os.close(full)
    with pytest.raises(StorageError, match="1 finished trials are safe"):
        writer.note(OPENED)
    with pytest.raises(StorageError):
        writer.append(make_trial(3))
    writer.close()


def test_an_event_is_of_a_known_kind_and_has_a_name() -> None:
    with pytest.raises(RecordError, match="weather"):
        Event(1, "weather", "rain")
    with pytest.raises(RecordError, match="needs a name"):
        Event(1, "load", "")
