"""Think time: how long a virtual user of a closed loop pauses before the next trial, as a law and a seed."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping

from benchbook.schedules.shape import SECOND_NS

THINK: Mapping[str, Callable[[random.Random, Mapping[str, float]], float]] = {
    "constant": lambda _chance, law: law["s"],
    "uniform": lambda chance, law: chance.uniform(law["from_s"], law["to_s"]),
    "exponential": lambda chance, law: chance.expovariate(1 / law["mean_s"]) if law["mean_s"] else 0.0,
    "lognormal": lambda chance, law: chance.lognormvariate(math.log(law["median_s"]), law["sigma"]),
}
"""Law -> seconds, drawn from a generator and the law's numbers."""


def think_ns(law: Mapping[str, float | str], seed: int) -> int:
    """The pause after the trial with this seed, in ns. law: `kind` and its numbers, in seconds."""
    numbers = {name: float(value) for name, value in law.items() if name != "kind"}
    chance = random.Random(f"think {seed}")  # noqa: S311
    return round(THINK[str(law["kind"])](chance, numbers) * SECOND_NS)
