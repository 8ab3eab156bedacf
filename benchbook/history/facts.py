"""What a run's numbers stand on, fact by fact: whose it is, its name, and its value in words.

    ours       the code (git commit, lock, versions), datasets, price, and what the plan says of the target and the load
    machine    the host, the harness on it, and its calibration
    provider   the model served, the system fingerprint

Pure: from rows of `runs`, or of a question with columns of theirs; a column that a row lacks is a fact that is not
known, and so is a null.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from benchbook.history.frozen import frozen

Row = Mapping[str, Any]
OURS, MACHINE, PROVIDER = "ours", "machine", "provider"
Fact = tuple[str, str]
"""Whose it is (OURS, MACHINE or PROVIDER), and its name."""
Facts = Iterator[tuple[Fact, str]]

BIAS: Fact = (MACHINE, "calibrated TTFT bias")
_PLAIN: Mapping[str, Fact] = {
    "git_commit": (OURS, "git commit"),
    "git_dirty": (OURS, "uncommitted changes"),
    "lock_hash": (OURS, "lock file"),
    "price_date": (OURS, "price date"),
    "host": (MACHINE, "host"),
}
_MAPS: Mapping[str, Fact] = {
    "dataset_versions": (OURS, "dataset version of"),
    "dataset_hashes": (OURS, "dataset hash of"),
    "dvc_hashes": (OURS, "DVC hash of"),
    "versions": (OURS, "version of"),
    "host_fingerprint": (MACHINE, "host's"),
    "harness": (MACHINE, "harness's"),
}
_ANSWERS: Mapping[tuple[str, str], Fact] = {
    ("model_requested", "models"): (OURS, "model requested"),
    ("model_served", "models_served"): (PROVIDER, "model served"),
    ("system_fingerprint", "system_fingerprints"): (PROVIDER, "system fingerprint"),
}
"""Column of one answer, and that of all answers of a target, which holds a list."""
_UNTOLD = ("name", "price", "params")
"""Fields of a target in the plan that are its identity, or told part by part."""
_SHORT = 12
_MOST_SAID = 3


def of_run(run: Row) -> Facts:
    """What a run says of itself, its targets and their answers apart."""
    for column, fact in _PLAIN.items():
        yield from _known(fact, run.get(column))
    for column, (whose, what) in _MAPS.items():
        for key, value in dict(run.get(column) or {}).items():
            yield from _known((whose, f"{what} {key}"), value)
    if run.get("calibration_ttft_bias_ms") is not None:
        yield BIAS, f"{run['calibration_ttft_bias_ms']:.2f} ms"


def of_target(run: Row, target: str) -> Facts:
    """What a run's plan, as it was frozen, says of a target: address, parameters, price and the rest."""
    plan = frozen(run.get("plan"))
    specs: Sequence[dict[str, Any]] = plan.get("sections", {}).get("execute", {}).get("targets", ())
    spec = next((each for each in specs if each.get("name") == target), {})
    for name, value in spec.items():
        if name not in _UNTOLD:
            yield from _known((OURS, "address" if name == "base_url" else name), value)
    for name, value in dict(spec.get("params") or {}).items():
        yield from _known((OURS, f"parameter {name}"), value)
    for name, value in dict(plan.get("prices", {}).get(target) or {}).items():
        if name != "source":
            yield from _known((OURS, f"price {name}"), value)


def of_plan(run: Row) -> Facts:
    """What a run's plan says of its execution beside its targets: load, repetitions, seed and the rest."""
    execute = frozen(run.get("plan")).get("sections", {}).get("execute", {})
    for name, value in execute.items():
        if name != "targets":
            yield from _known((OURS, f"plan's {name}"), value)


def of_answer(row: Row) -> Facts:
    """What an answer, or all answers of a target, said of themselves."""
    for (one, many), fact in _ANSWERS.items():
        for value in (row.get(one), *(row.get(many) or ())):
            yield from _known(fact, value)


def gathered(found: Iterable[tuple[Fact, str]]) -> dict[Fact, set[str]]:
    """Fact -> every value of it."""
    values: dict[Fact, set[str]] = {}
    for fact, value in found:
        values.setdefault(fact, set()).add(value)
    return values


def as_uncertain(runs: Iterable[Row]) -> bool:
    """Whether the runs' calibrations lie no further apart than the outer two's uncertainties together."""
    known = [run for run in runs if run.get("calibration_ttft_bias_ms") is not None]
    if not known:
        return False
    low, *_, high = sorted([*known, known[0]], key=lambda run: run["calibration_ttft_bias_ms"])
    apart_ms = high["calibration_ttft_bias_ms"] - low["calibration_ttft_bias_ms"]
    return bool(apart_ms <= sum(run["calibration_ttft_u_ms"] or 0.0 for run in (low, high)))


def said(values: Collection[str]) -> str:
    """Values of a fact in a line, the first of many; empty where none is known."""
    listed = sorted(values)
    more = f" and {len(listed) - _MOST_SAID} more" if len(listed) > _MOST_SAID else ""
    return ", ".join(listed[:_MOST_SAID]) + more


def _known(fact: Fact, value: Any) -> Facts:
    if value is not None and value != []:
        yield fact, _word(value)


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    hexadecimal = len(text) >= 32 and set(text) <= set("0123456789abcdef")
    return text[:_SHORT] if hexadecimal else text
