"""What differs between what two runs stand on, in words, and whose change it is.

    ours       the code (git commit, lock, versions), datasets, price, and what the plan says of the target and the load
    machine    the host, the harness on it, and its calibration
    provider   the model served, the system fingerprint; and what is left where nothing else changed

Pure: from rows of the question `fingerprints`. A difference says what was before and what is now.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchbook.history.frozen import frozen

Row = Mapping[str, Any]

OURS, MACHINE, PROVIDER = "ours", "machine", "provider"
NOTHING_KNOWN = "unknown"

_WORDS = {OURS: "what we changed", MACHINE: "this machine", PROVIDER: "the provider"}
_HASH = 10
_MOST = 4
_UNTOLD = frozenset({"name"})
"""Fields of a target in the plan that are the target's identity, not its state."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs. whose: `ours`, `machine` or `provider`; what: its name; before, after: as words."""

    whose: str
    what: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.what} {self.before} -> {self.after}"


@dataclass(frozen=True, slots=True)
class Attribution:
    """To whom a change is put down, in words that stand alone, with the differences that say so.

    whose: `ours`, `machine`, `provider`, or `unknown` where a run's facts are not stored. What changed at the same
    time need not be the cause; the words say only that it did.
    """

    whose: str
    words: str
    differences: tuple[Difference, ...] = ()

    def fields(self) -> dict[str, Any]:
        """As plain data."""
        listed = [
            {"whose": one.whose, "what": one.what, "before": one.before, "after": one.after} for one in self.differences
        ]
        return {"whose": self.whose, "words": self.words, "differences": listed}


def differences(before: Row, after: Row) -> tuple[Difference, ...]:
    """All that differs between the fingerprints of one target in two runs."""
    return (*_ours(before, after), *_machine(before, after), *_provider(before, after))


def attributed(before: Row | None, after: Row | None, metric: str) -> Attribution:
    """The change of a metric between two neighbouring runs, by what else changed between them."""
    if before is None or after is None:
        return Attribution(NOTHING_KNOWN, "unknown: what a run stood on is not stored")
    found = tuple(one for one in differences(before, after) if metric == "cost_usd" or not one.what.startswith("price"))
    for whose in (OURS, MACHINE, PROVIDER):
        mine = [one for one in found if one.whose == whose]
        if mine:
            return Attribution(whose, f"{_WORDS[whose]}: {_some(mine)}", found)
    said = _said(after)
    return Attribution(PROVIDER, f"the provider: nothing of ours or of this machine changed{said}")


def _some(found: Sequence[Difference]) -> str:
    told = "; ".join(str(one) for one in found[:_MOST])
    return told + (f"; and {len(found) - _MOST} more" if len(found) > _MOST else "")


def _said(row: Row) -> str:
    """What the answers said of themselves, before and after the same."""
    models, prints = list(row["models_served"] or []), list(row["system_fingerprints"] or [])
    told = [f"model served still {', '.join(models)}"] if models else []
    told += [f"system fingerprint still {', '.join(prints[:2])}"] if prints else []
    return f" ({'; '.join(told)})" if told else ""


def _ours(before: Row, after: Row) -> Iterator[Difference]:
    yield from _one(OURS, "git commit", *(_short(row["git_commit"]) for row in (before, after)))
    if before["git_commit"] == after["git_commit"]:
        yield from _one(OURS, "working tree", *(_tree(row["git_dirty"]) for row in (before, after)))
    yield from _maps(OURS, "dataset", before["dataset_hashes"], after["dataset_hashes"], short=True)
    yield from _one(OURS, "lock", *(_short(row["lock_hash"]) for row in (before, after)))
    yield from _maps(OURS, "version of", before["versions"], after["versions"])
    yield from _one(OURS, "model asked for", *(_listed(row["models"]) for row in (before, after)))
    yield from _one(OURS, "price date", *(_word(row["price_date"]) for row in (before, after)))
    yield from _plans(before, after)


def _plans(before: Row, after: Row) -> Iterator[Difference]:
    """What the plan says of the target, its price, and the rest of `execute`."""
    if before["plan_hash"] == after["plan_hash"]:
        return
    old, new = (_plan(row) for row in (before, after))
    for name in ("target", "price", "execute"):
        told = {"target": "target's", "price": "price", "execute": "plan's"}[name]
        yield from _maps(OURS, told, old[name], new[name])


def _plan(row: Row) -> dict[str, dict[str, Any]]:
    plan = frozen(row["plan"])
    execute = dict(plan.get("sections", {}).get("execute", {}))
    targets = execute.pop("targets", [])
    mine: dict[str, Any] = next((one for one in targets if one.get("name") == row["target"]), {})
    target = {key: value for key, value in mine.items() if key not in _UNTOLD and key not in ("model", "price")}
    return {"target": target, "price": plan.get("prices", {}).get(row["target"], {}), "execute": execute}


def _machine(before: Row, after: Row) -> Iterator[Difference]:
    yield from _one(MACHINE, "host", *(_word(row["host"]) for row in (before, after)))
    yield from _maps(MACHINE, "host's", before["host_fingerprint"], after["host_fingerprint"])
    yield from _maps(MACHINE, "harness's", before["harness"], after["harness"])
    biases = [row["calibration_ttft_bias_ms"] for row in (before, after)]
    allowed = sum(row["calibration_ttft_u_ms"] or 0.0 for row in (before, after))
    if None not in biases and abs(biases[1] - biases[0]) > allowed:
        yield Difference(MACHINE, "calibrated bias of ttft", *(f"{bias:.2f} ms" for bias in biases))


def _provider(before: Row, after: Row) -> Iterator[Difference]:
    for what, name in (("model served", "models_served"), ("system fingerprint", "system_fingerprints")):
        yield from _one(PROVIDER, what, *(_listed(row[name]) for row in (before, after)))


def _one(whose: str, what: str, before: str, after: str) -> Iterator[Difference]:
    if before != after:
        yield Difference(whose, what, before, after)


def _maps(whose: str, what: str, before: Any, after: Any, *, short: bool = False) -> Iterator[Difference]:
    old, new = dict(before or {}), dict(after or {})
    for key in sorted({*old, *new}):
        said = [_short(one.get(key)) if short else _word(one.get(key)) for one in (old, new)]
        yield from _one(whose, f"{what} {key}", *said)


def _tree(dirty: Any) -> str:
    return "unknown" if dirty is None else "changed" if dirty else "clean"


def _short(digest: Any) -> str:
    return str(digest)[:_HASH] if digest else "none"


def _listed(values: Sequence[str] | None) -> str:
    return ", ".join(values) if values else "none"


def _word(value: Any) -> str:
    return "none" if value is None else value if isinstance(value, str) else json.dumps(value, sort_keys=True)
