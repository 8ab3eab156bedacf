"""Stage 4: the history's questions answered over all runs, as files that any tool reads.

Writes `results/aggregate/*.parquet`, the small `results/metrics.json` that `dvc metrics` compares, and
`results/history.sql`, the same views for any DuckDB shell. Same journal, same bytes.
"""

from __future__ import annotations

from pathlib import Path

import orjson

from benchbook.history import aggregate_tables, headline, write_views
from benchbook.results.paths import aggregate_folder, metrics_file, writable
from benchbook.results.whole import write_whole
from benchbook.stages import Aggregated, Job


def aggregate(job: Job) -> Aggregated:
    """Answer every aggregated question over all stored runs. Raises StorageError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    section = job.spec().aggregate
    results = Path(job.results)
    folder = aggregate_folder(results)
    tables = aggregate_tables(results, confidence=section.confidence, slos=section.slos or None)
    written = []
    with writable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in sorted(tables.items()):
            out = pa.BufferOutputStream()
            pq.write_table(table, out, compression="zstd")
            write_whole(folder / f"{name}.parquet", out.getvalue().to_pybytes())
            written.append(str(folder / f"{name}.parquet"))
        figures = headline(results, confidence=section.confidence)
        write_whole(metrics_file(results), orjson.dumps(figures, option=orjson.OPT_INDENT_2) + b"\n")
        views = write_views(results)
    return Aggregated(tuple(written), str(metrics_file(results)), str(views))
