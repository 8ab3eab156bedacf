"""Load shapes as pure arithmetic: when trials start, in nanoseconds after the load's own start.

One kind, one file, one line in `LOADS`. A closed loop has no schedule, it has slots; an open loop fixes every
intended start in advance, so that a slow answer can't push later trials back unseen (coordinated omission). A
shape with an end of its own also says how many trials it holds. No clock and no file is read here; randomness
comes from a seed. Offsets are `array('q')`: eight bytes a trial.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping

from benchbook.schedules.closed import Closed
from benchbook.schedules.constant import Constant
from benchbook.schedules.gamma import Gamma
from benchbook.schedules.poisson import Poisson
from benchbook.schedules.ramp import Ramp
from benchbook.schedules.shape import Level, Load
from benchbook.schedules.soak import Soak
from benchbook.schedules.spike import Spike
from benchbook.schedules.steps import Step, Steps
from benchbook.schedules.think import think_ns
from benchbook.schedules.trace import Trace

LOADS: Mapping[str, type[Load]] = {
    "closed": Closed,
    "constant": Constant,
    "poisson": Poisson,
    "gamma": Gamma,
    "ramp": Ramp,
    "steps": Steps,
    "spike": Spike,
    "soak": Soak,
    "trace": Trace,
}


def load_of(fields: Mapping[str, object]) -> Load:
    """The shape that a plan's `load` mapping (kind and its fields) describes."""
    rest = {name: value for name, value in fields.items() if name != "kind"}
    return LOADS[str(fields["kind"])](**rest)


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
    *lead, opens_ns = Constant(load.opening_per_s or 1.0).offsets_ns(warmup + 1, seed)
    return array("q", [*lead, *(opens_ns + at for at in shape)])


__all__ = [
    "LOADS",
    "Closed",
    "Constant",
    "Gamma",
    "Level",
    "Load",
    "Poisson",
    "Ramp",
    "Soak",
    "Spike",
    "Step",
    "Steps",
    "Trace",
    "load_of",
    "starts_ns",
    "think_ns",
]
