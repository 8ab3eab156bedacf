"""From stored rows to the definition matrix: what is read where, and the verb that prints it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from benchbook.cli.definitions import command
from benchbook.errors import QueryError
from benchbook.history.definitions import definitions
from benchbook.measure.definitions import RELEASES
from tests.spec.sql.stored import Row, Stored, run_row, trial_row

MS = 1_000_000
EVENTS = (
    (
        b'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n'
        b'data: {"choices":[{"delta":{"content":""}}]}\n\n'
    ),
    b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n',
    b'data: {"choices":[{"delta":{"content":"b"}}]}\n\ndata: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n',
    b'data: {"choices":[],"usage":{"completion_tokens":2}}\n\n: still here\n\ndata: [DONE]\n\n',
)
AT_MS = (30, 50, 70, 90)


def _stored(**call: Any) -> Stored:
    """One trial: taken up at 0, connected 2 to 10 ms, sent at 10 ms, answered; and one of another workload."""
    stored = Stored()
    stored.rows["runs"].append(run_row("r1"))
    trial = trial_row("r1", 0, started_ns=0, ended_ns=110 * MS, ttft_ms=50.0, e2e_ms=70.0)
    stored.rows["trials"] += [trial, trial_row("r1", 1, workload="agent")]
    row: Row = {"run_id": "r1", "trial_id": "t0000", "call_id": "t0000-1", "attempt": 1, "target": "alpha"}
    row |= {"phase": "measured", "streamed": True, "taken_up_ns": 0, "sent_ns": 10 * MS, "closed_ns": 110 * MS}
    row |= {"connect_ms": 8.0, "chunk_offsets_us": [50_000, 70_000], "chunk_sizes": [1, 1], "tokens_out": 2}
    row |= {"chunk_kinds": ["text", "text"], "wall_offset_ns": 0, **call}
    stored.rows["calls"].append(row)
    answer = {"run_id": "r1", "trial_id": "t0000", "call_id": "t0000-1", "attempt": 1, "body": b"".join(EVENTS)}
    pieces = {"piece_offsets_us": [1000 * at for at in AT_MS], "piece_sizes": [len(event) for event in EVENTS]}
    stored.rows["responses"].append({**answer, **pieces})
    return stored


def _value(rows: list[Row], tool: str, quantity: str, statistic: str = "mean") -> float | None:
    found = [r for r in rows if (r["tool"], r["quantity"], r["statistic"]) == (tool, quantity, statistic)]
    assert len(found) == 1
    return found[0]["value"]  # type: ignore[no-any-return]


def test_token_events_are_found_in_the_body_and_set_up_is_inside_most_clocks(tmp_path: Path) -> None:
    rows = definitions(_stored().write(tmp_path), "r1")
    assert _value(rows, "vllm", "first_token_ms") == 38  # 30 after the dispatch, 8 of set-up
    assert _value(rows, "vllm", "gap_ms") == 20  # the role is no token, the empty text after it is one
    assert _value(rows, "aiperf", "first_token_ms") == 58
    assert _value(rows, "aiperf", "gap_ms") == 20
    assert _value(rows, "guidellm", "first_token_ms") == 50
    assert _value(rows, "guidellm", "end_to_end_ms") == 100
    assert _value(rows, "benchbook", "first_token_ms") == 50
    assert _value(rows, "benchbook", "requests_per_s", "rate") is not None


def test_a_connection_that_was_warmed_ahead_costs_nobody_anything(tmp_path: Path) -> None:
    rows = definitions(_stored(connect_ms=30.0).write(tmp_path), "r1")
    assert _value(rows, "aiperf", "first_token_ms") == 50


def test_without_a_body_it_says_what_stands_in(tmp_path: Path) -> None:
    stored = _stored()
    stored.rows["responses"].clear()
    rows = definitions(stored.write(tmp_path), "r1")
    assert _value(rows, "vllm", "first_token_ms") == 58
    assert {row["note"] for row in rows if (row["tool"], row["quantity"]) == ("vllm", "first_token_ms")} == {
        "content chunks stand in for token events"
    }


def test_an_attempt_that_was_never_sent_is_a_failed_request(tmp_path: Path) -> None:
    stored = _stored(sent_ns=None, chunk_offsets_us=None, error_kind="refused")
    rows = definitions(stored.write(tmp_path), "r1")
    assert _value(rows, "aiperf", "first_token_ms") is None
    assert _value(rows, "guidellm", "requests_per_s", "rate") == pytest.approx(1 / 0.11)
    assert _value(rows, "guidellm", "goodput_share", "share") == 0


def test_a_run_without_bare_calls_is_refused(tmp_path: Path) -> None:
    stored = _stored()
    stored.rows["trials"] = stored.rows["trials"][1:]
    with pytest.raises(QueryError, match="workload api"):
        definitions(stored.write(tmp_path), "r1")


def test_the_verb_prints_a_table_csv_and_json(tmp_path: Path) -> None:
    results = str(_stored().write(tmp_path))
    (tmp_path / "journal" / "r1").mkdir(parents=True)

    def printed(*words: str) -> str:
        done = CliRunner().invoke(command, ["r1", "--results", results, *words], catch_exceptions=False)
        assert done.exit_code == 0
        return done.stdout

    table = printed("--formulas")
    line = next(line for line in table.splitlines() if line.startswith("first_token_ms"))
    assert line.split() == ["first_token_ms", "mean", "50", "50", "58", "38", "58", "58"]
    assert "vllm/benchmarks/serve.py" in table
    for name, release in RELEASES.items():
        assert f"\n{name} {release}: " in table
    rows = json.loads(printed("--json"))
    assert next(iter(csv.DictReader(io.StringIO(printed("--format", "csv")))))["value"] == str(rows[0]["value"])
    assert [row["name"] for row in json.loads(printed("--format", "json", "--slo", "e2e_ms=9"))] == [
        row["name"] for row in rows
    ]


def test_the_limits_of_goodput_are_the_plans_own_unless_others_are_given(tmp_path: Path) -> None:
    stored = _stored()
    stored.rows["runs"][0]["plan"] = json.dumps({"sections": {"aggregate": {"slos": {"ttft_ms": 40}}}})
    results = str(stored.write(tmp_path))
    (tmp_path / "journal" / "r1").mkdir(parents=True)

    def share(*words: str) -> tuple[float, str]:
        done = CliRunner().invoke(command, ["r1", "--results", results, "--json", *words], catch_exceptions=False)
        rows = [row for row in json.loads(done.stdout) if row["quantity"] == "goodput_share"]
        assert {row["limits"] for row in rows} == {rows[0]["limits"]}
        return next(row["value"] for row in rows if row["tool"] == "aiperf"), rows[0]["limits"]

    assert share() == (0, "ttft_ms <= 40")  # 58 ms
    assert share("--slo", "ttft_ms=60") == (1, "ttft_ms <= 60")


def test_answers_without_a_token_count_make_our_token_rate_a_lower_bound(tmp_path: Path) -> None:
    stored = _stored()
    second = {"trial_id": "t0002", "call_id": "t0002-1", "tokens_out": None}
    stored.rows["trials"].append(trial_row("r1", 2, started_ns=0, ended_ns=110 * MS))
    stored.rows["calls"].append({**stored.rows["calls"][0], **second})
    results = str(stored.write(tmp_path))
    rows = [r for r in definitions(results, "r1") if r["quantity"] == "output_tokens_per_s"]
    assert {r["tool"]: r["value"] is not None for r in rows} == {
        **dict.fromkeys(("benchbook", "guidellm"), True),
        **dict.fromkeys(("aiperf", "vllm", "llmeter", "inference-perf"), False),
    }
    assert rows[0]["note"] == "a lower bound: answers without a token count: 1"
    (tmp_path / "journal" / "r1").mkdir(parents=True)
    table = CliRunner().invoke(command, ["r1", "--results", results], catch_exceptions=False).stdout
    line = next(line for line in table.splitlines() if line.startswith("output_tokens_per_s"))
    assert "\N{GREATER-THAN OR EQUAL TO} 18.2" in line  # 2 tokens in 0.11 s


def test_a_target_that_took_turns_has_no_rate_of_a_tool(tmp_path: Path) -> None:
    stored = _stored()
    for place in (0, 3):
        trial = trial_row("r1", 2 + place, started_ns=0, ended_ns=110 * MS, block=0, block_place=place)
        stored.rows["trials"].append(trial)
        own = {"trial_id": trial["trial_id"], "call_id": f"{trial['trial_id']}-1"}
        stored.rows["calls"].append({**stored.rows["calls"][0], **own})
    del stored.rows["trials"][0]
    rates = [r for r in definitions(stored.write(tmp_path), "r1") if r["statistic"] == "rate"]
    assert {r["tool"] for r in rates if r["value"] is not None} == {"benchbook"}
    assert all("took turns" in r["note"] for r in rates if r["tool"] != "benchbook")
