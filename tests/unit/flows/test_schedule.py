"""When a schedule is due, what it is called, and that it is served once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from benchbook.errors import BusyError, UserError
from benchbook.stages import Job
from flows.schedule import Due, deployment_name, only_here


def test_cron_is_utc() -> None:
    schedule = Due(cron="30 6 * * 1-5").schedule()
    assert (schedule.cron, schedule.timezone) == ("30 6 * * 1-5", "UTC")


def test_an_interval_is_one() -> None:
    assert Due(interval_s=30).schedule().interval == timedelta(seconds=30)


@pytest.mark.parametrize("cron", ["", "hourly please", "61 * * * *", "* * *"])
def test_what_is_no_cron_expression_is_refused(cron: str) -> None:
    with pytest.raises(UserError, match="is no cron expression; five fields"):
        Due(cron=cron).schedule()


@pytest.mark.parametrize(
    ("due", "poll_s"),
    [(Due(cron="* * * * *"), 5), (Due(interval_s=3600), 5), (Due(interval_s=30), 3), (Due(interval_s=5), 1)],
)
def test_short_intervals_are_looked_at_more_often(due: Due, poll_s: float) -> None:
    assert due.poll_s == poll_s


def test_two_folders_are_two_deployments(tmp_path: Path) -> None:
    names = {deployment_name(Job(results=str(tmp_path / name)), "nightly") for name in ("a", "b")}
    assert len(names) == 2
    assert all(name.startswith("nightly-") for name in names)


def test_a_schedule_is_served_once_at_a_time(tmp_path: Path) -> None:
    with only_here(tmp_path, "nightly"):
        with pytest.raises(BusyError, match="the schedule nightly is served already"), only_here(tmp_path, "nightly"):
            pass
        with only_here(tmp_path, "hourly"):
            pass
    with only_here(tmp_path, "nightly"):
        pass
