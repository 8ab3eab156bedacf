"""How a rich drawing reaches stdout: as it is on a terminal, wide and without padding elsewhere."""

from __future__ import annotations

import sys

from rich.console import Console, RenderableType

_PIPE_WIDTH = 200


def show(drawing: RenderableType) -> None:
    """Print a drawing. Where stdout is no terminal its lines lose the blanks that pad them."""
    console = Console(highlight=False)
    if console.is_terminal:
        console.print(drawing)
        return
    console = Console(highlight=False, width=_PIPE_WIDTH)
    with console.capture() as captured:
        console.print(drawing)
    sys.stdout.write("\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n")
