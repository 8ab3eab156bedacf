"""A run in the terminal: the comparison of its targets, what failed, its verdict, and where everything lies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchbook.history.alike import older_alike
from benchbook.records import TEAM_WORKLOADS
from benchbook.reports.agents import agents
from benchbook.reports.attempts import attempt_lines, stall_lines
from benchbook.reports.gather import RunView, gather
from benchbook.reports.targets import targets
from benchbook.reports.terminal import show_grid, show_lines, show_words, width
from benchbook.reports.words import bound, counts, number, plus_minus, seconds, share, token_rate
from benchbook.results.paths import as_option, report_folder
from benchbook.results.runs import runs

_VERDICT_STYLES = {"VALID": "bold green", "DEGRADED": "bold yellow", "INVALID": "bold red"}
_ENDED = {"budget": "; its budget was spent", "interrupted": "; interrupted", "crashed": "; it was killed"}
"""Why the rest was not started."""
SPLIT_SAID = (
    "wall time and its split of measured trials that succeeded: model █, tools ▒, person ░, waits ·, "
    "rest ─ (orchestration); pass^k: all of k repetitions pass, with a 95 % interval over test cases"
)
_ERRORS_SHOWN = 8
_KINDS_SHOWN = 3


def print_run(results: str, run_id: str, *, brief: bool = False) -> None:
    """Print one run. brief: the verdict line alone. Raises UnknownRunError."""
    view = gather(results, run_id)
    if brief:
        show_words(*_verdict(view))
    else:
        print_view(results, view)


def print_view(results: str, view: RunView) -> None:
    """Print a run that was gathered already."""
    run = view.run
    ended = _ENDED.get(run["status"], "") if run["not_started"] else ""
    took = f"  in {seconds(run['wall_s'])}" if run["wall_s"] is not None else ""
    show_words((f"run {run['run_id']}  {counts(run)}{ended}{took}", "bold"))
    show_lines([[("", "")]])
    if view.plain:
        _comparison(view)
    if view.agents:
        show_lines([[("", "")]] if view.plain else [])
        _agents(view.agents)
    for line in (*_offered(run), *_good(view), *_sizes(view), *_errors(view), *_attempts(view), *_skipped(view)):
        show_words(line)
    if bias := plus_minus(view.run):
        show_words((f"the harness adds {bias} to a TTFT here (calibrated; subtracted nowhere)", "dim"))
    show_words(*_verdict(view))
    for place in _places(results, view):
        show_lines([[(place, "")]])


def print_summary(rows: Sequence[Mapping[str, Any]], of_agents: Sequence[Mapping[str, Any]] = ()) -> None:
    """Print rows of the question `summary`: every run and target; below them those of `agent_summary`."""
    plain = [row for row in rows if row["workload"] not in TEAM_WORKLOADS]
    if plain:
        _note(show_grid(*targets(plain, stacked=width() is not None, runs=True), hoist=False))
    if of_agents:
        show_lines([[("", "")]] if plain else [])
        _agents(of_agents, runs=True)


def _agents(rows: Sequence[Mapping[str, Any]], *, runs: bool = False) -> None:
    """Agents' trials, and the bare calls beside them."""
    left_out = show_grid(*agents(rows, stacked=width() is not None, runs=runs), hoist=False)
    show_words((SPLIT_SAID, "dim"))
    if left_out:
        show_words((f"too narrow for: {', '.join(left_out)}", "dim"))


def _comparison(view: RunView) -> None:
    rows = [
        {
            **row,
            "tokens_per_s": token_rate(view.throughput.get(str(row["target"]), {})),
            "cost_usd": view.costs.get(view.key(row), {}).get("cost_usd"),
        }
        for row in view.plain
    ]
    _note(show_grid(*targets(rows, stacked=width() is not None), hoist=False))


def _offered(run: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Of an open loop, what the schedule wanted beside what came of it: a cap or a slow client shows here."""
    if run["offered_per_s"] is not None:
        late = run["schedule_lag_p99_ms"]
        said = f"  {number(run['offered_per_s'])} trials a second offered, {number(run['achieved_per_s'])} attempted"
        yield f"{said}, {number(late)} ms late at p99" if late is not None else said, ""


def _good(view: RunView) -> Iterator[tuple[str, str]]:
    """Goodput of each target: the share of what was attempted, with its interval, and how many a second. An agent's
    trial has no single answer that limits of latency could hold for."""
    for target, row in view.goodput.items():
        if row["good_share"] is not None and row["workload"] not in TEAM_WORKLOADS:
            limits = ", ".join(f"{metric} {bound(metric)} {number(limit)}" for metric, limit in row["slos"].items())
            between = f"{share(row['good_share_low'])}\N{EN DASH}{share(row['good_share_high'])}"
            good = f"{row['good']} of {row['attempted']} attempted, {share(row['good_share'])} [{between}]"
            yield f"  {target}: good ({limits}): {good}, {number(row['goodput_per_s'])}/s", ""


def _note(left_out: Sequence[str]) -> None:
    """What the table's numbers are; they are never shown without it."""
    show_words(("medians and tails of measured trials that succeeded, with 95 % order-statistic intervals", "dim"))
    if left_out:
        show_words((f"too narrow for: {', '.join(left_out)}", "dim"))


def _errors(view: RunView) -> Iterator[tuple[str, str]]:
    """Failed trials by kind, and failed attempts where a retry made more of them."""
    trials = {(row["target"], row["error_kind"]): row["n"] for row in view.errors if row["level"] == "trial"}
    told = [r for r in view.errors if r["level"] == "trial" or r["n"] != trials.get((r["target"], r["error_kind"]))]
    for row in told[:_ERRORS_SHOWN]:
        line = f"  {row['target']}: {row['n']} of {row['attempted']} {row['level']}s {row['error_kind']}"
        yield line, "red" if row["level"] == "trial" else "yellow"
    if len(told) > _ERRORS_SHOWN:
        yield f"  and {len(told) - _ERRORS_SHOWN} more: benchbook history errors", "dim"


def _sizes(view: RunView) -> Iterator[tuple[str, str]]:
    """Generated prompts: the provider's count beside what was asked."""
    for row in view.prompt_sizes:
        asked, counted = row["tokens_asked"] / row["n"], row["tokens_counted"] / row["n"]
        said = f"prompts of {asked:,.0f} tokens on average, counted as {counted:,.0f}"
        yield f"  {row['target']}, {row['dataset']}: {said} (calibration factor {row['factor']:.3g})", "dim"


def _attempts(view: RunView) -> Iterator[tuple[str, str]]:
    for line in attempt_lines(view):
        yield line, "yellow"
    for line in stall_lines(view):
        yield line, ""


def _skipped(view: RunView) -> Iterator[tuple[str, str]]:
    for row in view.skipped[:_KINDS_SHOWN]:
        yield f"  {row['target']}: {row['trials']} trials skipped: {row['reason']}", "yellow"


def _verdict(view: RunView) -> Iterator[tuple[str, str]]:
    """The verdict and its reasons."""
    verdict = str(view.run["verdict"])
    yield "verdict ", ""
    yield verdict, _VERDICT_STYLES.get(verdict, "bold")
    for index, reason in enumerate(view.run["reasons"] or ()):
        yield f"{': ' if index == 0 else '; '}{reason}", ""


def _places(results: str, view: RunView) -> Iterator[str]:
    run_id = str(view.run["run_id"])
    folder = Path(results)
    page = report_folder(folder) / run_id / "report.html"
    yield f"raw      {folder / 'journal' / run_id}/"
    yield f"tables   {folder / 'tables'}/*/run_id={run_id}/  (Parquet)"
    if page.is_file():
        yield f"page     {page}"
    where = as_option(results)
    if view.run["not_started"]:
        yield f"finish   benchbook run --resume {run_id}{where}"
    yield f"next     benchbook show{where} --failures --checks"
    yield f"         benchbook history{where}"
    if view.agents:
        yield f"         benchbook history layer_overhead{where}"
        for row in [row for row in view.slowest if row["workload"] in TEAM_WORKLOADS][:1]:
            yield f"         benchbook show {row['trial_id']}{where} --timeline"
    older = older_alike(folder, view.run)
    if older is not None:
        yield f"         benchbook compare {_by_place(folder, older, run_id)}{where}"


def _by_place(folder: Path, older: str, run_id: str) -> str:
    """Two runs as short as a verb takes them."""
    return "latest~1 latest" if runs(folder)[-2:] == [older, run_id] else f"{older} {run_id}"
