"""Questions about chunks against slow plain answers: gaps, stalls, pace, sizes, the first wave, and who was slow."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from benchbook.history import ask_many
from benchbook.stats.proportions import wilson
from benchbook.stats.quantiles import interpolated, needs
from tests.spec.sql.plain import in_order, same
from tests.spec.sql.stored import Row, Stored, grouped
from tests.spec.sql.streamed import MS, US, streamed

ASKED = ("chunk_gaps", "stalls", "stream_rate", "chunk_sizes", "first_wave", "backpressure")


@pytest.fixture(scope="module", params=(1, 2))
def answers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Stored, Mapping[str, Any]]:
    stored = streamed(request.param)
    return stored, ask_many(ASKED, stored.write(tmp_path_factory.mktemp("streams") / "results"))


def streams(stored: Stored, least: int) -> list[Row]:
    return [
        row
        for row in stored.rows["calls"]
        if row["phase"] == "measured" and row["error_kind"] is None and len(row["chunk_offsets_us"]) >= least
    ]


def gaps_us(call: Row) -> list[int]:
    return [later - earlier for earlier, later in pairwise(call["chunk_offsets_us"])]


def gated(values: list[float], q: float) -> tuple[float | None, str | None]:
    """The quantile, or why there is none."""
    if len(values) < needs(q):
        return None, f"needs {needs(q)}, has {len(values)}"
    return interpolated(sorted(values), q), None


def test_chunk_gaps(answers: tuple[Stored, Mapping[str, Any]]) -> None:
    stored, found = answers
    expected = []
    for (run, target), calls in in_order(streams(stored, 2), "run_id", "target"):
        gaps = [gap / 1e3 for call in calls for gap in gaps_us(call)]
        row = {"run_id": run, "target": target, "calls": len(calls), "n": len(gaps), "mean": statistics.fmean(gaps)}
        for name, q in (("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999)):
            row[name], row[f"{name}_refused"] = gated(gaps, q)
        expected.append(row | {"max": max(gaps), "same_arrival_share": gaps.count(0) / len(gaps)})
    same(found["chunk_gaps"], expected)
    assert {row["p99"] is None for row in expected} == {True, False}
    assert all(row["p999"] is None for row in expected)


def stalls_us(call: Row) -> list[tuple[int, int]]:
    """Start and end of each stall, in µs after the call was sent."""
    gaps = gaps_us(call)
    if len(gaps) < 2:
        return []
    edges = pairwise(call["chunk_offsets_us"])
    return [(a, b) for a, b in edges if b - a > 50_000 and b - a > 10 * statistics.median(gaps)]


def test_stalls(answers: tuple[Stored, Mapping[str, Any]]) -> None:
    stored, found = answers
    expected = []
    for (run, target), calls in in_order(streams(stored, 2), "run_id", "target"):
        stalled = [[b - a for a, b in stalls_us(call)] for call in calls]
        lengths = [gap for gaps in stalled for gap in gaps]
        share = wilson(sum(map(bool, stalled)), len(calls))
        row = {"run_id": run, "target": target, "calls": len(calls), "stalls": len(lengths)}
        row |= {"gaps": sum(len(gaps_us(call)) for call in calls), "stalled_calls": share.count}
        row |= {"stalled_calls_share_low": share.low, "stalled_calls_share_high": share.high}
        row |= {"stalled_ms": sum(lengths) / 1e3, "longest_ms": max(lengths) / 1e3 if lengths else None}
        expected.append(row | {"stalled_share": sum(lengths) / sum(sum(gaps_us(call)) for call in calls)})
    same(found["stalls"], expected)
    assert sum(row["stalls"] for row in expected) > 10


def test_stream_rate(answers: tuple[Stored, Mapping[str, Any]]) -> None:
    stored, found = answers
    expected = []
    told = [call for call in streams(stored, 11) if call.get("tokens_out") is not None]
    for (run, target), calls in in_order(told, "run_id", "target"):
        for tenth in range(1, 11):
            parts = [part for call in calls if (part := tenth_of(call, tenth))]
            tokens, time_us = math.fsum(part[0] for part in parts), sum(part[1] for part in parts)
            row = {"run_id": run, "target": target, "tenth": tenth, "calls": len(parts), "tokens": tokens}
            row |= {"time_ms": time_us / 1e3, "ends_ms": sum(part[2] for part in parts) / len(parts) / 1e3}
            expected.append(row | {"tokens_per_s": tokens / time_us * 1e6 if time_us else None})
    same(found["stream_rate"], expected)
    assert len(expected) == 40


def tenth_of(call: Row, tenth: int) -> tuple[float, int, int] | None:
    """Tokens, time and last stamp of the gaps that make up this tenth."""
    gaps, sizes = gaps_us(call), call["chunk_sizes"] if sum(call["chunk_sizes"]) else [1] * len(call["chunk_sizes"])
    places = [place for place in range(1, len(gaps) + 1) if math.ceil(10 * place / len(gaps)) == tenth]
    if not places:
        return None
    tokens = sum(sizes[place] for place in places) * (call["tokens_out"] / sum(sizes))
    return tokens, sum(gaps[place - 1] for place in places), call["chunk_offsets_us"][places[-1]]


def test_chunk_sizes(answers: tuple[Stored, Mapping[str, Any]]) -> None:
    stored, found = answers
    expected = []
    for (run, target), calls in in_order(streams(stored, 1), "run_id", "target"):
        for kind in ("reasoning", "text"):
            having = [call for call in calls if kind in call["chunk_kinds"]]
            chunks = [list(of_kind(call, kind)) for call in having]
            sizes = [size for of_call in chunks for size, _ in of_call]
            reads = sum(len({at for _, at in of_call}) for of_call in chunks)
            pure = [c for c in having if set(c["chunk_kinds"]) == {kind} and c.get("tokens_out") is not None]
            row = {"run_id": run, "target": target, "kind": kind, "calls": len(having), "n": len(sizes), "reads": reads}
            row |= {"chunks_per_read": len(sizes) / reads, "mean": statistics.fmean(sizes), "max": max(sizes)}
            row |= {name: gated(sizes, q)[0] for name, q in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))}
            tokens, told = sum(c["tokens_out"] for c in pure), sum(len(c["chunk_kinds"]) for c in pure)
            expected.append(row | {"tokens_per_chunk": tokens / told if told else None})
    same(found["chunk_sizes"], expected)
    assert any(row["chunks_per_read"] > 1 for row in expected)


def of_kind(call: Row, kind: str) -> Iterator[tuple[int, int]]:
    for size, at_us, seen in zip(call["chunk_sizes"], call["chunk_offsets_us"], call["chunk_kinds"], strict=True):
        if seen == kind:
            yield size, at_us


def test_first_wave(answers: tuple[Stored, Mapping[str, Any]]) -> None:
    stored, found = answers
    slots = {
        row["run_id"]: json.loads(row["plan"])["sections"]["execute"]["load"].get("concurrency")
        if row["plan"]
        else None
        for row in stored.rows["runs"]
    }
    told = []
    sent = [row for row in stored.rows["trials"] if row["status"] != "skipped"]
    for (run, _, _), rows in grouped(sent, "run_id", "target", "wall_offset_ns").items():
        rows.sort(key=lambda row: (row["started_ns"], row["position"]))
        first_end = min(row["ended_ns"] for row in rows)
        for place, row in enumerate(rows, 1):
            early = place <= slots[run] if slots[run] else row["started_ns"] <= first_end
            told.append({**row, "wave": "first" if early else "steady"})
    expected = []
    for key, rows in in_order([row for row in told if row["status"] == "success"], "run_id", "target", "wave"):
        for phase in ("warmup", "measured"):
            for metric in ("e2e_ms", "response_ms", "ttft_ms"):
                values = sorted(r[metric] for r in rows if r["phase"] == phase and r.get(metric) is not None)
                if values:
                    row = dict(zip(("run_id", "target", "wave"), key, strict=True)) | {"phase": phase, "metric": metric}
                    row |= {"n": len(values), "min": values[0], "mean": statistics.fmean(values)}
                    expected.append(row | dict(zip(("p50", "p50_refused"), gated(values, 0.5), strict=True)))
    same(found["first_wave"], expected)
    assert {(row["wave"], row["run_id"]) for row in expected} == {(w, r) for w in ("first", "steady") for r in slots}


def test_backpressure(answers: tuple[Stored, Mapping[str, Any]]) -> None:
    stored, found = answers
    measured = [row for row in stored.rows["calls"] if row["phase"] == "measured" and row["streamed"]]
    expected = []
    for (run, target), calls in in_order(measured, "run_id", "target"):
        stalled = [(call, a, b) for call in calls if call["error_kind"] is None for a, b in stalls_us(call)]
        whom = [(who_was_slow(stored, call, a, b), (b - a) / 1e3) for call, a, b in stalled]
        lags = [c["sent_ns"] - c["taken_up_ns"] for c in calls if c["attempt"] == 1 and not c["cold"]]
        row: Row = {"run_id": run, "target": target, "calls": len(calls), "stalls": len(stalled)}
        row |= {"harness_seconds": 4 if run == "r1" else 0, "dispatch_lag_ms_p50": gated(lags, 0.5)[0]}
        for name in ("one_answer", "target_wide", "nothing", "our_reader"):
            lengths = [length for said, length in whom if said == name]
            known = name != "our_reader" or run == "r1"
            row |= {name: len(lengths) if known else None, f"{name}_ms": math.fsum(lengths) if known else None}
        row["dispatch_lag_ms_p50"] = None if row["dispatch_lag_ms_p50"] is None else row["dispatch_lag_ms_p50"] / MS
        expected.append(row | {"dispatch_lag_n": len(lags)})
    same(
        found["backpressure"],
        [{k: float(v) if k.endswith("_ms") and v is not None else v for k, v in r.items()} for r in expected],
    )
    for name in ("one_answer", "target_wide", "nothing", "our_reader"):
        assert sum(row[name] or 0 for row in expected), name


def who_was_slow(stored: Stored, call: Row, from_us: int, to_us: int) -> str:
    from_ns, to_ns = call["sent_ns"] + from_us * US, call["sent_ns"] + to_us * US
    session = (call["run_id"], call["wall_offset_ns"])
    for event in stored.rows["events"]:
        late_ms = json.loads(event["detail"])["loop_lag_max_ms"]
        overlaps = event["at_ns"] - 500 * MS < to_ns and event["at_ns"] > from_ns
        if (event["run_id"], event["wall_offset_ns"]) == session and overlaps and late_ms * MS >= (to_ns - from_ns) / 2:
            return "our_reader"
    tenth = (to_ns - from_ns) // 10
    heard = {
        other["target"]
        for other in stored.rows["calls"]
        if (other["run_id"], other["wall_offset_ns"]) == session and other["streamed"]
        for at_us in other["chunk_offsets_us"]
        if from_ns + tenth <= other["sent_ns"] + at_us * US <= to_ns - tenth
    }
    return "one_answer" if call["target"] in heard else "target_wide" if heard else "nothing"


def test_without_any_stream_there_is_no_answer(tmp_path: Path) -> None:
    stored = Stored()
    stored.rows["runs"] = streamed(1, trials=0).rows["runs"]
    assert not any(ask_many(ASKED, stored.write(tmp_path)).values())
