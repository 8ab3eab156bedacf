"""`benchbook aa TARGET`: a target against itself, and how often compare cries wolf."""

from __future__ import annotations

from typing import Any

import click

from benchbook.cli.rounds import experiment_options

_EPILOG = """\b
Examples:
  benchbook aa openai-sim
  benchbook aa openai-sim --plan plans/quick.yaml --rounds 12
  benchbook aa --resume latest                                    finish the rounds that are missing
The same target under two names, in turn, as `benchbook ab` would: what differs is noise. How often compare called it
CHANGED, and how far rounds lie apart, is worked out anew from all stored rounds of the target and stands beside its
alerts.
\b
Exit codes: 0 no false alarm, 1 a side had no success, 2 bad input, 3 a false alarm, 4 cannot tell, 130 interrupted."""


@click.command(epilog=_EPILOG)
@click.argument("target", required=False)
@experiment_options
def command(**chosen: Any) -> int:
    """Run a target against itself, and say how often compare would raise a false alarm."""
    from benchbook.cli.rounds import conducted, experiment_of, present

    experiment = experiment_of("aa", chosen, {"a": chosen["target"], "b": chosen["target"]})
    ended = conducted(experiment, quiet=chosen["quiet"] or chosen["as_json"])
    return present(experiment, ended, as_json=chosen["as_json"])
