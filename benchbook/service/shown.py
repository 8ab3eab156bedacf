"""What a page is before it is sent: plain data for /api, and the text for people, made only when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Asked:
    """A request. path: its named parts; words: parameter -> its values, in order, of the address and of a form."""

    results: Path
    path: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def word(self, name: str) -> str:
        """A parameter's last value, stripped; "" where it was not given."""
        return (self.words.get(name) or ("",))[-1].strip()


@dataclass(frozen=True, slots=True)
class Shown:
    """data: what /api sends; page: makes the HTML text; links: (address, text) that the bar shows beside its own."""

    data: Any
    page: Callable[[], str]
    links: tuple[tuple[str, str], ...] = ()
    status: int = 200
