"""Which Prefect server is spoken to, and what is said where there is none."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchbook.errors import BenchbookError, UserError
from flows.server import configured_api, quiet_environment, some_server


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No server chosen, an empty home and folder; whatever a test sets is undone."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        del os.environ[name]
    os.environ["PREFECT_HOME"] = str(tmp_path / "home")
    monkeypatch.chdir(tmp_path)
    yield
    os.environ.clear()
    os.environ.update(before)


def test_nothing_phones_home_and_the_terminal_is_quiet() -> None:
    os.environ.pop("DO_NOT_TRACK", None)
    quiet_environment()
    assert os.environ["DO_NOT_TRACK"] == "1"
    assert os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] == "CRITICAL"


def test_a_user_who_asks_for_prefects_log_gets_it() -> None:
    os.environ["PREFECT_LOGGING_LEVEL"] = "DEBUG"
    quiet_environment()
    assert "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL" not in os.environ


def test_no_server_is_chosen_where_nothing_names_one() -> None:
    assert configured_api() is None


def test_the_environment_names_a_server() -> None:
    os.environ["PREFECT_API_URL"] = "http://127.0.0.1:4200/api"
    assert configured_api() == "http://127.0.0.1:4200/api"


def test_a_profile_names_a_server(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "profiles.toml").write_text('active = "x"\n[profiles.x]\nPREFECT_API_URL = "http://127.0.0.1:1/api"\n')
    command = [sys.executable, "-c", "from flows.server import configured_api; print(configured_api())"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "http://127.0.0.1:1/api\n"


def test_a_chosen_server_that_does_not_answer_is_the_users_to_mend() -> None:
    os.environ["PREFECT_API_URL"] = "http://127.0.0.1:9/api"
    with some_server(print) as address, pytest.raises(UserError, match="no Prefect server answers there"):
        address()


def test_a_server_that_does_not_come_up_leaves_its_last_words() -> None:
    os.environ["PREFECT_API_REQUEST_TIMEOUT"] = "soon"
    with some_server(print) as address, pytest.raises(BenchbookError, match=r"did not come up .* unable to parse"):
        address()
