"""`python -m benchbook.simulator`: one JSON line with the address when it listens, one plain line when it can't."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from benchbook.errors import EXIT_BAD_INPUT, EXIT_DONE, UserError
from benchbook.simulator.server import run


def _announce(address: str) -> None:
    sys.stdout.write(json.dumps({"address": address}) + "\n")
    sys.stdout.flush()


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchbook.simulator", description="A pretend model provider.")
    parser.add_argument("--port", type=int, default=0, help="0 (the default) takes a free one")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--profile", help="a YAML file; left out: instant echoes")
    parser.add_argument("--with-parent", action="store_true", help="end when standard input ends")
    asked = parser.parse_args(argv)
    try:
        run(asked.profile, asked.host, asked.port, _announce, with_parent=asked.with_parent)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_BAD_INPUT
    return EXIT_DONE


if __name__ == "__main__":
    raise SystemExit(main())
