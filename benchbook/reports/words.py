"""Numbers as words: units, intervals and refusals, the same in the terminal and on the page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from benchbook.metrics import METRIC_DIRECTION

MISSING = "-"


def number(value: float | None, digits: int = 3) -> str:
    """A number to three significant digits and no exponent, grouped by thousands."""
    if value is None:
        return MISSING
    if abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    return f"{value:,.{digits}g}"


def token_rate(row: Mapping[str, Any]) -> str:
    """Tokens a second of a row of `throughput`, as a lower bound where some answers' tokens were not reported."""
    if row.get("tokens_per_s") is None:
        return MISSING
    least = "\N{GREATER-THAN OR EQUAL TO} " if row["calls_without_tokens"] else ""
    return f"{least}{number(row['tokens_per_s'])}"


def quantile(row: Mapping[str, Any], metric: str, name: str) -> str:
    """`212 [198-225]`: a quantile with its interval, or `needs 59, has 10`, or that it is missing."""
    if row[f"{metric}_{name}"] is None:
        return str(row[f"{metric}_{name}_refused"] or MISSING) if row[f"{metric}_n"] else MISSING
    return f"{number(row[f'{metric}_{name}'])} [{interval(row, metric, name)}]"


def interval(row: Mapping[str, Any], metric: str, name: str) -> str:
    """`198-225`, with an en dash."""
    return f"{number(row[f'{metric}_{name}_low'])}\N{EN DASH}{number(row[f'{metric}_{name}_high'])}"


def bound(metric: str) -> str:
    """The sign between a metric and its limit."""
    return ">=" if METRIC_DIRECTION[metric] == "higher" else "<="


def moment(at: datetime | None) -> str:
    """A time to the second, in UTC."""
    return MISSING if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def share(part: float | None) -> str:
    """A share as a percentage; near either end to a tenth, so that all and none are said of nothing else."""
    if part is None:
        return MISSING
    near = 0 < part < 0.1 or 0.9 < part < 1 - 1e-9
    percent = f"{min(max(100 * part, 0.1), 99.9):.1f}".removesuffix(".0") if near else f"{100 * part:.0f}"
    return f"{percent} %"


def money(usd: float | None) -> str:
    """US dollars, small sums with enough digits to be told from nothing."""
    if usd is None:
        return "unknown"
    if usd == 0 or usd >= 1:
        return f"${usd:.2f}" if usd else "$0"
    return f"${usd:.{max(4, 1 - math.floor(math.log10(usd)))}f}"


def seconds(value: float | None) -> str:
    """A duration in the unit a person would take."""
    if value is None:
        return MISSING
    return f"{value:.1f} s" if value < 120 else f"{value / 60:.1f} min"


def plus_minus(run: Mapping[str, Any]) -> str | None:
    """`0.03 ± 0.02 ms`: what the harness adds to a TTFT, by its calibration; None where there is none."""
    bias, u = run.get("calibration_ttft_bias_ms"), run.get("calibration_ttft_u_ms")
    if bias is None:
        return None
    return f"{bias:.2f} ms" if u is None else f"{bias:.2f} \N{PLUS-MINUS SIGN} {u:.2f} ms"


def counts(run: Mapping[str, Any]) -> str:
    """What became of the planned trials; zeros of the rarer kinds are left out."""
    parts = [f"{run['planned']} planned", f"{run['succeeded']} succeeded"]
    parts += [
        f"{run[field]} {field.replace('_', ' ')}"
        for field in ("failed", "timed_out", "skipped", "not_started")
        if run[field]
    ]
    return ", ".join(parts)
