"""A count held against `at_least` (1 by default, 0 where only a most is said) and `at_most` (no limit by default)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LIMITS = {"at_least": int, "at_most": int}


def limits_fault(options: Mapping[str, Any]) -> str | None:
    """What is wrong with the limits, in words; None if nothing is."""
    least, most = limits(options)
    if least < 0 or (most is not None and most < 0):
        return "at_least and at_most are numbers from 0 on"
    return f"at_least {least} is more than at_most {most}" if most is not None and least > most else None


def limits(options: Mapping[str, Any]) -> tuple[int, int | None]:
    """The least and the most that is right."""
    most = options.get("at_most")
    return options.get("at_least", 1 if most is None else 0), most


def within(options: Mapping[str, Any], count: int, what: str) -> tuple[float, bool, str]:
    """Value, passed, detail of a count: `sql was used 2 times`."""
    least, most = limits(options)
    passed = least <= count and (most is None or count <= most)
    wanted = f"at least {least}" if count < least else f"at most {most}"
    times = f"{what} {count} time{'' if count == 1 else 's'}"
    return float(passed), passed, times if passed else f"{times}, {wanted} wanted"
