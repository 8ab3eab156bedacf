"""`benchbook record`: real answers with their timing, as a cassette."""

from __future__ import annotations

from typing import Any

import click

from benchbook.cli.options import quiet_option, results_option, set_option

_EPILOG = """\b
Examples:
  benchbook record --to https://api.openai.com --cassette mine.ndjson
  benchbook record --plan plans/openai.yaml --cassette mine.ndjson
  benchbook record --from latest --cassette mine.ndjson
The first passes on whatever is sent to http://127.0.0.1:8124 (a plan's base_url, an SDK's) until Ctrl-C; the
second runs a plan through such a recorder; the third makes a cassette of a stored run, and asks nobody. Keys
are passed on and never written."""


@click.command(epilog=_EPILOG)
@click.option("--to", metavar="URL", help="Pass requests on to this address and record the answers.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8124, show_default=True, help="Port; 0 takes a free one."
)
@click.option("--plan", metavar="FILE", help="Run this plan with the recorder between it and its targets.")
@set_option
@click.option("--from", "run", metavar="RUN", help="Make the cassette of this stored run (an id, a prefix, `latest`).")
@results_option
@click.option("--cassette", "path", metavar="FILE", help="The file to write; named after the time without it.")
@click.option("--append", is_flag=True, help="Add to a cassette that is there already.")
@click.option(
    "--ignore",
    metavar="FIELD",
    multiple=True,
    help="A field of request bodies that replay is not to compare, e.g. user.",
)
@quiet_option
def command(**chosen: Any) -> int:
    """Record answers with their timing: of an address, of a plan's targets, or of a stored run."""
    from pathlib import Path

    from benchbook.cli import recording
    from benchbook.errors import UserError

    if sum(chosen[way] is not None for way in ("to", "plan", "run")) != 1:
        raise UserError("record", "say what to record", "exactly one of --to URL, --plan FILE and --from RUN")
    path = Path(chosen["path"]) if chosen["path"] else recording.named_by_time()
    if chosen["run"] is not None:
        return recording.of_run(chosen["run"], chosen["results"], path)
    if chosen["plan"] is not None:
        return recording.of_plan(chosen, path)
    return recording.of_address(chosen, path)
