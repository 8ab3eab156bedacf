"""What the thin tasks add to their stages: which failures are tried again, progress, links."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.logging import disable_run_logger
from prefect.states import Failed

from benchbook.errors import DatasetError, RecordError, StorageError
from benchbook.stages import Reported
from tasks.execute import Seen
from tasks.live import Watcher, unless_unreachable, watched_by, watcher
from tasks.report import links
from tasks.retries import worth_another_try

TRIED_AGAIN: list[tuple[Exception, bool]] = [
    (OSError(5, "input/output error"), True),
    (DatasetError("d.json", "is empty"), False),
    (StorageError("results", "can't be written"), False),
    (RecordError("contradicts itself"), False),
    (TypeError("a defect"), False),
]


@pytest.mark.parametrize(("error", "again"), TRIED_AGAIN)
def test_only_the_file_systems_failures_are_tried_again(error: Exception, again: bool) -> None:
    assert worth_another_try(None, None, Failed(data=error)) is again


def test_progress_is_a_share_and_is_handed_on() -> None:
    came: list[Any] = []
    with watched_by(Watcher(on_progress=came.append)):
        seen = Seen()
        assert seen.percent == 0.0
        seen({"done": 3, "planned": 12})
    assert seen.percent == 25.0
    assert came == [{"done": 3, "planned": 12}]


def test_a_watcher_watches_no_longer_than_its_block() -> None:
    chosen = Watcher()
    with watched_by(chosen):
        assert watcher() is chosen
    assert watcher() is not chosen


def test_a_server_that_is_gone_costs_a_picture_and_no_run() -> None:
    with disable_run_logger():
        with unless_unreachable("progress"):
            raise httpx.ConnectError("gone")
        with pytest.raises(TypeError), unless_unreachable("progress"):
            raise TypeError


def test_links_work_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = links(Reported("20260101T000000Z-abcdef", {"html": "results/report/r/report.html"}))
    assert f"- [html]({(tmp_path / 'results/report/r/report.html').as_uri()})" in text
    assert "20260101T000000Z-abcdef" in text
