"""`benchbook calibrate`: what the harness adds to a latency on this host, and how much it can take."""

from __future__ import annotations

from typing import Any

import click

from benchbook.cli.options import json_option

_EPILOG = """\b
Examples:
  benchbook calibrate
  benchbook calibrate --seconds 5 --concurrency 64 --json

Nothing is sent off this host, and nothing is ever subtracted from a latency."""


@click.command(epilog=_EPILOG)
@click.option("-c", "--concurrency", type=click.IntRange(1, 1000), default=16, help="Streams in flight in the burst.")
@click.option("--seconds", type=click.FloatRange(0.1, 60), default=2.0, show_default=True, help="How long it takes.")
@json_option
def command(**chosen: Any) -> None:
    """Measure the harness itself, against a sender on loopback whose every send is stamped."""
    from benchbook.cli.output import print_json, print_table
    from benchbook.runner.session import calibrated

    found = calibrated(chosen["seconds"], chosen["concurrency"]).fields()
    if chosen["as_json"]:
        print_json(found)
    else:
        print_table("", ("figure", "value"), list(found.items()))
