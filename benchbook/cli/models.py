"""`benchbook models`: who is configured, and what their providers offer."""

from __future__ import annotations

from typing import Any

import click

from benchbook.cli.options import job_of, json_option, plan_options

_EPILOG = """\b
Examples:
  benchbook models                               the default plan's targets
  benchbook models --plan plans/ollama.yaml
  benchbook models --target openai:gpt-4o-mini   what this key may use"""


@click.command(epilog=_EPILOG)
@plan_options
@click.option("--all", "every", is_flag=True, help="List every model that is offered, not only whether yours is.")
@json_option
def command(**chosen: Any) -> None:
    """List configured targets and ask each provider what it offers."""
    from benchbook.cli.output import print_json, print_table
    from benchbook.runner.offers import offers_of

    chosen["datasets"] = chosen["datasets"] or (("-",) if chosen["targets"] else ())
    rows = offers_of(job_of(chosen).spec())
    if chosen["as_json"]:
        print_json(rows)
        return
    columns = ("target", "provider", "model", "address", "available", "offered", "note")
    print_table("", columns, [_line(row) for row in rows])
    for row in rows if chosen["every"] else ():
        print_table(row["target"], ("model", "detail"), [(model["id"], model["detail"]) for model in row["models"]])


def _line(row: dict[str, Any]) -> list[Any]:
    silent = "its list of models is empty" if not row["models"] and not row["note"] else row["note"]
    facts = [row[name] for name in ("target", "provider", "model", "address", "available")]
    return [*facts, len(row["models"]), silent]
