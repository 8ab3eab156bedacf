"""One trial for `benchbook show`: its timeline and its reasoning trace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
_SPAN = "span_id"
"""Columns of the question `timeline` from this one on are a span's, those before it the trial's."""


def show_steps(chosen: Mapping[str, Any]) -> None:
    """Print what `--timeline` and `--trace` ask of the trial that is named. Raises UserError where there is none."""
    from benchbook.cli.output import print_json
    from benchbook.reports import timeline, traces
    from benchbook.reports.terminal import show_lines, show_words, width

    rows = _of_one_trial(chosen)
    trial, trace = rows[0], traces.steps_of(rows)
    started_ns = trial["trial_started_ns"]
    if chosen["as_json"]:
        print_json(_plain(rows, traces.as_rows(trace, started_ns), chosen))
        return
    show_words((timeline.headline(trial), "bold"))
    if trial["error_message"]:
        show_words((f"  {trial['error_message']}", "red"))
    if chosen["timeline"]:
        show_lines([[("", "")], *timeline.waterfall(rows, width()), [("", "")], *timeline.split(trial)])
    if chosen["trace"]:
        show_lines([[("", "")], *traces.lines(trace, started_ns, width())])


def _plain(rows: Sequence[Row], trace: list[dict[str, Any]], chosen: Mapping[str, Any]) -> dict[str, Any]:
    names = list(rows[0])
    facts, of_span = names[: names.index(_SPAN)], names[names.index(_SPAN) :]
    found: dict[str, Any] = {"trial": {name: rows[0][name] for name in facts}}
    if chosen["timeline"]:
        spans = [row for row in rows if row[_SPAN] is not None]
        found["spans"] = [{name: row[name] for name in of_span} for row in spans]
    if chosen["trace"]:
        found["steps"] = trace
    return found


def _of_one_trial(chosen: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The trial's rows, of the newest run that holds it unless a run is named as well."""
    from pathlib import Path

    from benchbook.errors import UserError
    from benchbook.history import ask
    from benchbook.results import journal

    named = chosen["trial"] or chosen["run"]
    results = chosen["results"]
    runs = (journal.find_run(Path(results), chosen["run"]),) if chosen["trial"] else None
    rows = ask("timeline", results, runs=runs, trial=named)
    if not rows:
        where = f"of {runs[0]}" if runs else "of any stored run"
        right = "name the beginning of a trial's id, e.g. one of `benchbook history slowest`"
        raise UserError(f"trial {named}", f"no trial {where} has an id that starts so", right)
    newest = max(row["run_id"] for row in rows)
    rows = [row for row in rows if row["run_id"] == newest]
    found = sorted({row["trial_id"] for row in rows})
    if len(found) > 1 and named not in found:
        several = f"{', '.join(found[:4])}{', ...' if len(found) > 4 else ''}"
        raise UserError(
            f"trial {named}", f"{len(found)} trials of {newest} start so ({several})", "write more of its id"
        )
    return [row for row in rows if row["trial_id"] == (named if named in found else found[0])]
