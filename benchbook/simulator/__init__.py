"""A pretend provider behind real HTTP: every wire, a known law of delays and answers, faults on demand.

It must never be what is measured. So it is a bare protocol on uvloop; an answer is drawn, encoded and cut into
writes before its first byte is due; each write has an absolute time; and `GET /truth` says when each one was
meant to leave and when it left. docs/SIMULATOR.md describes the profile and the truth.

    serve(profile, host, port)            in a running loop -> Simulator
    run(path, host, port, announce)       blocking, for a process of its own
    start_process(path)                   that process, as a context manager that yields the address
"""

from __future__ import annotations

from benchbook.simulator.process import start_process
from benchbook.simulator.profile import Profile, load_profile
from benchbook.simulator.server import Simulator, run, serve

__all__ = ["Profile", "Simulator", "load_profile", "run", "serve", "start_process"]
