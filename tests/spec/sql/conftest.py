"""Two generated histories, written once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.spec.sql.stored import Stored, generated

SEEDS = (1, 2)


@pytest.fixture(scope="module", params=SEEDS)
def history(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Stored, Path]:
    stored = generated(request.param)
    return stored, stored.write(tmp_path_factory.mktemp("history") / "results")
