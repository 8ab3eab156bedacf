"""Dated price files: `FILE#KEY` -> a price vector; and what is to be said of prices before money is spent."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchbook.errors import PlanError
from benchbook.records import Price

if TYPE_CHECKING:
    from benchbook.config import PlanSpec

OLD_DAYS = 180
"""A price that was collected so many days before a run is called old."""

_PRICE_KINDS = ("input", "cached", "cache_write", "output", "reasoning", "request")
_FOLDER = "datasets/prices/"


def resolve_price(address: str, source: str, target: str) -> Price:
    """`FILE#KEY` -> the dated price vector. FILE is taken from here, else from the plan's folder."""
    where = f"{source}: price of target {target}"
    name, sign, key = address.partition("#")
    if not sign:
        raise PlanError(where, f"{address!r} names no entry", "write FILE#provider/model")
    document = _document(Path(name) if Path(name).exists() else Path(source).parent / name, where, name)
    if key not in document["prices"]:
        raise PlanError(where, f"{name} has no entry {key!r}", f"it has: {', '.join(list(document['prices'])[:6])}")
    return _price(document, key, where, name)


def read_prices(path: str | Path) -> dict[str, Price]:
    """Every entry of a price file, by its key. Raises PlanError."""
    where = str(path)
    document = _document(Path(path), where, where)
    return {key: _price(document, key, where, where) for key in document["prices"]}


def age_days(price_date: str | None, on: date) -> int | None:
    """Days from a price's date (a day, or the first of a month) to `on`; None where it is no date."""
    found = re.fullmatch(r"(\d{4}-\d{2})(-\d{2})?", price_date or "")
    try:
        return (on - date.fromisoformat(f"{found[1]}{found[2] or '-01'}")).days if found else None
    except ValueError:
        return None


def price_notes(spec: PlanSpec, today: date) -> Iterator[str]:
    """What a person should know before the run: targets whose cost will be unknown, and prices that are old."""
    unpriced = [target.name for target in spec.execute.targets if target.name not in spec.prices]
    if unpriced:
        yield (
            f"no price for {', '.join(unpriced)}: the cost of these trials will be unknown (null) and no budget counts "
            f"them; give the target a price, e.g. price: {_FOLDER}FILE.yaml#PROVIDER/MODEL"
        )
    for name, price in spec.prices.items():
        lacking = [kind for kind in ("input", "output") if getattr(price, kind) is None]
        if lacking:
            yield f"the price of {name} has no {' and no '.join(lacking)} price: the cost of its trials will be unknown"
        age = age_days(price.date, today)
        if age is None:
            yield f"the price of {name} bears no date that can be read ({price.date!r}): write date: {today}"
        elif age > OLD_DAYS:
            yield f"the price of {name} is of {price.date}, {age} days old: check it, and add a new dated file"


def _document(path: Path, where: str, name: str) -> Mapping[str, Any]:
    """The parsed file, with a date and a mapping of prices."""
    import yaml

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError:
        raise PlanError(where, f"no price file {name}", f"price files lie under {_FOLDER}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        said = " ".join(str(error).split())
        raise PlanError(where, f"{name} is not a price file ({said})", f"see {_FOLDER}") from None
    if not (isinstance(document, dict) and isinstance(document.get("prices"), dict) and "date" in document):
        raise PlanError(where, f"{name} is not a price file (it has no date and prices)", f"see {_FOLDER}")
    return document


def _price(document: Mapping[str, Any], key: str, where: str, name: str) -> Price:
    entry = document["prices"][key]
    try:
        numbers = {kind: _price_number(entry[kind]) for kind in _PRICE_KINDS if entry.get(kind) is not None}
        return Price(date=str(document["date"]), source=str(entry.get("source", "")), **numbers)
    except (TypeError, AttributeError, ValueError) as error:
        raise PlanError(where, f"{name} is not a price file ({key}: {error})", f"see {_FOLDER}") from None


def _price_number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number) or number < 0:
        raise ValueError(f"price {value!r} is no amount of money")
    return number
