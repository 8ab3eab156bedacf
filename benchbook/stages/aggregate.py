"""Stage 4: the history's questions answered over all runs, as files that any tool reads.

Writes `results/aggregate/*.parquet`, the small `results/metrics.json` that `dvc metrics` compares, the newest run's
latency curves in `results/aggregate/curves/` that `dvc plots` draws, and `results/history.sql`, the same views for
any DuckDB shell. Same journal, same bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from benchbook.history import ask_tables, headline, keep_answers, write_views
from benchbook.results.paths import aggregate_folder, metrics_file, writable
from benchbook.results.runs import stored_runs
from benchbook.results.whole import write_whole
from benchbook.stages import Aggregated, Job

if TYPE_CHECKING:
    import pyarrow as pa

PLOTTED = ("ttft_ms", "e2e_ms", "response_ms")
"""The metrics whose curves are written as CSV."""


def aggregate(job: Job) -> Aggregated:
    """Answer every aggregated question over all stored runs. Raises StorageError."""
    section = job.spec().aggregate
    results = Path(job.results)
    folder = aggregate_folder(results)
    with writable(folder):
        written = [
            str(path) for path in keep_answers(results, confidence=section.confidence, slos=section.slos or None)
        ]
        written += _write_curves(folder / "curves", results)
        figures = headline(results, confidence=section.confidence)
        write_whole(metrics_file(results), orjson.dumps(figures, option=orjson.OPT_INDENT_2) + b"\n")
        views = write_views(results)
    return Aggregated(tuple(written), str(metrics_file(results)), str(views))


def _write_curves(folder: Path, results: Path) -> list[str]:
    """The newest run's curves, one small CSV each, TARGET.WORKLOAD.METRIC.csv; those of other runs go."""
    newest = stored_runs(results)[-1:]
    texts = _curve_texts(ask_tables(("curves",), results, runs=newest)["curves"])
    folder.mkdir(exist_ok=True)
    for stale in set(folder.iterdir()) - {folder / name for name in texts}:
        stale.unlink()
    for name, text in texts.items():
        write_whole(folder / name, text.encode())
    return [str(folder / name) for name in texts]


def _curve_texts(curves: pa.Table) -> dict[str, str]:
    texts: dict[str, str] = {}
    for row in curves.to_pylist():
        if row["metric"] in PLOTTED:
            name = f"{row['target']}.{row['workload']}.{row['metric']}.csv"
            texts[name] = texts.get(name, "ms,share\n") + f"{row['value']!r},{row['share']!r}\n"
    return texts
