"""Records that are made by the thousand each second: frozen to the type checker, plain slotted dataclasses at run time.

A frozen dataclass sets its fields one by one through `object.__setattr__`, some twenty times the work of a plain store;
a measured call makes a dozen records with over a hundred fields. mypy holds these to be as frozen as the others.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(kind: type[T]) -> type[T]:
    """Make a class such a record. It hashes as a frozen one does, unless it says itself how."""
    return dataclass(slots=True, unsafe_hash="__hash__" not in vars(kind))(kind)
