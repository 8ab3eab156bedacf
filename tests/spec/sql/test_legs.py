"""A target that takes turns is idle between its legs, and no rate counts that time."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchbook.history import ask
from tests.spec.sql.stored import Stored, run_row, trial_row


def test_rates_are_over_the_legs_and_not_over_the_waiting_between_them(tmp_path: Path) -> None:
    stored = Stored()
    stored.rows["runs"].append(run_row("r"))
    for number in range(20):
        leg, place = divmod(number, 10)
        start = (leg * 60 + place) * 1_000_000_000
        turn = {"block": 0, "block_place": (0, 3)[leg], "ttft_ms": 100.0, "tokens_out": 5}
        row = trial_row("r", number, started_ns=start, ended_ns=start + 1_000_000_000, **turn)
        stored.rows["trials"].append(row)
        call = {name: row[name] for name in ("run_id", "trial_id", "target", "phase", "wall_offset_ns", "tokens_out")}
        call |= {"call_id": f"{number}", "turn": 1, "attempt": 1, "sent_ns": start, "closed_ns": start + 10**9}
        stored.rows["calls"].append(call)
    stored.write(tmp_path)
    (row,) = ask("throughput", tmp_path)
    assert (row["window_s"], row["trials_per_s"], row["tokens_per_s"]) == (20, 1, 5)
    assert (row["sessions"], row["mean_in_flight"], row["attempted"]) == (1, pytest.approx(1), 20)
    (good,) = ask("goodput", tmp_path, slos={"ttft_ms": 200})
    assert (good["window_s"], good["goodput_per_s"]) == (20, 1)
