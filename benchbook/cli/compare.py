"""`benchbook compare A B`: did it change, and how sure can one be?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from benchbook.cli.options import json_option, results_option

if TYPE_CHECKING:
    from benchbook.history.rules import Rules

_EPILOG = """\b
Examples:
  benchbook compare latest~1 latest
  benchbook compare 'latest target=a' 'latest target=b'
  benchbook compare 'target=a until=2026-10-31' 'target=a since=2026-11-01'
  benchbook compare v1.2 HEAD --gate e2e_ms,e2e_ms:p95,score
  benchbook compare rev=main latest --markdown
  benchbook compare latest~1 latest --json
\b
A side is a run (an id, the start of one, latest, latest~1), a git revision, or KEY=VALUE words that narrow all runs:
target, workload, since, until, last, plan, workload_hash, rev, dvc, host, sweep, profile.
\b
CHANGED    the interval is clear of no change, the change is beyond the margin, and runs are known to differ by less
EQUIVALENT the interval lies inside the margin
CANNOT TELL neither, with how many more runs it would take. One run a side, with no other stored, is never CHANGED.
\b
Exit codes: 0 no gated metric got worse; 2 nothing to compare, or unlike workloads; 3 a gated metric got worse;
4 cannot tell. Next: `benchbook history` for every run, `benchbook sql` for anything else."""


@click.command(epilog=_EPILOG)
@click.argument("a")
@click.argument("b")
@click.option(
    "--gate",
    metavar="METRIC,...",
    help="Metrics that decide the exit code: e2e_ms, e2e_ms:p95, score.  [default: the main ones that are there]",
)
@click.option(
    "--margin",
    type=click.FloatRange(0, min_open=True),
    help="Smallest share of a median that matters, by default that of the plan, or 0.05.",
)
@click.option(
    "--margin-p95",
    type=click.FloatRange(0, min_open=True),
    help="The same of a p95, by default 0.1.",
)
@click.option(
    "--margin-share",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="The same of scores and failure shares, by default 0.03, which are 3 points.",
)
@click.option("--all", "every", is_flag=True, help="Every metric, not only the main ones.")
@click.option("--markdown", is_flag=True, help="Print Markdown, for a pull request.")
@results_option
@json_option
def command(**chosen: Any) -> int:
    """Compare two sides, paired by test case: what changed, by how much, and how sure one can be."""
    from benchbook.cli.output import note, print_json
    from benchbook.history.comparing import compare_sides
    from benchbook.history.selecting import select_side
    from benchbook.reports.comparison import as_json, as_markdown, notes, print_comparison, retried

    sides = [select_side(chosen["results"], chosen[side]) for side in ("a", "b")]
    newest = max(run_id for side in sides for run_id in side.runs)
    compared = compare_sides(chosen["results"], sides[0], sides[1], _rules(newest, chosen))
    if chosen["as_json"]:
        print_json(as_json(compared))
    elif chosen["markdown"]:
        click.echo(as_markdown(compared))
    else:
        print_comparison(compared, every=chosen["every"])
        for line in (*notes(compared), *retried(chosen["results"], compared), *_taught(chosen["results"], compared)):
            note(line)
    return compared.exit_code


def _taught(results: str, compared: Any) -> Iterator[str]:
    """What runs of an unchanged target say of such comparisons, where there are any."""
    from benchbook.history.null_runs import taught
    from benchbook.reports.experiments import null_lines

    names = {name for row in compared.rows for name in row["target"].split(" \N{RIGHTWARDS ARROW} ")}
    for row in taught(results, (*compared.a.runs, *compared.b.runs), names):
        yield from null_lines(row)


def _rules(run_id: str, chosen: dict[str, Any]) -> Rules:
    """Those of the newest run's plan, changed by the options. Raises UserError for a gate of no metric."""
    from dataclasses import replace

    from benchbook.config.gates import gated_metrics
    from benchbook.errors import UserError
    from benchbook.history.rules import planned_rules

    rules = planned_rules(chosen["results"], run_id)
    said = {"median": chosen["margin"], "p95": chosen["margin_p95"], "share": chosen["margin_share"]}
    margins = replace(rules.margins, **{name: value for name, value in said.items() if value is not None})
    if chosen["gate"] is None:
        return replace(rules, margins=margins)
    try:
        return replace(rules, margins=margins, gate=gated_metrics(chosen["gate"].split(",")) or None)
    except ValueError as error:
        raise UserError("--gate", str(error)) from None
