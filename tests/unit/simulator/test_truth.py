"""The log keeps the newest records, within a number of records and of stamps, and numbers never repeat."""

from __future__ import annotations

from array import array

from benchbook.simulator.truth import Log, Meant, Record


def record(name: str, stamps: int = 0) -> Record:
    made = Record(name, connection=1, request=1, received_ns=0, meant=Meant("POST", "/"))
    made.offsets_ns, made.sent_ns = array("q", range(stamps)), array("q", range(1, stamps + 1))
    made.kinds, made.sizes = ["text"] * stamps, [4] * stamps
    return made


def names(log: Log, since: int = 0) -> list[tuple[int, str]]:
    return [(one["number"], one["request_id"]) for one in log.since(since)]


def test_the_newest_records_stay() -> None:
    log = Log(max_records=3)
    for name in "abcde":
        log.add(record(name))
    assert names(log) == [(3, "c"), (4, "d"), (5, "e")]
    assert names(log, since=4) == [(5, "e")]
    assert names(log, since=5) == names(log, since=99) == []
    log.clear()
    log.add(record("f"))
    assert names(log) == [(6, "f")]


def test_stamps_are_bounded_too_but_one_record_always_stays() -> None:
    log = Log(max_stamps=10)
    for name in "abc":
        log.add(record(name, 4))
    assert names(log) == [(2, "b"), (3, "c")]
    log.add(record("d", 50))
    assert names(log) == [(4, "d")]


def test_lateness_follows_from_the_stamps() -> None:
    log = Log()
    log.add(record("a", 3))
    (seen,) = log.since()
    assert seen["lateness_ns"] == [1, 1, 1]
    assert seen["due_ns"] == [0, 1, 2]
