"""A run in the terminal: the comparison of its targets, what failed, its verdict, and where everything lies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from benchbook.reports.gather import RunView, gather
from benchbook.reports.terminal import show
from benchbook.reports.words import COLUMNS, MISSING, counts, median, money, number, seconds, share, tail
from benchbook.results.paths import report_folder

_VERDICT_STYLES = {"VALID": "bold green", "DEGRADED": "bold yellow", "INVALID": "bold red"}
_ERRORS_SHOWN = 8


def print_run(results: str, run_id: str, *, brief: bool = False) -> None:
    """Print one run. brief: the verdict line alone. Raises UnknownRunError."""
    view = gather(results, run_id)
    if brief:
        show(verdict_line(view))
        return
    note = Text("medians with 95 % order-statistic intervals, over measured successes; - is missing", style="dim")
    show(Group(comparison(view), note, *_errors(view), verdict_line(view), *_places(results, run_id)))


def comparison(view: RunView) -> Table:
    """The targets side by side. Failures stand beside the latencies that leave them out."""
    run = view.run
    title = f"run {run['run_id']}  {counts(run)}  in {seconds(run['wall_s'])}"
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("target", "model", "ok / tried", "failed", "score"):
        table.add_column(heading, justify="left" if heading in ("target", "model") else "right")
    for _, heading in COLUMNS:
        table.add_column(f"{heading}\np50", justify="right")
    for heading in ("TTFT ms\np95", "end to end ms\np95", "tokens/s", "cost"):
        table.add_column(heading, justify="right")
    for row in view.targets:
        table.add_row(*_cells(view, row))
    return table


def _cells(view: RunView, row: Mapping[str, Any]) -> list[str | Text]:
    target = row["target"]
    failed = (row["failed"] or 0) + (row["timed_out"] or 0)
    rate = view.throughput.get(target, {}).get("tokens_per_s")
    return [
        Text(target, style="bold"),
        str(row["model"]),
        f"{row['succeeded']} / {row['attempted']}",
        Text(share(row["failure_share"]), style="red" if failed else ""),
        MISSING if row["score"] is None else f"{row['score']:.2f}",
        *(median(row, metric) for metric, _ in COLUMNS),
        tail(row, "ttft_ms"),
        tail(row, "e2e_ms"),
        number(rate),
        money(view.costs.get(target, {}).get("cost_usd")),
    ]


def _errors(view: RunView) -> Iterator[Text]:
    for row in view.errors[:_ERRORS_SHOWN]:
        retried = " (retried)" if row["level"] == "attempt" else ""
        line = f"  {row['target']}: {row['n']} of {row['attempted']} {row['level']}s {row['error_kind']}{retried}"
        yield Text(line, style="red" if row["level"] == "trial" else "yellow")
    if len(view.errors) > _ERRORS_SHOWN:
        yield Text(f"  and {len(view.errors) - _ERRORS_SHOWN} more kinds: benchbook history errors", style="dim")


def verdict_line(view: RunView) -> Text:
    """The verdict and its reasons."""
    run = view.run
    line = Text("verdict ")
    line.append(str(run["verdict"]), style=_VERDICT_STYLES.get(str(run["verdict"]), "bold"))
    for index, reason in enumerate(run["reasons"] or ()):
        line.append(": " if index == 0 else "; ")
        line.append(str(reason))
    return line


def _places(results: str, run_id: str) -> Iterator[Text]:
    folder = Path(results)
    page = report_folder(folder) / run_id / "report.html"
    yield Text(f"raw      {folder / 'journal' / run_id}/")
    yield Text(f"tables   {folder / 'tables'}/*/run_id={run_id}/  (Parquet)")
    if page.is_file():
        yield Text(f"page     {page}")
    where = "" if results == "results" else f" --results {results}"
    yield Text(f"next     benchbook history{where}   benchbook show{where}   benchbook compare latest~1 latest{where}")
