"""Arrival traces: a CSV or JSONL file with one recorded request a line -> starts and lengths, in order of time.

Columns: `timestamp_s` (seconds from any origin), and where known `input_tokens` and `output_tokens`. Other columns
are left alone.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from benchbook.errors import PlanError

_SECOND_NS = 1_000_000_000
_RIGHT = "one request a line: timestamp_s, and if known input_tokens and output_tokens"


@dataclass(frozen=True, slots=True)
class Arrivals:
    """A trace as read. at_ns: ascending, from 0; tokens: None for a request of which the trace does not say."""

    at_ns: tuple[int, ...]
    input_tokens: tuple[int | None, ...]
    output_tokens: tuple[int | None, ...]
    sha256: str

    def fields(self) -> dict[str, Any]:
        """As plain data; `Arrivals(**fields)` with tuples reads it back."""
        return {name: getattr(self, name) for name in self.__slots__}


def arrivals_of(fields: Mapping[str, Any]) -> Arrivals:
    """What `Arrivals.fields` gave."""
    at_ns, tokens_in, tokens_out = (tuple(fields[name]) for name in ("at_ns", "input_tokens", "output_tokens"))
    return Arrivals(at_ns, tokens_in, tokens_out, str(fields["sha256"]))


def resolve_trace(name: str, source: str) -> Arrivals:
    """Read the trace `name`, from here or else from the plan's folder. Raises PlanError with file and line."""
    path = Path(name) if Path(name).exists() else Path(source).parent / name
    try:
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
    except OSError:
        raise PlanError(f"{source}: execute.load.file", f"no trace {name}", "traces lie in datasets/traces/") from None
    except UnicodeDecodeError:
        raise PlanError(str(path), "is no UTF-8 text", _RIGHT) from None
    lines = text.splitlines()
    rows = _jsonl(lines, path) if path.suffix in (".jsonl", ".ndjson") else _csv(lines, path)
    found = sorted((_request(row, f"{path}:{number}") for number, row in rows), key=lambda request: request[0])
    if not found:
        raise PlanError(str(path), "holds no request", _RIGHT)
    first_s = found[0][0]
    return Arrivals(
        tuple(round((at_s - first_s) * _SECOND_NS) for at_s, _, _ in found),
        tuple(tokens_in for _, tokens_in, _ in found),
        tuple(tokens_out for _, _, tokens_out in found),
        sha256(data).hexdigest(),
    )


def _csv(lines: list[str], path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    rows = csv.DictReader(lines)
    if "timestamp_s" not in (rows.fieldnames or ()):
        raise PlanError(f"{path}:1", "has no column timestamp_s", _RIGHT)
    for row in rows:
        yield rows.line_num, row


def _jsonl(lines: list[str], path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise PlanError(f"{path}:{number}", "is no JSON object", _RIGHT)
        yield number, row


def _request(row: Mapping[str, Any], where: str) -> tuple[float, int | None, int | None]:
    try:
        at_s = float(row["timestamp_s"])
    except (KeyError, TypeError, ValueError):
        at_s = math.nan
    if not math.isfinite(at_s):
        raise PlanError(where, f"timestamp_s is {row.get('timestamp_s')!r}", "a number of seconds, as in 12.5")
    return at_s, _tokens(row, "input_tokens", where), _tokens(row, "output_tokens", where)


def _tokens(row: Mapping[str, Any], name: str, where: str) -> int | None:
    value = row.get(name)
    if value in (None, ""):
        return None
    try:
        number = float(str(value))
    except ValueError:
        number = math.nan
    if not number.is_integer() or number < 0:
        raise PlanError(where, f"{name} is {value!r}", "a whole number of tokens, or empty where it is not known")
    return int(number)
