"""`benchbook ui`: the history in a browser, on this machine."""

from __future__ import annotations

from typing import Any

import click

from benchbook.cli.options import results_option

_EPILOG = """\b
Examples:
  benchbook ui
  benchbook ui --open
  benchbook ui --port 9000 --results other/results
\b
History, runs, comparisons, stored questions, SQL that only reads, and a trial's raw rows. The same as JSON under /api:
  curl http://127.0.0.1:8765/api/runs
It shows what is stored when a page is asked for; nothing is changed. Ctrl-C ends it.
Without a browser: `benchbook report` writes the pages as files."""


@click.command(epilog=_EPILOG)
@results_option
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="Port; 0 takes a free one."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--allow-remote", is_flag=True, help="Let --host be one that other machines reach. They can read it all.")
@click.option("--open", "opened", is_flag=True, help="Open it in the browser.")
def command(**chosen: Any) -> None:
    """Show the history in a browser: runs, comparisons, questions, SQL, raw rows. Reads only; loopback only."""
    from pathlib import Path

    from benchbook.cli.output import note
    from benchbook.service.listening import Where, is_loopback, serve

    def announce(address: str) -> None:
        click.echo(f"the history in {chosen['results']} is at {address}  (Ctrl-C ends it)")
        if not is_loopback(chosen["host"]):
            note("whoever reaches this address can read every stored prompt and answer: there is no password")
        if not Path(chosen["results"]).is_dir():
            note(f"{chosen['results']} does not exist yet; measure something with: benchbook run")
        if chosen["opened"]:
            click.launch(address)

    serve(Path(chosen["results"]), Where(chosen["host"], chosen["port"], chosen["allow_remote"]), announce)
