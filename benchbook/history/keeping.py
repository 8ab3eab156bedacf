"""Keeping every question's answer over all runs in `results`/aggregate, for any tool and for the next who asks.

Only what is new is computed: runs that came or changed since, or everything of a question that is asked otherwise now.
The files are the same to the last bit whichever way they came about. `covers.json` is written last, so that files and
what is said of them never seem to fit when they don't.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from benchbook.history.answering import Answering
from benchbook.history.opening import scanned, stumbling
from benchbook.history.questions import as_variables
from benchbook.history.sources import Scope, scan
from benchbook.history.summaries import COVERS, ROWS_PER_GROUP, VERSION, Marks, kept, key
from benchbook.history.views import question_texts
from benchbook.results.whole import write_whole

if TYPE_CHECKING:
    import pyarrow as pa

_LEVEL = 3


def keep_answers(
    results: str | Path = "results", *, confidence: float = 0.95, slos: Mapping[str, float] | None = None
) -> list[Path]:
    """Bring `results`/aggregate/QUESTION.parquet up to date, and return all of their paths. Raises OSError.

    slos: None asks goodput's default limits, as a plan without any does.
    """
    folder = Path(results)
    before = kept(folder)
    before.folder.mkdir(parents=True, exist_ok=True)
    settings = {"confidence": confidence, "slos": slos}

    def attempt(scope: Scope) -> tuple[dict[str, Any], Marks]:
        answering = Answering(scanned(folder, scope), before, settings, as_variables(settings))
        return _brought_up(answering), answering.sources.marks()

    answers, marks = stumbling(folder, Scope(), attempt)
    now = scan(folder, Scope()).marks()
    steady = {run: tables for run, tables in marks.items() if now.get(run) == tables}
    document = {"version": VERSION, "marks": steady, "answers": answers}
    write_whole(before.folder / COVERS, orjson.dumps(document, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2))
    paths = [before.folder / f"{question}.parquet" for question in question_texts()]
    for stale in set(before.folder.glob("*.parquet")) - set(paths):
        stale.unlink()
    return paths


def _brought_up(answering: Answering) -> dict[str, Any]:
    """Write what has changed; question -> what `covers.json` says of it."""
    said = {}
    for question, table in answering.changed(tuple(question_texts())):
        if table is None:
            said[question] = dict(answering.kept.answers[question])
            continue
        data = _file(table)
        write_whole(answering.kept.folder / f"{question}.parquet", data)
        asked = key(question, answering.settings)
        said[question] = {"asked": asked, "sha256": hashlib.sha256(data).hexdigest()}
    return said


def _file(table: pa.Table) -> bytes:
    """The table as a Parquet file; its bytes depend on its rows alone."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = table.cast(pa.schema([(field.name, _plain(field.type)) for field in table.schema]))
    out = pa.BufferOutputStream()
    with pq.ParquetWriter(out, table.schema, compression="zstd", compression_level=_LEVEL, version="2.6") as writer:
        for start in range(0, max(1, len(table)), ROWS_PER_GROUP):
            writer.write_table(table.slice(start, ROWS_PER_GROUP).combine_chunks(), ROWS_PER_GROUP)
    return bytes(out.getvalue().to_pybytes())


def _plain(kind: pa.DataType) -> pa.DataType:
    """The type with the usual names of what is inside it: DuckDB names that after whatever it came from."""
    import pyarrow as pa

    if pa.types.is_map(kind):
        return pa.map_(_plain(kind.key_type), _plain(kind.item_type))
    if pa.types.is_list(kind):
        return pa.list_(_plain(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(part.name, _plain(part.type)) for part in kind])
    return kind
