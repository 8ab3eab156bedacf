"""What a verb did, as somebody at a terminal sees it. The fixture `cli` runs one in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple


class Done(NamedTuple):
    """How a verb ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


Cli = Callable[..., Done]


def refused(done: Done, *says: str) -> None:
    """One line, exit code 2, and these words in it."""
    lines = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert (done.code, len(lines), done.out) == (2, 1, ""), done
    assert "Traceback" not in done.err
    for words in says:
        assert words in lines[0]
