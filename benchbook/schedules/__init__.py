"""Load shapes as pure arithmetic: when trials start, in nanoseconds after the load's own start.

One kind, one file, one line in `LOADS`, imported late. A closed loop has no schedule, it has slots; an open loop
fixes every intended start in advance, so that a slow answer can't push later trials back unseen (coordinated
omission). A shape with an end of its own also says how many trials it holds. No clock and no file is read here;
randomness comes from a seed. Offsets are `array('q')`: eight bytes a trial.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, cast

from benchbook.schedules.closed import Closed
from benchbook.schedules.shape import Level, Load
from benchbook.schedules.think import think_ns

if TYPE_CHECKING:
    from collections.abc import Callable

LOADS: Mapping[str, str] = {
    "closed": "benchbook.schedules.closed.Closed",
    "constant": "benchbook.schedules.constant.Constant",
    "poisson": "benchbook.schedules.poisson.Poisson",
    "gamma": "benchbook.schedules.gamma.Gamma",
    "ramp": "benchbook.schedules.ramp.Ramp",
    "steps": "benchbook.schedules.steps.Steps",
    "spike": "benchbook.schedules.spike.Spike",
    "soak": "benchbook.schedules.soak.Soak",
    "trace": "benchbook.schedules.trace.Trace",
}


def load_of(fields: Mapping[str, object]) -> Load:
    """The shape that a plan's `load` mapping (kind and its fields) describes."""
    rest = {name: value for name, value in fields.items() if name != "kind"}
    module, _, name = LOADS[str(fields["kind"])].rpartition(".")
    return cast("Callable[..., Load]", getattr(import_module(module), name))(**rest)


def starts_ns(load: Load, warmup: int, measured: int, seed: int) -> array[int] | None:
    """Intended starts of a lane's trials, warm-up first; None for a closed loop.

    A stationary load is one sequence. A load with an end of its own keeps its whole shape for the measured
    trials: warm-up runs before it, evenly, at the rate that the shape opens with.
    """
    if load.count is None or warmup == 0:
        return load.offsets_ns(warmup + measured, seed)
    shape = load.offsets_ns(measured, seed)
    if shape is None:
        return None
    from benchbook.schedules.constant import Constant

    *lead, opens_ns = Constant(load.opening_per_s or 1.0).offsets_ns(warmup + 1, seed)
    return array("q", [*lead, *(opens_ns + at for at in shape)])


__all__ = [
    "LOADS",
    "Closed",
    "Level",
    "Load",
    "load_of",
    "starts_ns",
    "think_ns",
]
