"""The tables of a run's page, each from the rows of a question. What has a number and what is refused is said as the
terminal says it; a trial is named by the start of its id, which `benchbook show` takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchbook.reports import agents, attempts, words
from benchbook.reports.gather import RunView
from benchbook.reports.pages.tables import Cell, Column, Table
from benchbook.reports.plots.distribution import Names

Row = Mapping[str, Any]
MOST_FAILURES = 50
_ANSWER, _LINES, _ID = 400, 20, 12
_LOW_SCORE = 0.5
_LATENCIES = (
    ("TTFT\nms p50", "ttft_ms", "p50"),
    ("TTFT\nms p95", "ttft_ms", "p95"),
    ("TTFT\nms p99", "ttft_ms", "p99"),
    ("end to end\nms p50", "e2e_ms", "p50"),
    ("end to end\nms p95", "e2e_ms", "p95"),
    ("response\nms p50", "response_ms", "p50"),
    ("response\nms p95", "response_ms", "p95"),
    ("decode\nms/token p50", "decode_ms_per_token", "p50"),
)


def quantile(row: Row, metric: str, name: str) -> Cell:
    """A quantile above its interval, or why it is refused."""
    value = row[f"{metric}_{name}"]
    if value is not None:
        low, high = row[f"{metric}_{name}_low"], row[f"{metric}_{name}_high"]
        return Cell(words.number(value), f"{words.number(low)} to {words.number(high)}", sort=value)
    return _refused(row[f"{metric}_{name}_refused"] if row[f"{metric}_n"] else None)


def _refused(why: str | None) -> Cell:
    """A dash above the reason, in two short lines."""
    return Cell(words.MISSING, (why or "").replace(", ", ",\n"))


def targets(view: RunView, names: Names) -> Table:
    """Targets side by side: outcome, score, latencies, throughput, goodput, cost."""
    latencies = [each for each in _LATENCIES if view.run["offered_per_s"] or each[1:] != ("response_ms", "p95")]
    columns = [Column("target", "text"), Column("ok / tried\nfailed"), Column("score")]
    columns += [Column(heading) for heading, _, _ in latencies]
    columns += [Column("tokens/s"), Column("good share"), Column("cost")]
    rows = []
    for row in view.plain:
        line = [_named(row, names), _outcome(row), Cell(_score(row["score"]))]
        line += [quantile(row, metric, name) for _, metric, name in latencies]
        flow = view.throughput.get(row["target"], {})
        line += [Cell(words.token_rate(flow), sort=flow.get("tokens_per_s")), _good(view, row)]
        rows.append([*line, _money(view.costs.get(view.key(row), {}).get("cost_usd"))])
    return Table("Targets side by side", columns, rows, _of_targets(view))


def _of_targets(view: RunView) -> str:
    limits: Mapping[str, float] = next((row["slos"] or {} for row in view.goodput.values()), {})
    told = ", ".join(
        f"{metric} {words.bound(metric).replace('<=', '≤').replace('>=', '≥')} {words.number(limit)}"
        for metric, limit in limits.items()
    )
    least = " ≥: some answers' tokens were not reported." if _tokens_missing(view) else ""
    return (
        "Quantiles are over measured trials that succeeded, each with its distribution-free "
        f"{words.share(view.confidence)} interval for this fixed set of prompts; where there are too few trials the "
        "number is refused. Below “ok / tried” stands the share that failed. Warm-up is left out. Good share: of the "
        f"attempted trials those that met every limit{f' ({told})' if told else ''}, with Wilson's interval.{least}"
    )


def _tokens_missing(view: RunView) -> bool:
    return any(row["calls_without_tokens"] and row["tokens_per_s"] is not None for row in view.throughput.values())


def _named(row: Row, names: Names) -> Cell:
    return Cell(names[row["target"], row["workload"]], f"{row['model']}{'' if row['streamed'] else ', not streamed'}")


def _outcome(row: Row) -> Cell:
    style = "bad" if row["failed"] or row["timed_out"] else ""
    return Cell(
        f"{row['succeeded']} / {row['attempted']}", words.share(row["failure_share"]), style, row["failure_share"]
    )


def _good(view: RunView, row: Row) -> Cell:
    good = view.goodput.get(view.key(row))
    if good is None or good["good_share"] is None:
        return Cell(words.MISSING)
    between = f"{words.share(good['good_share_low'])} to {words.share(good['good_share_high'])}"
    return Cell(words.share(good["good_share"]), between, sort=good["good_share"])


def _money(usd: float | None) -> Cell:
    return Cell(words.money(usd), sort=usd)


def _score(value: float | None) -> str:
    return words.MISSING if value is None else f"{value:.2f}"


def of_agents(view: RunView) -> Table:
    """Agents' trials side by side, bare calls among them."""
    columns = [Column("target", "text"), Column("workload", "text"), Column("ok / tried\nfailed"), Column("score")]
    columns += [Column("pass^k"), Column("wall ms\np50"), Column("wall ms\np95")]
    columns += [
        Column(heading) for heading in ("calls", "tool\nrounds", "tool\ncalls", "hand-offs", "tokens\nin + out", "cost")
    ]
    rows = []
    for row in view.agents:
        passed, between = agents.passes(row)
        line = [Cell(row["target"], row["model"]), Cell(row["workload"], row["team"]), _outcome(row)]
        line += [
            Cell(_score(row["score"])),
            Cell(passed, between),
            quantile(row, "wall_ms", "p50"),
            quantile(row, "wall_ms", "p95"),
        ]
        means = ("calls_mean", "tool_rounds_mean", "tool_calls_mean", "handoffs_mean")
        line += [Cell(words.MISSING if row[name] is None else f"{row[name]:.1f}") for name in means]
        line += [
            Cell(f"{words.number(row['tokens_in_mean'])} + {words.number(row['tokens_out_mean'])}"),
            _money(row["cost_usd"]),
        ]
        rows.append(line)
    note = (
        "Over measured trials that succeeded; bare calls stand among them, so that layers can be compared. Calls, "
        "rounds and tokens are means per trial; cost is of all attempted trials. pass^k: the chance that all of k "
        f"repetitions of a test case pass, with a {words.share(view.confidence)} interval over test cases."
    )
    return Table("Agents side by side", columns, rows, note)


def quantiles(view: RunView, metric: str, names: Names) -> Table:
    """The numbers behind a distribution."""
    columns = [
        Column("target", "text"),
        Column("n"),
        Column("least ms"),
        Column("p50"),
        Column("p95"),
        Column("p99"),
        Column("most ms"),
    ]
    rows = [
        [
            Cell(names[row["target"], row["workload"]]),
            Cell(str(row[f"{metric}_n"])),
            Cell(words.number(row[f"{metric}_min"])),
            *(quantile(row, metric, name) for name in ("p50", "p95", "p99")),
            Cell(words.number(row[f"{metric}_max"])),
        ]
        for row in view.targets
        if row[f"{metric}_n"]
    ]
    return Table(f"Quantiles of {metric}", columns, rows)


def scores(view: RunView, names: Names) -> Table:
    """Mean scores by place (dataset, category, scorer), a column a target."""
    places: dict[tuple[str, ...], dict[tuple[str, str], Row]] = {}
    for row in view.scores:
        place = (row["dataset"], str(row["category"] or words.MISSING), row["scorer"])
        places.setdefault(place, {})[row["target"], row["workload"]] = row
    keys = [key for key in names if any(key in by_target for by_target in places.values())]
    columns = [
        Column("dataset", "text"),
        Column("category", "text"),
        Column("scorer", "text"),
        *(Column(names[key].replace(" (", "\n(")) for key in keys),
    ]
    rows = [
        [*(Cell(part) for part in place), *(_mean_score(by_target.get(key)) for key in keys)]
        for place, by_target in places.items()
    ]
    note = "Mean score of measured trials that succeeded, 0 to 1, by the scorer that each case names; below 0.5 tinted."
    return Table("Mean scores", columns, rows, note)


def _mean_score(row: Row | None) -> Cell:
    if row is None:
        return Cell(words.MISSING)
    return Cell(f"{row['mean']:.2f}", f"n = {row['n']}", "low" if row["mean"] < _LOW_SCORE else "")


def low_scores(view: RunView) -> Table:
    """The test cases that scored lowest, with what was answered."""
    columns = [Column("target", "text"), Column("test case", "text"), Column("score"), Column("scorer", "text")]
    columns += [Column("why", "long"), Column("answered", "code"), Column("trial", "text")]
    rows = [
        [
            row["target"],
            row["test_id"],
            f"{row['score']:.2f}",
            row["scorer"],
            str(row["detail"] or words.MISSING),
            _cut(row["answer"]),
            str(row["trial_id"])[:_ID],
        ]
        for row in view.low_scores
    ]
    return Table("Lowest scores", columns, rows)


def _cut(text: str | None) -> str:
    if not text:
        return words.MISSING
    return text if len(text) <= _ANSWER else f"{text[:_ANSWER].rstrip()} …"


def errors(view: RunView) -> Table:
    """What failed, counted."""
    columns = [
        Column("target", "text"),
        Column("level", "text"),
        Column("error", "text"),
        Column("n"),
        Column("of"),
        Column("share"),
    ]
    rows = [
        [
            row["target"],
            row["level"],
            row["error_kind"],
            f"{row['n']:,}",
            f"{row['attempted']:,}",
            words.share(row["share"]),
        ]
        for row in view.errors
    ]
    note = "A trial that succeeded after a retry has no error at the level of trials and one at the level of attempts."
    return Table("Errors by kind", columns, rows, note)


def failures(view: RunView) -> Table:
    """The first trials that failed, each with what was said."""
    columns = [Column("target", "text"), Column("test case", "text"), Column("phase", "text"), Column("kind", "text")]
    columns += [Column("what was said", "long"), Column("trial", "text")]
    rows = [
        [
            *(row["target"], row["test_id"], row["phase"], str(row["error_kind"] or "unknown")),
            *(_cut(row["error_message"]), str(row["trial_id"])[:_ID]),
        ]
        for row in view.failures[:MOST_FAILURES]
    ]
    left = len(view.failures) - MOST_FAILURES
    more = (
        f"The first {MOST_FAILURES}; {left:,} more by: benchbook show {view.run['run_id']} --failures"
        if left > 0
        else ""
    )
    return Table("Trials that failed", columns, rows, more)


def tried(view: RunView) -> Table | None:
    """What retries did, None where nothing was retried or throttled."""
    found = attempts.tried(view)
    columns = [Column("target", "text"), Column("trials\nretried"), Column("after", "text"), Column("recovered")]
    columns += [Column("attempts\nthrottled"), Column("Retry-After\nkept")]
    columns += [Column(f"{heading}\nms p50") for heading in attempts.VIEWS] + [Column("wasted", "text")]
    rows = []
    for one in found:
        row, limit = one.attempts, one.throttling
        name = Cell(row["target"], "" if row["workload"] == "api" else row["workload"])
        line = [
            name,
            Cell(f"{row['retried']} / {row['trials']}", words.share(row["retried_share"])),
            Cell(one.reasons or words.MISSING),
        ]
        line += [Cell(str(row["recovered"]))]
        line += [
            Cell(f"{limit['throttled_attempts']} / {limit['attempts']}", words.share(limit["throttled_share"])),
            Cell(one.kept),
        ]
        rows.append([*line, *(Cell(attempts.p50(one, name)) for name in attempts.VIEWS.values()), Cell(one.waste)])
    note = (
        "Measured trials. First attempt: first attempts that succeeded, from dispatch to the end, as if nobody "
        "retried. Last attempt: end to end above. With retries and waits: from the trial's start to the end of the "
        "answer. From the intended start: response above. Of a conversation the four are its last turn's. Every "
        "attempt: benchbook history retries"
    )
    return Table("Attempts", columns, rows, note) if rows else None


def streams(view: RunView) -> Table:
    """Gaps between chunks, and stalls."""
    stalls = {row["target"]: row for row in view.stalls}
    columns = [Column("target", "text"), Column("streams"), Column("gaps")]
    columns += [Column(f"gap ms\n{name}") for name in ("p50", "p95", "p99", "p99.9")]
    columns += [Column("longest\ngap ms"), Column("streams that\nstalled"), Column("time in\nstalls")]
    rows = []
    for row in view.chunk_gaps:
        stall = stalls[row["target"]]
        line = [Cell(row["target"]), Cell(f"{row['calls']:,}"), Cell(f"{row['n']:,}")]
        line += [_gap(row, name) for name in ("p50", "p95", "p99", "p999")]
        line += [
            Cell(words.number(row["max"])),
            Cell(str(stall["stalled_calls"]), words.share(stall["stalled_calls_share"])),
        ]
        rows.append([*line, Cell(words.share(stall["stalled_share"]))])
    note = (
        "Gaps between neighbouring chunks of measured answers that succeeded. A stall is a gap longer than 50 ms and "
        "than ten times its own answer's median gap."
    )
    return Table("Gaps between chunks", columns, rows, note)


def _gap(row: Row, name: str) -> Cell:
    return Cell(words.number(row[name])) if row[name] is not None else _refused(row[f"{name}_refused"])


def skipped(view: RunView) -> Table:
    """What was planned and not sent."""
    columns = [Column("target", "text"), Column("trials"), Column("why", "long")]
    return Table("Skipped", columns, [[row["target"], str(row["trials"]), str(row["reason"])] for row in view.skipped])


def slowest(view: RunView) -> Table:
    """The slowest trials of each target."""
    walls = bool(view.agents)
    columns = [Column("target", "text"), Column("test case", "text")]
    columns += [Column("workload", "text"), Column("wall ms")] if walls else []
    columns += [Column(name) for name in ("response\nms", "end to end\nms", "TTFT\nms", "attempts")]
    columns += [Column("cold", "text"), Column("tokens out"), Column("trial", "text")]
    rows = []
    for row in view.slowest:
        line = [row["target"], row["test_id"], *((row["workload"], words.number(row["wall_ms"])) if walls else ())]
        line += [words.number(row[name]) for name in ("response_ms", "e2e_ms", "ttft_ms")]
        line += [
            str(row["calls"]),
            "yes" if row["cold"] else "no",
            words.number(row["tokens_out"]),
            str(row["trial_id"])[:_ID],
        ]
        rows.append(line)
    return Table("Slowest trials", columns, rows, "Each with its attempts: benchbook show latest --trial TRIAL")


def checks(rows: Sequence[Row], caption: str) -> Table:
    """Checks and how they came out."""
    columns = [Column("check", "long"), Column("suite", "text"), Column("subject", "text"), Column("outcome", "text")]
    columns += [Column("observed"), Column("unexpected")]
    lines = []
    for row in rows:
        outcome = Cell("passed") if row["success"] else Cell(f"failed ({row['severity']})", style="bad")
        found = "\n".join(str(line) for line in (row["failures"] or [])[:_LINES])
        counted = [words.MISSING if row[name] is None else str(row[name]) for name in ("observed", "unexpected")]
        lines.append([Cell(row["name"], found), row["suite"], row["subject"], outcome, *counted])
    return Table(caption, columns, lines)


def over_time(rows: Sequence[Row], metric: str) -> Table:
    """The numbers behind a latency over the run."""
    columns = [
        Column("target", "text"),
        Column("from s"),
        Column("to s"),
        Column("n"),
        Column("median ms"),
        Column("most ms"),
    ]
    return Table(f"{metric} over the run", columns, list(_stretches(rows, metric)))


def _stretches(rows: Sequence[Row], metric: str) -> Iterator[list[Cell | str]]:
    for row in rows:
        if row["metric"] == metric:
            times = [f"{row['from_s']:.2f}", f"{row['to_s']:.2f}"]
            yield [row["target"], *times, str(row["n"]), words.number(row["median"]), words.number(row["max"])]
