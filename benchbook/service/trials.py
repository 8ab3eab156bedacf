"""The trials of a run, and one trial's raw rows: attempts, chunks, spans, and what was answered, as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise, zip_longest
from typing import Any

from benchbook.history.looking import FILTERS, RawTrial, raw_trial, trials_of
from benchbook.reports import words
from benchbook.reports.pages.frame import render
from benchbook.reports.pages.tables import Cell, Column, Table
from benchbook.reports.timeline import KINDS, nested
from benchbook.results.journal import find_run
from benchbook.service.bar import address
from benchbook.service.cells import said
from benchbook.service.shown import Asked, Shown

Row = Mapping[str, Any]
MOST = 500
LONGEST = 20_000
"""Characters of an answer or a raw body on the page; JSON has all of it."""
STATUSES = ("success", "failure", "timeout", "skipped")
PHASES = ("warmup", "measured")


def listed(asked: Asked) -> Shown:
    """The first trials in order of the plan that fit the filters target, workload, status and phase."""
    run_id = find_run(asked.results, asked.path["run"])
    chosen = {name: asked.word(name) for name in FILTERS}
    found = trials_of(asked.results, run_id, chosen, MOST + 1)
    rows = found[:MOST]
    facts = {
        "run_id": run_id,
        "table": _trials(run_id, rows, more=len(found) > MOST),
        "chosen": chosen,
        "statuses": STATUSES,
        "phases": PHASES,
    }
    link = (address("runs", run_id), "The run")
    return Shown(rows, lambda: render("ui_trials.html.j2", facts, served=True), (link,))


def _trials(run_id: str, rows: list[Row], *, more: bool) -> Table:
    names = ("trial", "target", "case", "phase", "status", "TTFT ms", "end to end ms", "wall ms", "tokens out", "score")
    kinds = ("text", "text", "long", "text", "text")
    columns = [Column(name, (*kinds, *["number"] * 5)[place]) for place, name in enumerate(names)]
    lines = []
    for row in rows:
        trial = str(row["trial_id"])
        bad = row["status"] in ("failure", "timeout")
        line = [
            Cell(trial[:16], link=address("runs", run_id, "trials", trial)),
            Cell(str(row["target"]), "" if row["workload"] == "api" else str(row["workload"])),
            Cell(f"{row['dataset']}/{row['test_id']}", f"repetition {row['repetition']}"),
            Cell(str(row["phase"])),
            Cell(str(row["status"]), str(row["error_kind"] or ""), style="bad" if bad else ""),
        ]
        line += [Cell(words.number(row[name]), sort=row[name]) for name in ("ttft_ms", "e2e_ms", "wall_ms")]
        line += [Cell(words.number(row["tokens_out"])), Cell(words.number(row["score"]))]
        lines.append(line)
    note = f"The first {MOST} in order of the plan; narrow them above, or ask by SQL." if more else ""
    return Table(f"{len(rows)} trials", columns, lines, note)


def one(asked: Asked) -> Shown:
    """Everything that is stored of one trial."""
    run_id = find_run(asked.results, asked.path["run"])
    raw = raw_trial(asked.results, run_id, asked.path["trial"])
    facts = {
        "raw": raw,
        "attempts": _attempts(raw),
        "chunks": list(_chunks(raw)),
        "spans": _spans(raw) if raw.spans else None,
        "answers": [_answer(row) for row in raw.responses],
        "facts": [(name, _said(value)) for name, value in raw.trial.items() if value is not None and name != "run_id"],
    }
    tables = {"trial": raw.trial, "calls": raw.calls, "responses": raw.responses, "scores": raw.scores}
    links = ((address("runs", run_id), "The run"), (address("runs", run_id, "trials"), "Its trials"))
    data = {**tables, "spans": raw.spans, "attempts": raw.attempts}
    return Shown(data, lambda: render("ui_trial.html.j2", facts, served=True), links)


_ATTEMPT = {
    "HTTP": "http_status",
    "sent at ms": "after_ms",
    "waited before ms": "back_off_ms",
    "connect ms": "connect_ms",
    "TTFT ms": "ttft_ms",
    "end to end ms": "e2e_ms",
    "took ms": "took_ms",
    "tokens out": "tokens_out",
}


def _attempts(raw: RawTrial) -> Table:
    columns = [Column("attempt"), Column("came to", "text"), *map(Column, _ATTEMPT), Column("what was said", "long")]
    rows = []
    for row in raw.attempts:
        turn = f"turn {row['turn']}" if (row["turn"] or 1) > 1 else ""
        kind = Cell(str(row["error_kind"] or "answer"), style="bad" if row["error_kind"] else "")
        numbers = [Cell(words.number(row[name]), sort=row[name]) for name in _ATTEMPT.values()]
        rows.append([Cell(str(row["attempt"]), turn), kind, *numbers, Cell(str(row["error_message"] or ""))])
    return Table("Attempts", columns, rows, "sent at: from the trial's start. Latencies are one attempt's own.")


def _chunks(raw: RawTrial) -> Iterator[Table]:
    columns = [Column("chunk"), Column("after ms"), Column("gap ms"), Column("bytes"), Column("kind", "text")]
    for call in raw.calls:
        offsets = list(call["chunk_offsets_us"] or ())
        if not offsets:
            continue
        gaps = [None, *(later - earlier for earlier, later in pairwise(offsets))]
        rest = zip_longest(gaps, call["chunk_sizes"] or (), call["chunk_kinds"] or (), fillvalue=None)
        rows = [
            [
                str(place),
                f"{offset / 1000:.3f}",
                words.MISSING if gap is None else f"{gap / 1000:.3f}",
                words.MISSING if size is None else str(size),
                str(kind or words.MISSING),
            ]
            for place, (offset, (gap, size, kind)) in enumerate(zip(offsets, rest, strict=False), 1)
        ]
        yield Table(f"Chunks of call {call['call_id']}", columns, rows, "after: from its dispatch.")


def _spans(raw: RawTrial) -> Table:
    columns = [
        Column("span", "text"),
        Column("kind", "text"),
        Column("starts ms"),
        Column("ms"),
        Column("status", "text"),
    ]
    rows: list[list[Cell | str]] = [
        [
            Cell(f"{'· ' * depth}{row['name'] or row['kind']}", str(row["agent"] or "")),
            KINDS[row["kind"]].said,
            f"{row['starts_ms']:.2f}",
            f"{row['duration_ms']:.2f}",
            Cell(str(row["status"]), str(row["error"] or ""), style="" if row["status"] == "ok" else "bad"),
        ]
        for row, depth in nested(list(raw.spans))
    ]
    return Table("Spans", columns, rows)


def _answer(row: Row) -> dict[str, Any]:
    body = row["body"]
    text = body.decode("utf-8", "backslashreplace") if isinstance(body, bytes) else body
    parts = {"Answer": row["text"], "Reasoning": row["reasoning"], "Raw body": text}
    return {
        "title": f"call {row['call_id']}, turn {row['turn']}, attempt {row['attempt']}",
        "parts": [(name, part[:LONGEST], max(0, len(part) - LONGEST)) for name, part in parts.items() if part],
    }


def _said(value: Any) -> str:
    text = words.number(value) if isinstance(value, float) else said(value)
    return text if len(text) <= LONGEST else text[:LONGEST]
