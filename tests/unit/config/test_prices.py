"""Price files, and what is said of prices before a run."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from benchbook.config.prices import age_days, price_notes, read_prices
from benchbook.errors import PlanError
from tests.conftest import Bench

ON = date(2026, 11, 21)


@pytest.mark.parametrize(
    ("said", "days"),
    [("2026-11-20", 1), ("2026-11", 20), ("2025-11-21", 365), ("Nov 2026", None), ("2026-13", None), (None, None)],
)
def test_age(said: str | None, days: int | None) -> None:
    assert age_days(said, ON) == days


def test_what_is_told_before_a_run(tmp_path: Path) -> None:
    prices = tmp_path / "p.yaml"
    prices.write_text("date: 2026-11-01\nprices:\n  whole: {input: 1, output: 2}\n  half: {input: 1}\n")
    (tmp_path / "old.yaml").write_text("date: 2026-05-01\nprices:\n  whole: {input: 1, output: 2}\n")
    (tmp_path / "none.yaml").write_text("date: soon\nprices:\n  whole: {input: 1, output: 2}\n")
    bench = Bench(tmp_path)
    given = {"a": f"{prices}#whole", "b": f"{prices}#half", "c": None}
    given |= {"d": f"{tmp_path}/old.yaml#whole", "e": f"{tmp_path}/none.yaml#whole"}
    targets = [{"name": name, "provider": "openai", "model": "m", "price": price} for name, price in given.items()]
    bench.execute = {"targets": targets}
    notes = list(price_notes(bench.job().spec(), ON))
    assert [note.split(":")[0] for note in notes] == [
        "no price for c",
        "the price of b has no output price",
        "the price of d is of 2026-05-01, 204 days old",
        "the price of e bears no date that can be read ('soon')",
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "no price file"),
        ("[1, 2]", "no date and prices"),
        ("date: 2026-11-01", "no date and prices"),
        ("date: 2026-11-01\nprices: {a: {input: dear}}", "not a price file"),
        ("date: 2026-11-01\nprices: {a: {input: -1}}", "no amount of money"),
        ("date: 2026-11-01\nprices: {a: 3}", "not a price file"),
        ("a: [", "not a price file"),
    ],
)
def test_price_files_that_are_none(tmp_path: Path, text: str | None, why: str) -> None:
    path = tmp_path / "p.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(PlanError, match=why) as caught:
        read_prices(path)
    assert "\n" not in str(caught.value)
