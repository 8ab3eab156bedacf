"""`benchbook ab A B`: two targets in turn, round by round, and whether they differ."""

from __future__ import annotations

from typing import Any

import click

from benchbook.cli.rounds import experiment_options

_EPILOG = """\b
Examples:
  benchbook ab openai-sim anthropic-sim
  benchbook ab openai-sim anthropic-sim --plan plans/quick.yaml --rounds 12 --stop-early --budget-usd 2
  benchbook ab openai-sim --b-set params.temperature=0.7          two settings of one target
  benchbook ab --resume latest                                    finish the rounds that are missing
In a round A and B take turns in blocks of A B B A, one of them under load at a time, with the same test cases in the
same order. Each round is a run of its own and one observation: six are the least that can tell much, and an early stop
takes seven or more. A round that the money would not see through is not begun.
\b
Exit codes: 0 B is no worse, 1 a side had no success, 2 bad input, 3 B is worse, 4 cannot tell, 130 interrupted."""


@click.command(epilog=_EPILOG)
@click.argument("a", required=False)
@click.argument("b", required=False)
@click.option("--a-set", metavar="KEY=VALUE", multiple=True, help="A setting of A alone, e.g. params.max_tokens=64.")
@click.option("--b-set", metavar="KEY=VALUE", multiple=True, help="A setting of B alone; repeatable, as --a-set.")
@experiment_options
def command(**chosen: Any) -> int:
    """Run A and B in turn, one under load at a time, and say whether B differs from A."""
    from benchbook.cli.rounds import conducted, experiment_of, present

    sides = {"a": chosen["a"], "b": chosen["b"] or chosen["a"], "a_set": chosen["a_set"], "b_set": chosen["b_set"]}
    experiment = experiment_of("ab", chosen, sides)
    ended = conducted(experiment, quiet=chosen["quiet"] or chosen["as_json"])
    return present(experiment, ended, as_json=chosen["as_json"])
