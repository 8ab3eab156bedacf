"""The terminal door. One verb, one file, one line in `VERBS`; each parses, calls one library function, presents.

Exit codes: 0 done; 1 the run has failures beyond its threshold; 2 bad input; 3 not what was required (a run that is
not VALID, a comparison that got worse); 4 it can't be told; 130 interrupted. A user's error is one line on stderr.
Imports are late, so that `--help` answers at once.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from benchbook import __version__, startup
from benchbook.errors import EXIT_BAD_INPUT, EXIT_INTERRUPTED, BenchbookError, UserError

VERBS: Mapping[str, tuple[str, str]] = {
    "run": ("benchbook.cli.run", "Run a plan: validate, execute, store, aggregate, report."),
    "plan": ("benchbook.cli.plan", "Show what a plan would do, take and cost, before anything is sent."),
    "validate": ("benchbook.cli.validate", "Check the datasets and teams of a plan, or the files named."),
    "datasets": ("benchbook.cli.datasets", "List datasets; show one's cases and variables."),
    "models": ("benchbook.cli.models", "List configured targets and what their providers offer."),
    "calibrate": ("benchbook.cli.calibrate", "Measure the harness itself on this host."),
    "simulate": ("benchbook.cli.simulate", "Start the simulated provider on a port."),
    "record": ("benchbook.cli.record", "Record a provider's answers with their timing, as a cassette."),
    "replay": ("benchbook.cli.replay", "Serve a cassette: recorded answers with their timing."),
    "stage": ("benchbook.cli.stage", "Run one stage of the pipeline bare, as `dvc repro` does."),
    "runs": ("benchbook.cli.runs", "List the stored runs."),
    "show": ("benchbook.cli.show", "Show one run: verdict, targets, failures, checks."),
    "history": ("benchbook.cli.history", "Latency of every run and target; ask a stored question; merge histories."),
    "sql": ("benchbook.cli.sql", "Ask the history in SQL (DuckDB)."),
    "compare": (
        "benchbook.cli.compare",
        "Compare two sides, paired by test case: did it change, and how sure?",
    ),
    "report": ("benchbook.cli.report", "Write a page of a run, a comparison or the history; drawings for slides."),
    "definitions": ("benchbook.cli.definitions", "Show one run as other tools would print it."),
    "export": ("benchbook.cli.export", "Write a run's trials as JSON, CSV or Parquet."),
    "ab": ("benchbook.cli.ab", "Two targets in turn, round by round: do they differ?"),
    "aa": ("benchbook.cli.aa", "A target against itself: how often would compare raise a false alarm?"),
    "sweep": ("benchbook.cli.sweep", "Run a plan under one load after another; where does more load stop paying?"),
    "search": ("benchbook.cli.search", "Find the largest load that still meets objectives."),
    "ui": ("benchbook.cli.ui", "Show the history in a browser: runs, comparisons, questions, SQL, raw rows."),
    "recommend": ("benchbook.cli.recommend", "Say which target to take, and what it would save."),
    "power": ("benchbook.cli.power", "Say before spending which change n runs a side can show, and what they cost."),
    "trend": ("benchbook.cli.trend", "The history of each target's metrics: stretches, changes, whose they are."),
    "alerts": ("benchbook.cli.alerts", "What changed and still stands; exit code 3 while something got worse."),
    "profile": ("benchbook.cli.profile", "Named baselines per target: list, show, set, update, archive."),
    "approve": ("benchbook.cli.approve", "List what waits for a person's approval; approve or reject it."),
    "schedule": ("benchbook.cli.schedule", "Run a plan by the clock."),
    "completion": ("benchbook.cli.completion", "Print the shell completion script."),
}


class Verbs(click.Group):
    """The verbs, imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(VERBS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in VERBS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            raise UserError("", f"no such command: {args[0]}", _nearest(args[0]))
        return super().resolve_command(ctx, args)


def _nearest(name: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, VERBS, n=1)
    return f"did you mean `benchbook {close[0]}`?" if close else "see `benchbook --help`"


@click.command(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Start with `benchbook run` (the default plan, no key, no network), then `benchbook history`.",
)
@click.version_option(__version__, prog_name="benchbook")
def root() -> None:
    """The bench notebook for LLM APIs and agents: measures honestly, keeps every raw fact, answers in SQL."""


def main(arguments: list[str] | None = None) -> None:
    """Run one verb and exit with its code. Never a traceback for bad input, nor for a terminal of few letters."""
    startup.begin()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        code: Any = root.main(arguments, prog_name="benchbook", standalone_mode=False)
    except UserError as error:
        fail(error)
        code = EXIT_BAD_INPUT
    except click.ClickException as error:
        error.show()
        code = EXIT_BAD_INPUT
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        code = EXIT_INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        code = 0
    except BenchbookError as error:
        click.secho(f"benchbook: {error}", err=True, fg="red")
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


def fail(error: UserError) -> None:
    """Print a user's error: one line, or a line for each of a dataset's problems."""
    problems = getattr(error, "problems", ())
    for problem in problems or (str(error),):
        click.echo(f"{click.style('error:', fg='red')} {problem}", err=True)
