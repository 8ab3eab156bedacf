"""`python -m benchbook.proxy record|replay JSON`: one JSON line with addresses when it listens, else one plain line.

For `process`; people have `benchbook record` and `benchbook replay`. It ends with its standard input.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchbook.errors import EXIT_BAD_INPUT, EXIT_DONE, UserError
from benchbook.proxy.recorder import Order, record
from benchbook.proxy.replayer import How, Replayer, replay, spelt_speed


def _say(said: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def _say_replay(replayer: Replayer) -> None:
    cassette = replayer.cassette
    said = {"address": replayer.address, "exchanges": len(cassette.exchanges), "to": cassette.to}
    recorded_at = str(cassette.header.get("recorded_at", ""))
    _say({**said, "recorded_at": recorded_at, "damaged": [str(damage) for damage in cassette.damaged]})


def main(argv: Sequence[str]) -> int:
    verb, asked = argv[0], json.loads(argv[1])
    try:
        if verb == "record":
            order = Order(**{**asked, "cassette": Path(asked["cassette"]), "ignore": tuple(asked["ignore"])})
            record(order, lambda recording: _say({"addresses": recording.addresses}), with_parent=True)
        else:
            how = How(spelt_speed(str(asked["speed"])), asked["on_miss"], tuple(asked["ignore"]))
            replay(Path(asked["path"]), how, ("127.0.0.1", 0), _say_replay, with_parent=True)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_BAD_INPUT
    return EXIT_DONE


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
