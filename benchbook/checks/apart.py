"""The dataset suite in a process of its own: while this one reads large files, that one imports the package.

Only for speed: with two cores, 100,000 cases are read and judged in the time of the import and a little more. The
child is ours and speaks pickle with us alone; should it fail, the suite is evaluated here.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from benchbook.checks.engine import Outcome, evaluate, great_expectations, unhurried_gc
from benchbook.checks.rows import Row

if TYPE_CHECKING:
    import pandas as pd

WORTH_BYTES = 4_000_000
"""From this size of all files on, a second process pays."""


@contextmanager
def evaluator(paths: Sequence[str | Path]) -> Iterator[Evaluator]:
    """Begin now what will be needed once the files are read; the child, if there is one, ends with the block."""
    if "great_expectations" in sys.modules or _size(paths) < WORTH_BYTES:
        yield Evaluator(None)
        return
    with helped_by([sys.executable, "-m", "benchbook.checks.apart"]) as suite:
        yield suite


@contextmanager
def helped_by(command: Sequence[str]) -> Iterator[Evaluator]:
    """An evaluator whose child is `command`."""
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        yield Evaluator(child)
    finally:
        child.kill()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        child.wait()


class Evaluator:
    """Evaluates the dataset suite, in the child if there is one."""

    def __init__(self, child: subprocess.Popen[bytes] | None) -> None:
        self.child = child

    def outcomes(self, frame: pd.DataFrame, rows: Sequence[Row]) -> Mapping[str, Outcome]:
        from benchbook.checks.dataset_suite import rules

        found = None if self.child is None else ask(self.child, frame)
        return evaluate(frame, rules(frame, rows)) if found is None else found


def ask(child: subprocess.Popen[bytes], frame: pd.DataFrame) -> Mapping[str, Outcome] | None:
    """What the child found, None if it failed."""
    if child.stdin is None or child.stdout is None:
        return None
    try:
        pickle.dump(frame, child.stdin, protocol=5)
        child.stdin.flush()
        answer: Mapping[str, Outcome] = pickle.load(child.stdout)  # noqa: S301 - from our own child
    except (OSError, EOFError, pickle.UnpicklingError):
        return None
    return answer


def _size(paths: Sequence[str | Path]) -> int:
    total = 0
    for path in paths:
        with suppress(OSError):
            total += Path(path).stat().st_size
    return total


def main() -> None:
    """The child: import, wait for a frame, answer."""
    answers, sys.stdout = sys.stdout.buffer, sys.stderr
    great_expectations()
    from benchbook.checks import expectations  # noqa: F401 - the rest of the slow import
    from benchbook.checks.dataset_suite import rules

    with unhurried_gc():
        frame = pickle.load(sys.stdin.buffer)  # noqa: S301 - from our own parent
        pickle.dump(evaluate(frame, rules(frame, ())), answers, protocol=5)
    answers.flush()


if __name__ == "__main__":
    main()
