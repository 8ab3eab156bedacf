"""`benchbook report`: a page to look at, and drawings for slides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from benchbook.cli.options import json_option, results_option

_EPILOG = """\b
Examples:
  benchbook report                                   the newest run
  benchbook report 20261121T081502Z --open
  benchbook report latest --out run.html
  benchbook report latest --plots slides --format png
  benchbook report latest~1 latest                   a comparison of two sides
  benchbook report --history --out history.html
\b
A page is one file: it needs no network and no other file, and can be sent to anyone who may read what the models
answered. Next: `benchbook show RUN` in the terminal, `benchbook sql` for the rows."""


@click.command(epilog=_EPILOG)
@click.argument("asked", metavar="[RUN | A B]", nargs=-1)
@click.option("--history", is_flag=True, help="The page of the whole history instead of a run's.")
@click.option("--out", metavar="FILE", help="Where the page goes.  [default: RESULTS/report/RUN/report.html]")
@click.option("--plots", metavar="DIR", help="Write the drawings there as well, a file each.")
@click.option(
    "--format", "forms", type=click.Choice(("svg", "png")), multiple=True, help="Of the drawings.  [default: both]"
)
@click.option("--open", "opened", is_flag=True, help="Open the page in the browser.")
@results_option
@json_option
def command(**chosen: Any) -> None:
    """Write the page of a run (by default the newest), of a comparison of two sides, or of the history."""
    from benchbook.cli.output import print_json
    from benchbook.errors import UserError
    from benchbook.reports.pages.files import write_plots

    asked = chosen["asked"]
    if len(asked) > 2 or (chosen["history"] and asked):
        right = "name one run, or two sides to compare, or add --history alone"
        raise UserError(" ".join(asked), "is too much for one page", right)
    page, figures = _history_or_sides(chosen) if chosen["history"] or len(asked) == 2 else _of_run(chosen)
    forms = tuple(dict.fromkeys(chosen["forms"])) or ("svg", "png")
    drawn = write_plots(figures, Path(chosen["plots"]), forms) if chosen["plots"] else []
    if chosen["as_json"]:
        print_json({"page": str(page), "plots": [str(path) for path in drawn]})
    else:
        click.echo(f"page     {page}")
        for path in drawn:
            click.echo(f"plot     {path}")
    if chosen["opened"]:
        click.launch(page.resolve().as_uri())


def _of_run(chosen: dict[str, Any]) -> tuple[Path, dict[str, Any]]:
    """The page's file and the figures by name; drawn anew only if they are wanted as files."""
    from benchbook.reports.pages.files import of_run, run_figures, run_page
    from benchbook.results.runs import find_stored

    run_id = find_stored(Path(chosen["results"]), (*chosen["asked"], "latest")[0])
    shown = of_run(chosen["results"], run_id)
    page = run_page(chosen["results"], shown, Path(chosen["out"]) if chosen["out"] else None)
    return page, run_figures(shown) if chosen["plots"] else {}


def _history_or_sides(chosen: dict[str, Any]) -> tuple[Path, dict[str, Any]]:
    from benchbook.reports.pages.files import other_page
    from benchbook.results.paths import report_folder

    kind = "history" if chosen["history"] else "comparison"
    out = Path(chosen["out"]) if chosen["out"] else report_folder(Path(chosen["results"])) / f"{kind}.html"
    return other_page(kind, chosen["results"], chosen["asked"], out)
