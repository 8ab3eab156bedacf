"""What retries, throttling and stalls did to a run, in words; a retry is never left to hide inside a latency.

`Tried` joins one target's answers to the questions attempts, perceived, throttling and wasted, for the terminal and the
page alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from benchbook.records import TEAM_WORKLOADS
from benchbook.reports.gather import RunView
from benchbook.reports.words import MISSING, money, number, share

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tried:
    """One target and workload whose trials took more attempts than one, or were turned away."""

    attempts: Row
    latencies: Mapping[str, Row]
    """View of the question `perceived` -> its row."""
    throttling: Row
    wasted: Row

    @property
    def reasons(self) -> str:
        """`rate_limited 10, truncated 1`."""
        return ", ".join(f"{kind} {n}" for kind, n in (self.attempts["reasons"] or {}).items())

    @property
    def kept(self) -> str:
        """How many of the waits that were asked for were kept."""
        waits = self.throttling["honoured"] + self.throttling["hurried"]
        return f"{self.throttling['honoured']} of {waits}" if waits else MISSING

    @property
    def waste(self) -> str:
        """What failed attempts are known to have cost."""
        row = self.wasted
        if not row["partial"] and not row["reported"]:
            return "nothing that was answered"
        cost = "unknown cost" if row["wasted_cost_usd"] is None else money(row["wasted_cost_usd"])
        least = "at least " if row["unknown"] and row["wasted_cost_usd"] is not None else ""
        return f"{row['partial']} broken answer{'s' if row['partial'] != 1 else ''}, {least}{cost}"


def tried(view: RunView) -> list[Tried]:
    """Targets with retries or throttling, in the view's order."""
    throttling = {row["target"]: row for row in view.throttling if row["phase"] == "measured"}
    wasted = {row["target"]: row for row in view.wasted if row["phase"] == "measured"}
    found = []
    for row in view.attempts:
        target = row["target"]
        turned_away = row["failed_attempts"] and throttling.get(target, {}).get("throttled_attempts")
        if target in throttling and (row["retries"] or turned_away):
            seen = {
                one["view"]: one
                for one in view.perceived
                if (one["target"], one["workload"]) == (target, row["workload"])
            }
            found.append(Tried(row, seen, throttling[target], wasted[target]))
    return found


def attempt_lines(view: RunView) -> Iterator[str]:
    """Two lines per target that retried or was throttled: how often and why, and what that did to its latency."""
    workloads = Counter(row["target"] for row in view.attempts)
    for one in tried(view):
        row, throttled = one.attempts, one.throttling
        name = row["target"] if workloads[row["target"]] == 1 else f"{row['target']} ({row['workload']})"
        of = "conversations had retries" if row["workload"] == "session" else "trials retried"
        said = f"  {name}: {row['retried']} of {row['trials']} {of}"
        said += f" ({one.reasons}), {row['recovered']} recovered" if row["retries"] else ""
        if throttled["throttled_attempts"]:
            said += f"; {share(throttled['throttled_share'])} of attempts throttled, Retry-After kept {one.kept}"
        yield f"{said}; wasted: {one.waste}"
        if row["workload"] in TEAM_WORKLOADS:  # it has no single answer whose latency retries could change
            continue
        last_turn = " of the last turn" if row["workload"] == "session" else ""
        medians = {name: p50(one, view_) for name, view_ in VIEWS.items()}
        alike = set(medians.values())
        refused = all(row["p50"] is None for row in one.latencies.values()) and len(alike) == 1
        told = [alike.pop()] if refused else [f"{name} {median}" for name, median in medians.items()]
        yield f"    p50 ms{last_turn}: {', '.join(told)}"


VIEWS: Mapping[str, str] = {
    "first attempt": "first_attempt",
    "last attempt": "last_attempt",
    "with retries and waits": "with_retries",
    "from the intended start": "from_intended",
}
"""Heading -> view of the question `perceived`."""


def p50(one: Tried, view: str) -> str:
    """The median of a view, or why there is none."""
    row = one.latencies.get(view)
    return MISSING if row is None else number(row["p50"]) if row["p50"] is not None else str(row["p50_refused"])


def stall_lines(view: RunView) -> Iterator[str]:
    """A line per target with stalls: how many answers, how much of their time, the longest."""
    for row in view.stalls:
        if row["stalls"]:
            calls = f"{row['stalled_calls']} of {row['calls']} streams stalled"
            spent = f"{share(row['stalled_share'])} of their time, longest {number(row['longest_ms'])} ms"
            yield f"  {row['target']}: {calls}, {spent}"
