"""The question about conversations' turns against a slow plain answer."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from benchbook.history import ask
from benchbook.stats.quantiles import interpolated, quantile
from tests.spec.sql.plain import same
from tests.spec.sql.stored import Row, Stored, generated, grouped


def turns(stored: Stored) -> list[Row]:
    of = {(row["run_id"], row["trial_id"]): row["workload"] for row in stored.rows["trials"]}
    calls = [
        {**call, "workload": of[call["run_id"], call["trial_id"]]}
        for call in stored.rows["calls"]
        if call["phase"] == "measured"
    ]
    return [answer(key, own) for key, own in sorted(grouped(calls, "run_id", "target", "workload", "turn").items())]


def answer(key: tuple[str, str, str, int], calls: list[Row]) -> Row:
    good = [call for call in calls if call["error_kind"] is None]
    values = sorted(call["ttft_ms"] for call in good if call["ttft_ms"] is not None)
    both = [call for call in good if call["tokens_in"] is not None and call["tokens_cached"] is not None]
    made: Row = dict(zip(("run_id", "target", "workload", "turn"), key, strict=True))
    made |= {"attempts": len(calls), "failed": len(calls) - len(good), "answered": len(good), "ttft_ms_n": len(values)}
    for name, q in (("p50", 0.5), ("p95", 0.95)):
        found = quantile(values, q)
        made |= {f"ttft_ms_{name}": found.value, f"ttft_ms_{name}_low": found.low, f"ttft_ms_{name}_high": found.high}
        made[f"ttft_ms_{name}_refused"] = found.refused
    ends = sorted(call["e2e_ms"] for call in good if call["e2e_ms"] is not None)
    made["e2e_ms_median"] = interpolated(ends, 0.5) if ends else None
    for name in ("tokens_in", "tokens_out"):
        counted = [call[name] for call in good if call[name] is not None]
        made[f"{name}_mean"] = math.fsum(counted) / len(counted) if counted else None
    whole = sum(call["tokens_in"] for call in both)
    made["cached_share"] = sum(call["tokens_cached"] for call in both) / whole if whole else None
    return made


@pytest.mark.parametrize("seed", [1, 2])
def test_turns(tmp_path: Path, seed: int) -> None:
    stored = generated(seed)
    for number, call in enumerate(stored.rows["calls"]):
        call["tokens_cached"] = (None, 0, 40)[number % 3]
    expected = turns(stored)
    found = ask("turns", stored.write(tmp_path / "results"))
    same(found, expected)
    assert all(row.keys() == wanted.keys() for row, wanted in zip(found, expected, strict=True))
    assert {row["turn"] for row in found} == {1, 2}
    assert any(row["cached_share"] for row in found)
