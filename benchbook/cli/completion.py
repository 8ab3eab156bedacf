"""`benchbook completion`: tab completion for the shell."""

from __future__ import annotations

import click

_EPILOG = """\b
Examples:
  benchbook completion bash >> ~/.bashrc
  benchbook completion zsh  >> ~/.zshrc
  benchbook completion fish > ~/.config/fish/completions/benchbook.fish"""


@click.command(epilog=_EPILOG)
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def command(shell: str) -> None:
    """Print the shell completion script."""
    from click.shell_completion import get_completion_class

    from benchbook.cli import root

    completion = get_completion_class(shell)
    if completion is not None:
        click.echo(completion(root, {}, "benchbook", "_BENCHBOOK_COMPLETE").source())
