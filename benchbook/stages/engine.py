"""The measuring process: reads a job from stdin, measures, and talks in JSON lines on stdout.

It may be begun before there is a job: it loads what any job needs, sends nothing, and ends if none comes.
Lines: `{"kind": "progress" | "done" | "error", "body": ...}`. It is born with interrupts held back and lets them in
once it has its job: before the load starts one ends it, with EXIT_INTERRUPTED and without a word; under load it stops
gracefully. When its stdin ends, its parent is gone, and it goes too: finished trials are in the journal, `--resume`
does the rest.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import orjson

from benchbook import startup
from benchbook.errors import EXIT_INTERRUPTED, UserError, error_fields
from benchbook.stages import job_from
from benchbook.stages.execute import execute

EXIT_ORPHANED = 137


def main() -> None:
    """Measure the one job that stdin gives, if it gives one."""
    startup.begin()
    _load()
    line = sys.stdin.buffer.readline()
    if not line:
        return
    job = job_from(orjson.loads(line))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        # Whoever began us may ignore interrupts, as a shell's background job does; ours are meant for us.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        outcome = execute(job, lambda fields: _say("progress", fields))
    except UserError as error:
        _say("error", error_fields(error))
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    _say("done", asdict(outcome))


def _load() -> None:
    """What every job needs, before one is there."""
    import benchbook.config
    import benchbook.runner.demands
    import benchbook.runner.session  # noqa: F401


def _say(kind: str, body: Mapping[str, Any]) -> None:
    sys.stdout.buffer.write(orjson.dumps({"kind": kind, "body": body}) + b"\n")
    sys.stdout.buffer.flush()


def _end_with_parent() -> None:
    # Unbuffered: a thread that waits inside a buffered reader would hold its lock while the interpreter ends.
    while os.read(0, 4096):
        pass
    os._exit(EXIT_ORPHANED)


if __name__ == "__main__":
    main()
