"""`benchbook validate`: are these datasets, and a plan's teams, fit to be measured with?"""

from __future__ import annotations

from typing import Any

import click

from benchbook.cli.options import json_option, plan_option, quiet_option, results_option, set_option

_EPILOG = """\b
Examples:
  benchbook validate                                   the default plan's datasets
  benchbook validate datasets/coding-tasks.json mine/  these files and folders
  benchbook validate --data-docs docs/                 with Great Expectations' Data Docs"""


@click.command(epilog=_EPILOG)
@click.argument("paths", nargs=-1, metavar="[FILE|FOLDER]...")
@plan_option
@set_option
@results_option
@click.option("--data-docs", metavar="DIR", help="Write Great Expectations' Data Docs there.")
@json_option
@quiet_option
def command(**chosen: Any) -> int:
    """Check the datasets and teams of a plan, or the files and folders named; every failure is listed."""
    from dataclasses import asdict
    from pathlib import Path

    from benchbook.checks import check_datasets, write_data_docs
    from benchbook.cli.output import note, print_json
    from benchbook.datasets import files
    from benchbook.errors import EXIT_BAD_INPUT, EXIT_DONE
    from benchbook.runner.teams import require_tools
    from benchbook.scoring import review
    from benchbook.stages import Job

    if chosen["paths"]:
        named = chosen["paths"]
    else:
        spec = Job(plan=chosen["plan"], overrides=chosen["overrides"]).spec()
        require_tools(spec)
        named = spec.validate_.datasets
    paths = files(named)
    found = check_datasets(paths, review)
    if chosen["data_docs"]:
        write_data_docs(paths, Path(chosen["data_docs"]), review)
    if chosen["as_json"]:
        print_json(
            {
                "problems": found.problems,
                "notes": [str(n) for n in found.notes],
                "checks": [asdict(c) for c in found.checks],
            }
        )
        return EXIT_BAD_INPUT if found.problems else EXIT_DONE
    for problem in found.problems:
        click.echo(f"{click.style('error:', fg='red')} {problem}", err=True)
    if not chosen["quiet"]:
        for remark in found.notes:
            note(str(remark))
        cases = sum(len(dataset.cases) for dataset in found.datasets)
        click.echo(f"{len(paths)} files, {cases} cases, {len(found.problems)} problems, {len(found.notes)} notes")
    return EXIT_BAD_INPUT if found.problems else EXIT_DONE
