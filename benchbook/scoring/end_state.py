"""end_state: what a trial reached at its end is what it was meant to reach.

reached: field -> what it must hold. A list is reached where each of its members is there, in any order and among
others; an object where each of its fields is reached; anything else where it is equal. The value is the share of the
fields that were reached.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchbook.scoring import Done

OPTIONS = {"reached": dict}


def needs(answers: tuple[str, ...], options: Mapping[str, Any]) -> str | None:  # noqa: ARG001 - a scorer's signature
    return None if options.get("reached") else "end_state needs reached: the fields and what they must hold"


def score(options: Mapping[str, Any], done: Done) -> tuple[float, bool, str]:
    wanted: Mapping[str, Any] = options["reached"]
    missed = [name for name in wanted if not _reached(done.end_state.get(name), wanted[name])]
    value = (len(wanted) - len(missed)) / len(wanted)
    if not missed:
        return value, True, f"reached {', '.join(wanted)}"
    told = "; ".join(f"{name} is {done.end_state.get(name)!r}, not {wanted[name]!r}" for name in missed)
    return value, False, told


def _reached(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(_reached(found.get(name), wanted[name]) for name in wanted)
    if isinstance(wanted, list):
        return isinstance(found, list | tuple) and all(any(_reached(one, part) for one in found) for part in wanted)
    return bool(found == wanted) and isinstance(found, bool) == isinstance(wanted, bool)
