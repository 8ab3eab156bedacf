"""Dated price files: `FILE#KEY` -> a price vector."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import yaml

from benchbook.errors import PlanError
from benchbook.records import Price


def resolve_price(address: str, source: str, target: str) -> Price:
    """`FILE#KEY` -> the dated price vector. FILE is taken from here, else from the plan's folder."""
    where = f"{source}: price of target {target}"
    name, sign, key = address.partition("#")
    if not sign:
        raise PlanError(where, f"{address!r} names no entry", "write FILE#provider/model")
    path = Path(name) if Path(name).exists() else Path(source).parent / name
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        entry = document["prices"][key]
        numbers = {kind: _price_number(entry[kind]) for kind in _PRICE_KINDS if entry.get(kind) is not None}
        return Price(date=str(document["date"]), source=str(entry.get("source", "")), **numbers)
    except OSError:
        raise PlanError(where, f"no price file {name}", "price files lie under datasets/prices/") from None
    except KeyError:
        known = ", ".join(list(document.get("prices", {}))[:6]) if isinstance(document, dict) else ""
        raise PlanError(where, f"{name} has no entry {key!r}", f"it has: {known}") from None
    except (yaml.YAMLError, TypeError, AttributeError, ValueError) as error:
        raise PlanError(where, f"{name} is not a price file ({error})", "see datasets/prices/") from None


_PRICE_KINDS = ("input", "cached", "cache_write", "output", "reasoning", "request")


def _price_number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number) or number < 0:
        raise ValueError(f"price {value!r} is no amount of money")
    return number
