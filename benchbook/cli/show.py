"""`benchbook show RUN`: one run. `benchbook show TRIAL --timeline`: one trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from benchbook.cli.options import json_option, results_option

_EPILOG = """\b
Examples:
  benchbook show latest
  benchbook show 20261121T081502Z --failures
  benchbook show latest --trial d50c528c
  benchbook show d50c528c --timeline
  benchbook show d50c528c --trace
  benchbook show latest --json"""


_FAILURE = (
    "target",
    "dataset",
    "test_id",
    "phase",
    "repetition",
    "status",
    "error_kind",
    "calls",
    "error_message",
)


@click.command(epilog=_EPILOG)
@click.argument("run", default="latest")
@results_option
@click.option("--failures", is_flag=True, help="List every trial that failed.")
@click.option(
    "--trial", metavar="ID", help="Every attempt of one trial (an id or its beginning): error, wait, latency."
)
@click.option("--timeline", is_flag=True, help="Draw a trial's spans; RUN is then the trial, or name it by --trial.")
@click.option("--trace", is_flag=True, help="Print what a trial's agents thought, did, observed and answered.")
@click.option("--checks", is_flag=True, help="List every check and how it came out.")
@json_option
def command(**chosen: Any) -> None:
    """Show one run (an id, a prefix, `latest`, `latest~1`): verdict, targets, failures, checks; or one trial."""
    if chosen["timeline"] or chosen["trace"]:
        from benchbook.cli.trial import show_steps

        show_steps(chosen)
        return
    from dataclasses import asdict
    from pathlib import Path

    from benchbook.cli.output import print_json, print_table
    from benchbook.reports.console import print_view
    from benchbook.reports.gather import gather
    from benchbook.results.runs import find_stored

    run_id = find_stored(Path(chosen["results"]), chosen["run"])
    if chosen["trial"]:
        _show_trial(run_id, chosen)
        return
    found = gather(chosen["results"], run_id)
    if chosen["as_json"]:
        print_json({name: part for name, part in asdict(found).items() if name != "curves"})
        return
    print_view(chosen["results"], found)
    if chosen["failures"] and found.failures:
        print_table("\nfailures", _FAILURE, [[row[name] for name in _FAILURE] for row in found.failures])
    elif chosen["failures"]:
        click.echo("\nno trial failed or timed out")
    if chosen["checks"]:
        _print_checks(found.checks)


_ATTEMPT = {
    "turn": "turn",
    "attempt": "attempt",
    "error": "error_kind",
    "HTTP": "http_status",
    "sent at ms": "after_ms",
    "waited before ms": "back_off_ms",
    "asked to wait s": "retry_after_s",
    "connect ms": "connect_ms",
    "TTFT ms": "ttft_ms",
    "end to end ms": "e2e_ms",
    "took ms": "took_ms",
    "tokens out": "tokens_out",
    "what was said": "error_message",
}
"""Heading -> column of the question `retries`. `sent at` counts from the trial's start; latencies are one attempt's.
`turn` is left out where a trial is no conversation."""


def _show_trial(run_id: str, chosen: Mapping[str, Any]) -> None:
    """Each attempt of the trials whose id starts so, a line each, and the whole trial's response time above them."""
    from benchbook.cli.output import print_json, print_table
    from benchbook.errors import UserError
    from benchbook.history import ask
    from benchbook.reports.words import number

    rows = ask("retries", chosen["results"], runs=(run_id,), trial=chosen["trial"])
    if not rows:
        raise UserError(
            f"--trial {chosen['trial']}", f"no trial of {run_id} was sent whose id starts so", "see --failures"
        )
    if chosen["as_json"]:
        print_json(rows)
        return
    for trial_id in dict.fromkeys(row["trial_id"] for row in rows):
        lines = [row for row in rows if row["trial_id"] == trial_id]
        of = lines[0]
        what = f"trial {trial_id}: {of['target']}, {of['dataset']}/{of['test_id']}, {of['phase']}, {of['status']}"
        turns = of["workload"] == "session"
        inside = "all turns, pauses, attempts and waits inside" if turns else "attempts and waits inside"
        whole = f"response {number(of['trial_response_ms'])} ms from its intended start, {inside}"
        shown = {heading: name for heading, name in _ATTEMPT.items() if turns or name != "turn"}
        print_table(f"{what}; {whole}", tuple(shown), [[row[name] for name in shown.values()] for row in lines])


def _print_checks(checks: Sequence[Mapping[str, Any]]) -> None:
    """Every check in a line; below them what the failed ones found, place by place."""
    from benchbook.cli.output import print_table

    columns = ("suite", "subject", "check", "outcome", "observed", "unexpected")
    lines = [[row[name] for name in ("suite", "subject", "name")] + [_outcome(row)] for row in checks]
    counted = [[row["observed"], row["unexpected"]] for row in checks]
    print_table("\nchecks", columns, [line + count for line, count in zip(lines, counted, strict=True)])
    for row in checks:
        for failure in row["failures"]:
            click.echo(f"  {row['name']}: {failure}")


def _outcome(check: Mapping[str, Any]) -> str:
    return "passed" if check["success"] else f"failed ({check['severity']})"
