"""`benchbook datasets`: what there is to ask."""

from __future__ import annotations

from typing import Any

import click

from benchbook.cli.options import json_option

_EPILOG = """\b
Examples:
  benchbook datasets list
  benchbook datasets show datasets/coding-tasks.json"""


@click.group(epilog=_EPILOG)
def command() -> None:
    """List datasets; show one's cases and variables."""


@command.command("list")
@click.argument("paths", nargs=-1, metavar="[FILE|FOLDER]...")
@json_option
def list_(paths: tuple[str, ...], *, as_json: bool) -> None:
    """List the datasets in datasets/, or in the files and folders named."""
    from benchbook.cli.output import print_json, print_table
    from benchbook.datasets import files, read

    found = [read(path).dataset for path in files(paths or ("datasets",))]
    columns = ("name", "version", "cases", "path", "description")
    rows = [(d.name, d.version, len(d.cases), d.path, d.description) for d in found]
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table("", columns, rows)


@command.command()
@click.argument("file")
@json_option
def show(file: str, *, as_json: bool) -> None:
    """Show a dataset: its cases, the variables that their templates use, and what they expect."""
    from benchbook.cli.output import note, print_json, print_table
    from benchbook.datasets import generated_sizes, read, variables

    reading = read(file)
    dataset = reading.dataset
    columns = ("id", "category", "variables", "prompt", "expected", "references", *_SIZES)
    rows = [
        (case.id, case.category, variables(case), _prompt(case), case.expected, list(case.references), *_sizes(case))
        for case in dataset.cases
    ]
    sizes = generated_sizes(dataset)
    if as_json:
        cases = [dict(zip(columns, row, strict=True)) for row in rows]
        head = {"name": dataset.name, "version": dataset.version, "description": dataset.description}
        print_json({**head, "generated": sizes, "cases": cases})
        return
    lines = [(*_short(row[:4]), *_right(*row[4:6]), *(row[6:] if sizes else ())) for row in rows]
    headings = (*columns[:5], *(_HEADINGS if sizes else ()))
    print_table(f"{dataset.name} {dataset.version}: {dataset.description}", headings, lines)
    if sizes:
        click.echo(_generated(sizes))
    for remark in reading.notes:
        note(str(remark))


_SIZES = ("prompt_tokens", "shared_tokens", "max_tokens")
_HEADINGS = ("prompt tokens", "of these shared", "max_tokens")


def _sizes(case: Any) -> tuple[Any, ...]:
    """What a generated case was made to, in tokens; None for a written one."""
    if case.generated is None:
        return (None, None, None)
    return (case.generated.prompt_tokens, case.generated.shared_tokens, case.config.get("max_tokens"))


def _generated(sizes: dict[str, Any]) -> str:
    low, high = sizes["prompt_tokens_min"], sizes["prompt_tokens_max"]
    size = (
        f"{low:,} tokens"
        if low == high
        else f"{low:,} to {high:,} tokens, {sizes['prompt_tokens_mean']:,.0f} on average"
    )
    return (
        f"{sizes['cases']:,} generated prompts of {size}; they share their first {sizes['shared_tokens']:,} tokens, "
        f"{sizes['shared_share']:.0%} of what is asked\n"
        "estimated at four characters a token; runs report the provider's count"
    )


def _prompt(case: Any) -> str:
    return str(case.prompt) if case.prompt is not None else " / ".join(m.content for m in case.messages or case.turns)


def _right(expected: str | None, references: list[str]) -> tuple[Any, ...]:
    """What a right answer is held against, in few words."""
    said = f"{len(references)} references" if references else None
    return _short((said if expected is None else expected,))


def _short(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(value if not isinstance(value, str) or len(value) <= 60 else value[:57] + "..." for value in row)
