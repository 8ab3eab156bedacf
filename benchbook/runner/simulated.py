"""The simulator as part of a run: started where a target asks for it, its address put in the name's place.

Its port is in no hash: targets are told the address only when they are opened.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from benchbook.config import SIMULATOR, PlanSpec
from benchbook.errors import PlanError
from benchbook.records import Target


@contextmanager
def simulator(spec: PlanSpec) -> Iterator[str | None]:
    """The address of a simulator process that lives as long as this does; None where no target asks for one.

    Raises PlanError for a profile that is not there or can't be read.
    """
    if all(target.base_url != SIMULATOR for target in spec.execute.targets):
        yield None
        return
    from benchbook.simulator import start_process

    profile = Path(spec.execute.simulator) if spec.execute.simulator else None
    if profile is not None and not profile.is_file():
        raise PlanError(spec.source, f"execute.simulator: no profile {profile}", "profiles lie in datasets/simulator/")
    with start_process(profile) as address:
        yield address


def addressed(target: Target, address: str | None) -> Target:
    """The target with the simulator's address in place of its name."""
    if target.base_url != SIMULATOR or address is None:
        return target
    return replace(target, base_url=address + ("/v1" if target.provider == "openai" else ""))
