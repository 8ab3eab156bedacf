"""What stands in for a provider: the simulator, or a cassette that is replayed, started where a target asks for it.

Their addresses are put in the names' place when targets are opened; the ports are in no hash.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchbook.config import CASSETTE, SIMULATOR, PlanSpec
from benchbook.errors import PlanError
from benchbook.records import Target


@dataclass(frozen=True, slots=True)
class StandIns:
    """Addresses by the `base_url` that asks for them, and what there is to say about them."""

    addresses: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@contextmanager
def stand_ins(spec: PlanSpec) -> Iterator[StandIns]:
    """Processes that live as long as this does: a simulator and a replay of each cassette, as the targets ask.

    Raises UserError for a profile or a cassette that is not there or can't be read.
    """
    asked = dict.fromkeys(target.base_url or "" for target in spec.execute.targets)
    addresses: dict[str, str] = {}
    notes: list[str] = []
    with ExitStack() as stack:
        for base_url in asked:
            if base_url == SIMULATOR:
                addresses[base_url] = stack.enter_context(_simulator(spec))
            elif base_url.startswith(CASSETTE):
                addresses[base_url], said = stack.enter_context(_cassette(spec, base_url.removeprefix(CASSETTE)))
                notes += said
        yield StandIns(addresses, tuple(notes))


@contextmanager
def _simulator(spec: PlanSpec) -> Iterator[str]:
    from benchbook.simulator import start_process

    profile = Path(spec.execute.simulator) if spec.execute.simulator else None
    if profile is not None and not profile.is_file():
        raise PlanError(spec.source, f"execute.simulator: no profile {profile}", "profiles lie in datasets/simulator/")
    with start_process(profile) as address:
        yield address


@contextmanager
def _cassette(spec: PlanSpec, path: str) -> Iterator[tuple[str, list[str]]]:
    """The address, and a note that says where the answers come from."""
    if not Path(path).is_file():
        raise PlanError(spec.source, f"base_url: no cassette {path}", "`benchbook record` makes one")
    from benchbook.proxy.process import start_replay
    from benchbook.proxy.replayer import MAX, How

    asked = spec.execute.replay
    how = How(MAX if asked.speed == "max" else asked.speed, asked.on_miss, asked.ignore)
    with start_replay(path, how) as serving:
        speed = "as fast as possible" if asked.speed == "max" else f"at {asked.speed:g}x"
        note = f"{path} is replayed {speed}: {serving.exchanges} exchanges with {serving.to}, of {serving.recorded_at}"
        yield serving.address, [note, *serving.damaged]


def addressed(target: Target, addresses: Mapping[str, str]) -> Target:
    """The target with a stand-in's address in place of its name. Replay finds a path with or without its prefix."""
    address = addresses.get(target.base_url or "")
    if address is None:
        return target
    prefix = "/v1" if target.provider == "openai" and target.base_url == SIMULATOR else ""
    return replace(target, base_url=address + prefix)
