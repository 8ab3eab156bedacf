"""The questions about agents against slow plain answers over random trees of spans."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from benchbook.history import ask
from benchbook.stats.proportions import wilson
from benchbook.stats.quantiles import quantile
from tests.spec.sql.agents import agents_history, detail
from tests.spec.sql.plain import in_order, same
from tests.spec.sql.stored import Row, Stored, grouped


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> tuple[Stored, Path]:
    stored = agents_history(4)
    return stored, stored.write(tmp_path_factory.mktemp("agents") / "results")


def test_timeline(agents: tuple[Stored, Path]) -> None:
    stored, results = agents
    trial = next(
        row for row in stored.rows["trials"] if row["workload"] == "multi_agent" and row["status"] == "success"
    )
    spans = [row for row in stored.rows["spans"] if row["trial_id"] == trial["trial_id"]]
    expected: list[Row] = []
    for span in sorted(spans, key=lambda row: (row["started_ns"], -row["ended_ns"], row["span_id"])):
        row = {name: trial[name] for name in ("run_id", "trial_id", "team", "wall_ms", "orchestration_ms", "score")}
        row |= {**span, "trial_status": "success", "starts_ms": (span["started_ns"] - trial["started_ns"]) / 1e6}
        expected.append(row | {"attempt": detail(span)["attempt"], "tokens_out": None})
    same(ask("timeline", results, trial=trial["trial_id"][:8]), expected)
    assert len(expected) > 3


def test_timeline_of_a_trial_that_was_not_started_and_of_none(agents: tuple[Stored, Path]) -> None:
    stored, results = agents
    skipped = next(row for row in stored.rows["trials"] if row["status"] == "skipped")
    (row,) = ask("timeline", results, trial=skipped["trial_id"])
    assert (row["trial_status"], row["span_id"], row["wall_ms"]) == ("skipped", None, None)
    assert ask("timeline", results) == []


GROUP = ("run_id", "target", "workload", "team")
PARTS = ("model_ms", "tool_ms", "human_wait_ms", "rate_limit_wait_ms", "orchestration_ms")


def good(stored: Stored) -> list[Row]:
    return stored.measured(status="success")


def steps(stored: Stored, trials: list[Row], kind: str | None = None) -> list[Row]:
    """Spans of these trials, each with its trial's facts under their own names."""
    of = {row["trial_id"]: row for row in trials}
    return [
        {**{name: of[row["trial_id"]][name] for name in (*GROUP, "wall_ms")}, **row}
        for row in stored.rows["spans"]
        if row["trial_id"] in of and kind in (None, row["kind"])
    ]


def total(rows: list[Row], name: str) -> float:
    return math.fsum(row[name] for row in rows)


def named(names: tuple[str, ...], key: tuple[Any, ...]) -> Row:
    return dict(zip(names, key, strict=True))


def times(values: list[float]) -> Row:
    made: Row = {"ms_min": min(values, default=None), "ms_max": max(values, default=None)}
    for name, q in (("p50", 0.5), ("p95", 0.95)):
        found = quantile(values, q)
        made |= {f"ms_{name}": found.value, f"ms_{name}_low": found.low, f"ms_{name}_high": found.high}
        made[f"ms_{name}_refused"] = found.refused
    return made


def checked(question: str, results: Path, expected: list[Row]) -> list[Row]:
    found = ask(question, results)
    same(found, expected)
    assert all(row.keys() == wanted.keys() for row, wanted in zip(found, expected, strict=True))
    return found


def test_agent_breakdown(agents: tuple[Stored, Path]) -> None:
    stored, results = agents
    expected = []
    for key, rows in in_order(good(stored), *GROUP):
        sums = {name: sum(round(row[name] * 1e6) for row in rows) / 1e6 for name in ("wall_ms", *PARTS)}
        made = {**named(GROUP, key), "n": len(rows), "without_split": 0, **sums, "exact": True}
        made |= {f"{name[:-3]}_share": sums[name] / sums["wall_ms"] for name in PARTS}
        handed = [row["handoff_ms"] for row in rows if row["handoff_ms"] is not None]
        made |= {"handoff_ms": math.fsum(handed) if handed else None}
        made |= {name: total(rows, name) for name in ("effort_ms", "critical_path_ms")}
        made["parallel_speedup"] = made["effort_ms"] / made["wall_ms"]
        counts = ("calls", "tool_calls", "tool_rounds", "handoffs")
        expected.append(made | {f"{name}_mean": total(rows, name) / len(rows) for name in counts})
    found = checked("agent_breakdown", results, expected)
    for row in found:  # the law of the breakdown, on what is printed
        assert sum(round(row[name] * 1e6) for name in PARTS) == round(row["wall_ms"] * 1e6)


def test_agent_breakdown_says_what_has_no_split(tmp_path: Path) -> None:
    stored = agents_history(5, cases=2, repetitions=1)
    broken = next(row for row in good(stored) if row["workload"] == "agent")
    broken |= dict.fromkeys((*PARTS, "effort_ms", "critical_path_ms", "handoff_ms"))
    of = {row["workload"]: row for row in ask("agent_breakdown", stored.write(tmp_path / "r")) if row["without_split"]}
    assert (of["agent"]["without_split"], of["agent"]["exact"] in (True, None)) == (1, True)


def test_critical_path(agents: tuple[Stored, Path]) -> None:
    stored, results = agents
    every = [row for row in steps(stored, good(stored)) if row["critical_ms"] is not None]
    whole = {key: total(rows, "critical_ms") for key, rows in grouped(every, *GROUP).items()}
    names = (*GROUP, "agent", "kind", "name")
    expected = []
    for key, rows in grouped(every, *names).items():
        on = [row for row in rows if row["critical_ms"] > 0]
        made = {**named(names, key), "n": len(rows), "n_critical": len(on)}
        made |= {"trials": len({row["trial_id"] for row in on}), "critical_ms": total(rows, "critical_ms")}
        made["slack_ms"] = total(rows, "own_ms") - made["critical_ms"]
        expected.append(made | {"share": made["critical_ms"] / whole[key[:4]] if whole[key[:4]] else None})
    order: Callable[[Row], tuple[Any, ...]] = lambda row: (  # noqa: E731
        *(row[name] for name in GROUP), -row["critical_ms"], row["agent"], row["kind"], row["name"]
    )  # fmt: skip
    checked("critical_path", results, sorted(expected, key=order))


def test_handoffs(agents: tuple[Stored, Path]) -> None:
    stored, results = agents
    names = (*GROUP, "from_agent", "to_agent")
    handed = [
        {**row, "from_agent": row["agent"], "to_agent": row["name"]}
        for row in steps(stored, stored.measured(), "handoff")
    ]
    expected = []
    for key, rows in in_order(handed, *names):
        values = [row["duration_ms"] for row in rows]
        made = {**named(names, key), "n": len(rows), "trials": len({row["trial_id"] for row in rows})}
        made |= {"failed": sum(row["status"] != "ok" for row in rows), "ms_sum": math.fsum(values), **times(values)}
        expected.append(made)
    checked("handoffs", results, expected)
    assert any(row["ms_p50"] for row in expected)


def test_tool_latency(agents: tuple[Stored, Path]) -> None:
    stored, results = agents
    names = ("run_id", "workload", "tool")
    expected = []
    for key, rows in in_order(
        [{**row, "tool": row["name"]} for row in steps(stored, stored.measured(), "tool")], *names
    ):
        fine = [row["duration_ms"] for row in rows if row["status"] == "ok"]
        walls = {row["trial_id"]: row["wall_ms"] for row in rows}
        failed, cut = (sum(row["status"] == status for row in rows) for status in ("error", "cancelled"))
        share = wilson(failed, len(rows) - cut)
        made = {**named(names, key), "uses": len(rows), "trials": len(walls), "failed": failed, "cancelled": cut}
        made |= {"failure_share": share.share, "failure_share_low": share.low, "failure_share_high": share.high}
        spent = total(rows, "duration_ms")
        made |= {"ms_sum": spent, "share": spent / math.fsum(walls.values()), "n": len(fine), **times(fine)}
        expected.append(made)
    checked("tool_latency", results, expected)
    assert {row["ms_p95"] is None for row in expected} == {True, False}
    assert any(row["cancelled"] for row in expected)


def test_cost_per_solved_task(agents: tuple[Stored, Path]) -> None:
    stored, results = agents
    expected = []
    for key, rows in in_order([row for row in stored.measured() if row["status"] != "skipped"], *GROUP):
        solved = [row for row in rows if row["score"] == 1]
        rest = [row for row in rows if row["score"] != 1]
        failed = [row for row in rows if row["status"] != "success"]
        share = wilson(len(solved), len(rows))
        unknown = sum(row["cost_usd"] is None for row in rows)
        made = {**named(GROUP, key), "attempted": len(rows), "solved": len(solved), "failed": len(failed)}
        made |= {"wrong": len(rest) - len(failed), "trials_without_cost": unknown, "solved_share": share.share}
        made |= {"solved_share_low": share.low, "solved_share_high": share.high}
        made |= {"cost_usd": None if unknown else total(rows, "cost_usd")}
        made |= {"cost_usd_unsolved": None if unknown else total(rest, "cost_usd")}
        made |= {"cost_usd_per_solved": None if unknown else total(rows, "cost_usd") / len(solved)}
        made |= {"wall_ms_per_solved": total(rows, "wall_ms") / len(solved)}
        made["refused"] = f"the cost of {unknown} trials is unknown" if unknown else None
        expected.append(made)
    checked("cost_per_solved_task", results, expected)


def test_cost_per_solved_task_where_nothing_is_solved(tmp_path: Path) -> None:
    stored = agents_history(5, cases=2, repetitions=1)
    for row in stored.rows["scores"]:
        row["passed"] = False
    for row in ask("cost_per_solved_task", stored.write(tmp_path / "r")):
        assert (row["cost_usd_per_solved"], row["refused"]) == (None, "no task was solved")


LAYERS = ("api", "agent", "multi_agent", "workflow")


def test_layer_overhead(agents: tuple[Stored, Path]) -> None:
    stored, results = agents
    sides = {
        key: {case: layer_case(rows) for (_, case), rows in grouped(own, "dataset", "test_id").items()}
        for key, own in grouped(good(stored), *GROUP).items()
    }
    expected = []
    for run, target, workload, team in sorted(sides, key=lambda key: (*key[:2], LAYERS.index(key[2]), key[3])):
        lower = [key for key in sides if key[:2] == (run, target) and LAYERS.index(key[2]) < LAYERS.index(workload)]
        nearest = max((LAYERS.index(key[2]) for key in lower), default=None)
        for key in sorted(lower, key=lambda key: (LAYERS.index(key[2]), key[3])):
            upper, under = sides[run, target, workload, team], sides[key]
            both = [(upper[case], under[case]) for case in upper if case in under]
            made = {**named(GROUP, (run, target, workload, team)), "over_workload": key[2], "over_team": key[3]}
            made |= {"next_below": LAYERS.index(key[2]) == nearest, **added(both)}
            expected.append(made)
    found = checked("layer_overhead", results, expected)
    assert {row["next_below"] for row in found} == {True, False}
    for row in found:  # what is added to the parts is what is added to the whole
        parts = math.fsum(row[name.replace("_ms", "_ms_added")] for name in PARTS)
        assert parts == pytest.approx(row["wall_ms_added"], abs=1e-6)


def layer_case(rows: list[Row]) -> Row:
    made: Row = {"n": len(rows)}
    for name in ("wall_ms", *PARTS, "calls", "tokens_in", "tokens_out", "cost_usd"):
        values = [row[name] for row in rows]
        made[name] = None if None in values else math.fsum(values) / len(values)
    return made


def added(both: list[tuple[Row, Row]]) -> Row:
    walls = [upper["wall_ms"] - lower["wall_ms"] for upper, lower in both]
    mean, size = math.fsum(walls) / len(walls), len(walls)
    made: Row = {
        "cases": size,
        "n": sum(upper["n"] for upper, _ in both),
        "over_n": sum(lower["n"] for _, lower in both),
    }
    made |= {"wall_ms": statistics.fmean(upper["wall_ms"] for upper, _ in both)}
    made |= {"over_wall_ms": statistics.fmean(lower["wall_ms"] for _, lower in both), "wall_ms_added": mean}
    made["wall_ratio"] = made["wall_ms"] / made["over_wall_ms"]
    half = float(stats.t.ppf(0.975, size - 1)) * statistics.stdev(walls) / math.sqrt(size)
    made |= {"wall_ms_added_low": pytest.approx(mean - half, rel=1e-3, abs=1)}
    made |= {"wall_ms_added_high": pytest.approx(mean + half, rel=1e-3, abs=1)}
    for name in (*PARTS, "calls", "tokens_in", "tokens_out", "cost_usd"):
        values = [(upper[name], lower[name]) for upper, lower in both]
        known = all(None not in pair for pair in values)
        made[f"{name}_added"] = math.fsum(a - b for a, b in values) / size if known else None
    return made | {"refused": None}


def test_layer_overhead_of_few_cases_has_no_interval(tmp_path: Path) -> None:
    stored = agents_history(5, cases=2, repetitions=4)
    rows = ask("layer_overhead", stored.write(tmp_path / "r"))
    assert {row["refused"] for row in rows} == {"an interval needs 6 test cases, has 2"}
    assert {row["wall_ms_added_low"] for row in rows} == {None}
    assert all(row["wall_ms_added"] is not None for row in rows)


def test_agent_summary(agents: tuple[Stored, Path]) -> None:
    stored, results = agents
    split = {tuple(row[name] for name in GROUP): row for row in ask("agent_breakdown", results)}
    dependable = {
        tuple(row[name] for name in GROUP): row for row in ask("pass_k", results) if row["pass_hat_k"] is not None
    }
    expected = []
    for key, rows in in_order(stored.measured(), *GROUP):
        fine = [row for row in rows if row["status"] == "success"]
        failed, skipped = (sum(row["status"] == status for row in rows) for status in ("failure", "skipped"))
        made = {**named(GROUP, key), "attempted": len(rows) - skipped, "succeeded": len(fine), "failed": failed}
        made |= {"skipped": skipped, "timed_out": 0, "failure_share": failed / (len(rows) - skipped)}
        made |= {"score": statistics.fmean(row["score"] for row in fine), "scored": len(fine), "wall_ms_n": len(fine)}
        made |= {
            name.replace("ms_", "wall_ms_"): value for name, value in times([row["wall_ms"] for row in fine]).items()
        }
        del made["wall_ms_min"], made["wall_ms_max"]
        for name in ("tokens_in", "tokens_out"):
            made[f"{name}_mean"] = layer_case(fine)[name]
        costs = [row["cost_usd"] for row in rows if row["status"] != "skipped"]
        made["cost_usd"] = None if None in costs else math.fsum(costs)
        shared = (
            "model_share",
            "tool_share",
            "human_wait_share",
            "orchestration_share",
            "calls_mean",
            "tool_rounds_mean",
        )
        made |= {name: split[key][name] for name in (*shared, "parallel_speedup", "handoffs_mean")}
        made |= {"pass_k": dependable[key]["k"], "pass_cases": dependable[key]["cases"]}
        made |= {name: dependable[key][name] for name in ("pass_hat_k", "pass_hat_k_low", "pass_hat_k_high")}
        expected.append(made | {"verdict": "VALID", "model": "m"})
    expected.sort(key=lambda row: (row["run_id"], row["target"], LAYERS.index(row["workload"]), row["team"]))
    same(ask("agent_summary", results), expected)


def test_limits_of_single_calls_say_nothing_of_agents(agents: tuple[Stored, Path]) -> None:
    _, results = agents
    rows = ask("goodput", results, slos={"ttft_ms": 500.0})
    assert {row["workload"] for row in rows} > {"api", "agent"}
    for row in rows:
        numbers = [row[name] for name in ("good", "goodput_per_s", "good_share", "good_share_low", "good_share_high")]
        if row["workload"] == "api":
            assert row["refused"] is None
            assert None not in numbers
        else:
            assert numbers == [None] * 5
            assert "single calls" in row["refused"]
    unlimited = ask("goodput", results, slos={})
    assert all(row["good"] == row["succeeded"] and row["refused"] is None for row in unlimited)
