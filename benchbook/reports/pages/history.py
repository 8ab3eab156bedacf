"""The page of the history: alerts that stand first, then each target's numbers over time, the runs, what to take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from benchbook.errors import UserError
from benchbook.history import ask, damaged
from benchbook.history.alerts import RESOLVED, Looked, look
from benchbook.history.trends import trend
from benchbook.reports import words
from benchbook.reports.pages.frame import render
from benchbook.reports.pages.tables import Cell, Column, Table
from benchbook.reports.plots import cost_quality, hours, inline
from benchbook.reports.plots import trend as trend_plot
from benchbook.results.paths import report_folder
from benchbook.results.runs import runs as measured

Row = Mapping[str, Any]
_MOST_DRAWN = 16
"""Series that are drawn: those with a standing alert first, then those that changed, then `_ALWAYS`."""
_ALWAYS = ("ttft_ms", "wall_ms", "e2e_ms", "score")
"""Metrics that are drawn where nothing changed as well; the others are then told in a table."""
_LEAST_RUNS = 6
"""Runs of a series from which on a change can be found in it."""
SERIES = {
    "ttft_ms": 0,
    "wall_ms": 1,
    "e2e_ms": 2,
    "score": 3,
    "failure_share": 4,
    "cost_usd": 5,
    "decode_ms_per_token": 6,
}


class Drawn(NamedTuple):
    """A drawing, its title, how to read it, and its numbers."""

    title: str
    svg: str
    note: str
    numbers: Table | None


def report(results: str | Path, _asked: Sequence[str]) -> str:
    """The page for a file beside the runs' own. Raises UserError where nothing is stored."""
    return page(results, link=lambda run_id: _beside(Path(results), run_id))


def _beside(results: Path, run_id: str) -> str:
    """The run's page, from a file in the folder of reports; "" where there is none."""
    there = (report_folder(results) / run_id / "report.html").is_file()
    return f"{quote(run_id, safe='')}/report.html" if there else ""


def gathered(results: str | Path) -> dict[str, Any]:
    """The rows that the page shows, as plain data: runs, alerts, trends, recommendation. Raises UserError."""
    found = ask("overview", results)
    if not found:
        raise UserError(str(results), "holds no stored run", "measure one with `benchbook run`")
    looked = look(results)
    return {
        "runs": found,
        "alerts": looked.rows,
        "series": looked.series,
        "trends": trend(results),
        "recommendation": _recommended(results),
    }


def page(results: str | Path, *, link: Callable[[str], str], data: dict[str, Any] | None = None) -> str:
    """The page. link: run id -> where its page is, "" where there is none; data: of `gathered`."""
    data = data or gathered(results)
    rows, alerts, trends = data["runs"], data["alerts"], data["trends"]
    standing = [row for row in alerts if row["state"] != RESOLVED]
    resolved = [row for row in alerts if row["state"] == RESOLVED]
    ordered = sorted((row for row in trends if row["runs"]), key=lambda row: _place(row, standing))
    telling = [row for row in ordered if row["metric"] in _ALWAYS or len(row["segments"]) > 1][:_MOST_DRAWN]
    quiet = [row for row in ordered if row not in telling]
    stored = {row["run_id"] for row in rows}
    facts: dict[str, Any] = {
        "runs": rows,
        "first": rows[0],
        "last": rows[-1],
        **_head(standing, Looked(alerts, data["series"])),
        "standing": _alerts("Standing", standing, link) if standing else None,
        "resolved": _alerts("Resolved", resolved, link) if resolved else None,
        "drawn": list(_drawn(results, telling)),
        "quiet": _quiet(quiet) if quiet else None,
        "by_hour": list(_hours(trends)),
        "table": _table(rows, link),
        "linked": any(link(str(row["run_id"])) for row in rows),
        "recommendation": data["recommendation"],
        "worth": _worth(data["recommendation"]),
        "passed_over": [str(damage) for damage in damaged(results)],
        "unstored": [run_id for run_id in measured(Path(results)) if run_id not in stored],
    }
    return render("history.html.j2", facts)


def _head(standing: Sequence[Row], looked: Looked) -> dict[str, str]:
    """The answer: what stands, and how much was looked at."""
    count = Counter(row["sense"] for row in standing)
    at = f"{looked.series} series of at least {_LEAST_RUNS} runs"
    if not looked.series:
        return {
            "tone": "calm",
            "answer": "TOO FEW RUNS",
            "says": f"A change over time is looked for in at least {_LEAST_RUNS} runs of one workload and target.",
        }
    if not standing:
        return {"tone": "good", "answer": "NO ALERT STANDS", "says": f"Nothing stands in {at}."}
    said = " and ".join(f"{n} for the {sense}" for sense, n in sorted(count.items(), reverse=True))
    alerts = "1 ALERT STANDS" if len(standing) == 1 else f"{len(standing)} ALERTS STAND"
    return {"tone": "bad" if count["worse"] else "calm", "answer": alerts, "says": f"{said}, in {at}."}


def _place(row: Row, standing: Sequence[Row]) -> tuple[Any, ...]:
    """Where a series stands among the drawings: with alerts first, the one with the newest run before older ones."""
    key = _key(row)
    newest = max((run["run_id"] for run in row["runs"]), default="")
    told = any(_key(alert) == key for alert in standing)
    when = tuple(-ord(letter) for letter in newest)
    return (not told, when, row["target"], row["workload"], SERIES.get(row["metric"], 9))


def _key(row: Row) -> tuple[str, ...]:
    return row["target"], row["workload"], row["workload_hash"], row["metric"]


def _of(row: Row) -> str:
    return str(row["target"]) if row["workload"] == "api" else f"{row['target']} ({row['workload']})"


def _moved(row: Row) -> str:
    """A change in words: `+25.1 %`, `-3.0 points`."""
    unit = "%" if row["scale"] == "log" else "points"
    return f"{100 * row['change']:+.1f} {unit}".replace("-", "\N{MINUS SIGN}")


def _value(row: Row, value: float | None) -> str:
    if value is None:
        return words.MISSING
    if row["scale"] == "share":
        return words.share(value)
    return words.money(value) if row["metric"] == "cost_usd" else words.number(value)


def _alerts(caption: str, rows: Sequence[Row], link: Callable[[str], str]) -> Table:
    names = (
        "target",
        "metric",
        "state",
        "change",
        "from, to",
        "since run",
        "whose change",
        "known of false alarms",
    )
    kinds = {"target": "text", "metric": "text", "state": "text", "since run": "text"}
    kinds |= {"whose change": "long", "known of false alarms": "long"}
    columns = [Column(name, kinds.get(name, "number")) for name in names]
    lines = []
    for row in rows:
        told = row["attribution"]["words"] if row["attribution"] else f"off profile {row['profile']}"
        run_id = str(row["run_id"])
        lines.append(
            [
                Cell(_of(row), f"alert {row['id']}"),
                Cell(str(row["metric"])),
                Cell(str(row["state"]), str(row["why"] or "")),
                Cell(_moved(row), str(row["sense"]), "bad" if row["sense"] == "worse" else "good", 100 * row["change"]),
                Cell(_value(row, row["before"]), _value(row, row["after"])),
                Cell(run_id, f"found with {row['seen_run_id']}", link=link(run_id)),
                Cell(told),
                Cell(_false_alarms(row)),
            ]
        )
    return Table(caption, columns, lines)


def _false_alarms(row: Row) -> str:
    """What is known of chance: how far runs lie apart, and how `aa` runs came out."""
    spread = row["spread"]
    parts = []
    if spread:
        parts.append(f"runs lie {100 * spread['sd']:.1f} {'%' if row['scale'] == 'log' else 'points'} apart (sd)")
    realised = row["realised"]
    if realised:
        parts.append(f"aa: {realised['called_changed']} of {realised['metrics']} called changed")
    return "; ".join(parts) or "no spread between runs is known"


def _drawn(results: str | Path, rows: Sequence[Row]) -> Iterator[Drawn]:
    unfit = _unfit(results, rows)
    for row in rows:
        figure = trend_plot.draw(row, unfit.get(_key(row), ()))
        if figure is None:
            continue
        title = f"{_of(row)}: {row['metric']}"
        left_out = Counter(one["why"] for one in row["left_out"])
        note = ", ".join(f"{n} {'run' if n == 1 else 'runs'} left out ({why})" for why, n in left_out.items())
        hashed = str(row["workload_hash"])[:8]
        said = f"Workload {hashed}, {len(row['runs'])} runs{'; ' + note if note else ''}."
        yield Drawn(
            title, inline(figure, f"{title} over time. Its numbers stand in the table below it."), said, _parts(row)
        )


def _quiet(rows: Sequence[Row]) -> Table:
    """Series that are not drawn, a line each."""
    names = ("target", "metric", "runs", "level", "sd of runs", "changes", "workload")
    columns = [Column(name, "text" if name in ("target", "metric", "workload") else "number") for name in names]
    lines = []
    for row in rows:
        spread, unit = row["spread"], "%" if row["scale"] == "log" else "points"
        apart = words.MISSING if spread is None else f"{100 * spread['sd']:.1f} {unit}"
        level = _value(row, row["segments"][-1]["value"])
        line = [_of(row), row["metric"], str(len(row["runs"])), level, apart, str(len(row["segments"]) - 1)]
        lines.append([*line, str(row["workload_hash"])[:8]])
    return Table("Not drawn", columns, lines, "level: of the newest stretch. The verb trend has every run of them.")


def _unfit(results: str | Path, rows: Sequence[Row]) -> dict[tuple[str, ...], list[Row]]:
    """Values of the runs that do not count, by series."""
    import math

    wanted = sorted({one["run_id"] for row in rows for one in row["left_out"]})
    found: dict[tuple[str, ...], list[Row]] = {}
    for row in ask("levels", results, runs=wanted) if wanted else ():
        if row["level"] is not None and row["started_at"] is not None:
            value = math.exp(row["level"]) if row["scale"] == "log" else row["level"]
            found.setdefault(_key(row), []).append({"started_at": row["started_at"], "value": value})
    return found


def _parts(row: Row) -> Table:
    columns = [Column("from run", "text"), Column("runs"), Column("level"), Column("change"), Column("p")]
    columns.append(Column("whose change", "long"))
    lines = []
    for part in row["segments"]:
        moved = Cell(words.MISSING)
        if part["change"] is not None:
            sense = str(part["sense"])
            moved = Cell(_moved({**row, **part}), sense, "bad" if sense == "worse" else "good")
        told = part["attribution"]["words"] if part["attribution"] else ""
        p = words.MISSING if part["p"] is None else "< 0.001" if part["p"] < 0.001 else f"{part['p']:.3f}"
        lines.append([part["run_id"], str(part["runs"]), _value(row, part["value"]), moved, p, told])
    return Table("Stretches between changes", columns, lines)


def _hours(rows: Sequence[Row]) -> Iterator[Drawn]:
    for row in rows:
        figure = hours.draw(row)
        if figure is not None:
            hour = row["by_hour"]
            said = (
                f"The hour explains {words.share(hour['share'])} of the spread of {hour['runs']} runs: lowest at "
                f"{hour['lowest_hour']:02d}:00 UTC, highest at {hour['highest_hour']:02d}:00."
            )
            title = f"{_of(row)}: {row['metric']}"
            yield Drawn(title, inline(figure, f"{title} by hour of the day. {said}"), said, None)


def _table(rows: Sequence[Row], link: Callable[[str], str]) -> Table:
    names = (
        "run",
        "verdict",
        "started (UTC)",
        "succeeded",
        "failed",
        "targets",
        "took s",
        "cost USD",
        "workload",
        "commit",
    )
    kinds = {
        "run": "text",
        "verdict": "text",
        "started (UTC)": "text",
        "targets": "long",
        "workload": "text",
        "commit": "text",
    }
    columns = [Column(name, kinds.get(name, "number")) for name in names]
    lines = []
    for row in reversed(rows):
        failed = (row["failed"] or 0) + (row["timed_out"] or 0)
        run_id, verdict = str(row["run_id"]), str(row["verdict"] or words.MISSING)
        started = row["started_at"]
        lines.append(
            [
                Cell(run_id, "" if row["status"] == "finished" else str(row["status"]), link=link(run_id)),
                Cell(verdict, "; ".join(row["reasons"] or ())[:120], "bad" if verdict == "INVALID" else ""),
                Cell(words.MISSING if started is None else f"{started:%Y-%m-%d %H:%M}"),
                Cell(f"{row['succeeded']}", f"of {row['planned']}", sort=row["succeeded"]),
                Cell(str(failed), style="bad" if failed else ""),
                Cell(", ".join(row["targets"] or ())),
                Cell(words.MISSING if row["wall_s"] is None else f"{row['wall_s']:.1f}"),
                Cell(words.money(row["cost_usd"]), sort=row["cost_usd"]),
                Cell(str(row["workload_hash"] or words.MISSING)[:8]),
                Cell(str(row["git_commit"] or words.MISSING)[:8], "uncommitted changes" if row["git_dirty"] else ""),
            ]
        )
    return Table(f"{len(lines)} runs, the newest first", columns, lines)


def _recommended(results: str | Path) -> dict[str, Any] | None:
    """What `benchbook recommend` says of the newest runs; None where there is nothing to weigh."""
    from benchbook.history.recommending import recommendation
    from benchbook.reports.recommendation import fields

    try:
        return fields(recommendation(results))
    except UserError:
        return None


def _worth(found: Mapping[str, Any] | None) -> str | None:
    """The drawing of cost against quality, as far as both are known."""
    rows = [{**row, "cost_usd_per_trial": row["cost_usd"]} for row in (found or {}).get("rows", ())]
    names = {(row["target"], row["workload"]): _of(row) for row in rows}
    figure = cost_quality.draw(rows, names) if rows else None
    return None if figure is None else inline(figure, "Mean score above cost, a point a target.")
