"""`benchbook profile`: named baselines, per target the run that others are held against."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from benchbook.cli.options import json_option, results_option

_EPILOG = """\b
Examples:
  benchbook profile set production --target openai-sim --run latest
  benchbook profile update production --target openai-sim --run 20261121T08
  benchbook profile                            those that hold
  benchbook profile show production            with the history of their updates
  benchbook compare profile=production "target=openai-sim last=1"
Each update is a small file under RESULTS/baselines and none is overwritten. `trend` and `alerts` hold a target's
histories against its baseline; setting one on a newer run accepts the change before it."""


class _Listing(click.Group):
    """Without a word it lists."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        from benchbook.errors import UserError

        if args and args[0] not in self.commands:
            raise UserError(args[0], "is no word of profile", f"one of {', '.join(self.commands)}")
        return super().resolve_command(ctx, args)


@click.group(cls=_Listing, epilog=_EPILOG, invoke_without_command=True)
@results_option
@json_option
@click.pass_context
def command(ctx: click.Context, /, **chosen: Any) -> None:
    """List named baselines; show, set, update and archive them."""
    if ctx.invoked_subcommand is None:
        _list(**chosen)
    else:  # what stands before the word holds for it too
        ctx.default_map = {ctx.invoked_subcommand: chosen}


@command.command(name="list")
@results_option
@json_option
def list_(**chosen: Any) -> None:
    """List the baselines that hold."""
    _list(**chosen)


def _list(results: str, *, as_json: bool) -> None:
    from benchbook.results.baselines import standing

    _tell(standing(results), as_json=as_json, empty=f"no baseline is set in {results}")


@command.command()
@click.argument("name")
@results_option
@json_option
def show(name: str, results: str, *, as_json: bool) -> None:
    """Show a name's baselines with the history of their updates."""
    from benchbook.errors import UserError
    from benchbook.results.baselines import updates

    every = updates(results)
    rows = [one for one in every if one.name == name]
    if not rows:
        known = ", ".join(sorted({one.name for one in every})) or "none is set"
        raise UserError(name, "no baseline has this name", known)
    _tell(rows, as_json=as_json, empty="")


def _tell(rows: list[Any], *, as_json: bool, empty: str) -> None:
    from dataclasses import asdict

    from benchbook.cli.output import note, print_json, print_table

    if as_json:
        print_json([asdict(row) for row in rows])
    elif rows:
        columns = ("profile", "target", "update", "action", "run", "at (UTC)")
        print_table("", columns, [[r.name, r.target, r.number or None, r.action, r.run_id, r.at] for r in rows])
    else:
        note(f"{empty}: `benchbook profile set NAME --target TARGET --run RUN`")


_target = click.option("--target", metavar="TARGET", required=True, help="The target that the baseline is of.")
_run = click.option("--run", metavar="RUN", required=True, help="A run: id, start of one, latest, latest~N.")


def _putting(action: str) -> Callable[..., None]:
    def put_it(name: str, target: str, results: str, run: str = "") -> None:
        from benchbook.clock import SystemClock, utc
        from benchbook.history.baselining import put

        at = f"{utc(SystemClock().wall_ns()):%Y-%m-%dT%H:%M:%SZ}"
        done = put(results, action, (name, target), run, at)
        said = {"set": "is", "update": "is now", "archive": "is archived; it was"}[action]
        click.echo(f"profile {name} of {target} {said} run {done.run_id}")
        click.echo(f"next     benchbook trend {target}")

    return put_it


command.command(name="set", help="Name a run as a target's baseline.")(
    click.argument("name")(_target(_run(results_option(_putting("set")))))
)
command.command(name="update", help="Put another run in a baseline's place; the old one stays in its history.")(
    click.argument("name")(_target(_run(results_option(_putting("update")))))
)
command.command(name="archive", help="End a baseline; its history is kept.")(
    click.argument("name")(_target(results_option(_putting("archive"))))
)
