"""What differs between two sides beside the numbers: code, data, libraries, price, the model served, the host."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchbook.history.frozen import frozen

Row = Mapping[str, Any]

SERVED = """
select distinct run_id, target, model_requested, model_served, system_fingerprint
from calls
where error_kind is null
order by all
"""
"""What answered: per run and target."""

_MAPS = {
    "dataset_versions": "dataset version",
    "dataset_hashes": "dataset hash",
    "dvc_hashes": "DVC hash",
    "versions": "version",
    "host_fingerprint": "host",
    "harness": "harness",
}
_PLAIN = {"git_commit": "git commit", "git_dirty": "uncommitted changes", "lock_hash": "lock file", "host": "host name"}
_BIAS = "calibrated TTFT bias"
_SHORT = 12
_MOST_SAID = 3


def differences(
    a: Sequence[Row], b: Sequence[Row], served: Sequence[Row], targets: Sequence[tuple[str, str]]
) -> list[dict[str, str]]:
    """A row per fact that differs between the sides (rows of `runs`), for these pairs of targets: `what`, `a`, `b`.

    served: rows of SERVED, of both sides.
    A side of several runs says every value it has. A fact that one side does not know is said as `-`.
    """
    facts = [_facts(side, served, [pair[at] for pair in targets]) for at, side in enumerate((a, b))]
    names = dict.fromkeys((*facts[0], *facts[1]))
    rows = ((name, facts[0].get(name, set()), facts[1].get(name, set())) for name in names)
    if _as_uncertain(a, b):
        rows = (row for row in rows if row[0] != _BIAS)
    return [{"what": name, "a": _said(of_a), "b": _said(of_b)} for name, of_a, of_b in rows if of_a != of_b]


def _facts(runs: Sequence[Row], served: Sequence[Row], targets: Sequence[str]) -> dict[str, set[str]]:
    """Fact -> every value that the side has of it. Of targets the facts go by their place in the pair, so that two
    targets of different names are held against each other."""
    found: dict[str, set[str]] = {}
    for run in runs:
        for column, name in _PLAIN.items():
            _add(found, name, run.get(column))
        for column, name in _MAPS.items():
            for key, value in dict(run.get(column) or {}).items():
                _add(found, f"{name}: {key}", value)
        if run.get("calibration_ttft_bias_ms") is not None:
            _add(found, _BIAS, f"{run['calibration_ttft_bias_ms']:.2f} ms")
        _add_plan(found, run, targets)
    ids = {run["run_id"] for run in runs}
    _add_served(found, [row for row in served if row["run_id"] in ids], targets)
    return found


def _as_uncertain(a: Sequence[Row], b: Sequence[Row]) -> bool:
    """Whether the sides' calibrations differ by no more than either's own uncertainty."""
    known = [row for row in (*a, *b) if row.get("calibration_ttft_bias_ms") is not None]
    biases = [row["calibration_ttft_bias_ms"] for row in known]
    return bool(known) and max(biases) - min(biases) <= 2 * min(row["calibration_ttft_u_ms"] or 0.0 for row in known)


def _add_plan(found: dict[str, set[str]], run: Row, targets: Sequence[str]) -> None:
    """Model, address, parameters and price of each target, as the plan was frozen."""
    plan = frozen(run.get("plan"))
    specs = {spec["name"]: spec for spec in plan.get("sections", {}).get("execute", {}).get("targets", ())}
    for place, target in enumerate(targets):
        spec, price = specs.get(target), plan.get("prices", {}).get(target)
        mark = _mark(place, targets)
        for name in ("provider", "model", "base_url", "region", "stream"):
            _add(found, f"{name.replace('base_url', 'address')}{mark}", (spec or {}).get(name))
        for name, value in ((spec or {}).get("params") or {}).items():
            _add(found, f"parameter {name}{mark}", value if value != [] else None)
        for name, value in (price or {}).items():
            _add(found, f"price {name}{mark}", value if name != "source" else None)


def _add_served(found: dict[str, set[str]], served: Sequence[Row], targets: Sequence[str]) -> None:
    for row in served:
        for place, target in enumerate(targets):
            if row["target"] == target:
                mark = _mark(place, targets)
                _add(found, f"model requested{mark}", row["model_requested"])
                _add(found, f"model served{mark}", row["model_served"])
                _add(found, f"system fingerprint{mark}", row["system_fingerprint"])


def _mark(place: int, targets: Sequence[str]) -> str:
    return f" of {targets[place]}" if len(targets) > 1 else ""


def _add(found: dict[str, set[str]], name: str, value: Any) -> None:
    if value is not None:
        found.setdefault(name, set()).add(_word(value))


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value)
    hexadecimal = len(text) >= 32 and set(text) <= set("0123456789abcdef")
    return text[:_SHORT] if hexadecimal else text


def _said(values: Iterable[str]) -> str:
    listed = sorted(values)
    more = f" and {len(listed) - _MOST_SAID} more" if len(listed) > _MOST_SAID else ""
    return ", ".join(listed[:_MOST_SAID]) + more or "-"
