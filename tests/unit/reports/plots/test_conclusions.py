"""Drawings of conclusions: changes above their margins, histories with their steps, the hour of the day."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from benchbook.reports.plots import forest, hours, inline, trend

START = datetime(2026, 11, 1, tzinfo=UTC)


def change(metric: str, verdict: str, ratio: float | None, **more: Any) -> dict[str, Any]:
    """A row of a comparison, with an interval of 2 % to either side."""
    bounds = {"low": None, "high": None} if ratio is None else {"low": ratio / 1.02, "high": ratio * 1.02}
    row = {"metric": metric, "statistic": "median", "scale": "log", "ratio": ratio, "verdict": verdict, "margin": 0.05}
    return {**row, **bounds, **more}


def history(values: list[float], at: int | None = None) -> dict[str, Any]:
    """A row of `trend`: a run a day, with a step before run `at`; the third run is a spike."""
    runs = [
        {"run_id": f"r{n}", "started_at": START + timedelta(days=n), "value": value, "level": math.log(value)}
        | {"segment": int(at is not None and n >= at), "spike": n == 2}
        for n, value in enumerate(values)
    ]
    cuts = [0, *([at] if at else []), len(values)]
    segments = [
        {
            "started_at": runs[low]["started_at"],
            "ended_at": runs[high - 1]["started_at"],
            "change": 0.2 if low else None,
        }
        | {"value": values[low], "level": math.log(values[low]), "sense": "worse" if low else None}
        for low, high in pairwise(cuts)
    ]
    names = {"target": "<b>$x^2$", "workload": "api", "workload_hash": "w", "metric": "ttft_ms", "scale": "log"}
    return {**names, "runs": runs, "segments": segments, "by_hour": None}


def test_a_change_stands_above_its_margin() -> None:
    rows = [change("ttft_ms", "CHANGED worse", 1.2), change("e2e_ms", "CANNOT TELL", 1.0), change("wall_ms", "x", None)]
    shares = {"scale": "share", "difference": -0.02, "difference_low": None, "difference_high": None, "margin": 0.03}
    figure = forest.draw([*rows, change("score", "EQUIVALENT", None, **shares)], "t")
    above, below = figure.axes
    assert [label.get_text() for label in above.get_yticklabels()] == ["e2e_ms", "ttft_ms"]
    low, high = above.collections[0].get_datalim(above.transData).intervalx
    assert (low, high) == pytest.approx((1 / 1.05, 1.05))
    drawn = [tuple(line.get_xdata()) for line in above.lines]
    assert (1.2 / 1.02, 1.2 * 1.02) in drawn
    assert below.get_xlabel() == "B minus A (points)"
    assert (-2.0,) in [tuple(line.get_xdata()) for line in below.lines]
    texts = {text.get_text() for text in figure.legends[0].get_texts()}
    assert texts == {"CHANGED worse", "CANNOT TELL", "EQUIVALENT"}
    assert forest.draw(rows[2:], "t") is None


def test_a_history_shows_runs_stretches_steps_and_what_does_not_count() -> None:
    row = history([100.0, 101.0, 150.0, 120.0, 121.0, 119.0], at=3)
    figure = trend.draw(row, [{"started_at": START + timedelta(days=1), "value": 300.0}])
    (axes,) = figure.axes
    named = {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}
    assert list(named["run"].get_ydata()) == [100.0, 101.0, 120.0, 121.0, 119.0]
    assert list(named["spike"].get_ydata()) == [150.0]
    assert named["does not count"].get_markerfacecolor() == "none"
    assert list(named["change, worse"].get_xdata()) == [START + timedelta(days=3)]
    assert axes.get_ylabel() == "time to first token (ms)"
    assert trend.draw({**row, "runs": []}) is None
    assert "$x^2$" not in inline(figure, "what it is")


def test_the_hour_is_drawn_where_it_explains_something() -> None:
    row = history([100.0] * 8)
    assert hours.draw(row) is None
    figure = hours.draw({**row, "by_hour": {"share": 0.5}})
    runs, mean = figure.axes[0].lines[:2]
    assert len(runs.get_xdata()) == 7
    assert list(mean.get_ydata()) == pytest.approx([0.0])
    assert figure.axes[0].get_xlabel() == "hour of the start (UTC)"
