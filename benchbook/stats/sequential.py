"""An experiment that may be looked at after every block, and stopped when the answer is there. Pure.

A block's difference d (B minus A, in logs) is as likely +x as -x when A and B are the same: within a block their order
was drawn, and a swap turns the sign. Given |d|, a bet of tanh(l |d|) on the sign multiplies a stake by
1 + sign(d) tanh(l |d|) = exp(l d) / cosh(l d), whose mean is then exactly 1, whatever the law of |d|: no normality, no
equal variances, no independence of sizes. The mean over a grid of l of the stakes after n blocks is an e-value
(de la Pena, Annals of Probability 27, 1999; Ramdas, Gruenwald, Vovk and Shafer, Statistical Science 38, 2023): by
Ville's inequality it ever reaches 1 / alpha with probability at most alpha, so it may be looked at after every block.
The grid is in units of the typical |d|, which knows no sign and so may be taken from the data.

The confidence sequence is what survives: all shifts m for which the process on d - m has never reached 1 / alpha.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ALPHA = 0.05
_BETS = (0.4, 1.2, 4.0)
_GRID = 201


@dataclass(frozen=True, slots=True)
class Sequential:
    """After `blocks`: e, the evidence against `no difference`; p = 1 / the largest e so far, at most 1.

    low, high: of the difference, at confidence 1 - alpha, valid at every look; None where nothing bounds it yet.
    """

    blocks: int
    e: float
    p: float
    low: float | None
    high: float | None

    def clear(self) -> bool:
        """Whether the difference is not 0."""
        return (self.low is not None and self.low > 0) or (self.high is not None and self.high < 0)

    def inside(self, margin: float) -> bool:
        """Whether the difference lies within +- margin."""
        return self.low is not None and self.high is not None and -margin < self.low and self.high < margin


def sequential(differences: Sequence[float], *, alpha: float = ALPHA) -> Sequential:
    """What blocks say so far; any number of looks. `differences` in order of time."""
    import numpy as np

    of = np.asarray(differences, dtype=float)
    path = e_values(of)
    largest = max(1.0, float(path.max(initial=1.0)))
    low, high = confidence_sequence(of, alpha=alpha)
    return Sequential(len(of), float(path[-1]) if len(path) else 1.0, 1 / largest, low, high)


def e_values(differences: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """The e-value after each block. Zeros bet nothing. Shape (..., blocks) in, the same out: series by rows."""
    import numpy as np

    of = np.asarray(differences, dtype=float)
    if of.shape[-1] == 0:
        return np.ones(of.shape)
    size = np.abs(of)
    typical = np.sqrt(np.cumsum(size**2, axis=-1) / np.arange(1, of.shape[-1] + 1))
    unit = np.divide(of, typical, out=np.zeros_like(of), where=typical > 0)
    stakes = np.zeros(of.shape)
    for bet in _BETS:
        for side in (1, -1):
            x = side * bet * unit
            stakes += np.exp(np.cumsum(x - _log_cosh(x), axis=-1))
    return stakes / (2 * len(_BETS))


def confidence_sequence(
    differences: Sequence[float] | NDArray[np.float64], *, alpha: float = ALPHA
) -> tuple[float | None, float | None]:
    """The hull of the shifts that no look has ruled out; (None, None) while the ends are open, or none is left."""
    import numpy as np

    of = np.asarray(differences, dtype=float)
    if not len(of):
        return None, None
    span = max(float(of.max() - of.min()), float(np.abs(of).max()), 1e-12)
    low, high = float(of.min()) - 4 * span, float(of.max()) + 4 * span
    middles = (float(np.median(of)), float(of.mean()))  # a narrow sequence may lie between two steps of the grid
    shifts = np.unique([*np.linspace(low, high, _GRID), *middles])
    kept = np.nonzero(_survives(of, shifts, alpha))[0]
    if not len(kept) or kept[0] == 0 or kept[-1] == len(shifts) - 1:
        return None, None
    return (
        _edge(of, float(shifts[kept[0] - 1]), float(shifts[kept[0]]), alpha),
        _edge(of, float(shifts[kept[-1] + 1]), float(shifts[kept[-1]]), alpha),
    )


def _survives(of: NDArray[np.float64], shifts: NDArray[np.float64], alpha: float) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = e_values(of[None, :] - shifts[:, None]).max(axis=-1) < 1 / alpha
    return found


def _edge(of: NDArray[np.float64], out: float, within: float, alpha: float) -> float:
    """Between a shift that is ruled out and one that is not: the outer side, to the last of 30 halvings."""
    import numpy as np

    for _ in range(30):
        middle = (out + within) / 2
        if _survives(of, np.array([middle]), alpha)[0]:
            within = middle
        else:
            out = middle
    return out


def _log_cosh(x: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    size = np.abs(x)
    found: NDArray[np.float64] = size + np.log1p(np.exp(-2 * size)) - math.log(2)
    return found
