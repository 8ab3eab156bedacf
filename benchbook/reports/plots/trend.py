"""One number over the history: a mark a run, the level of each stretch between changes, and where a change was found.

Runs that do not count (INVALID, unfinished) are hollow, spikes are crosses. A change is a dashed line at the first run
of the new level, with a triangle in the direction of the step: filled where it is worse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from benchbook.reports.plots import canvas

Row = Mapping[str, Any]
LABELS = {
    "ttft_ms": "time to first token (ms)",
    "e2e_ms": "end to end (ms)",
    "wall_ms": "wall time of a trial (ms)",
    "decode_ms_per_token": "decode (ms per token)",
    "score": "mean score (%)",
    "failure_share": "failed (% of attempted)",
    "cost_usd": "cost of 1,000 trials (USD)",
}
_SCALES = {"cost_usd": 1000.0}


def draw(row: Row, unfit: Sequence[Row] = ()) -> Any:
    """A figure of one row of `history.trends.trend`; None without a run. unfit: started_at and value of other runs."""
    if not row["runs"]:
        return None
    import matplotlib.dates as mdates

    scale = scale_of(row)
    with canvas.drawing():
        figure, (axes,) = canvas.blank(
            f"trend {row['target']} {row['workload']} {row['metric']} {row['workload_hash']}"
        )
        marks = [_runs(axes, row, scale, spike=False), _runs(axes, row, scale, spike=True)]
        if unfit:
            marks.append(_marks(axes, unfit, scale, ("o", "none", canvas.SOFT, "does not count")))
        marks += _stretches(axes, row, scale)
        _room(axes, row, scale)
        locator = mdates.AutoDateLocator(minticks=3, maxticks=6, tz="UTC")
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(_dates([run["started_at"] for run in (*row["runs"], *unfit)]))
        canvas.plain_numbers(axes.yaxis)
        axes.set_xlabel("start of the run (UTC)")
        axes.set_ylabel(LABELS.get(row["metric"], row["metric"]))
        seen = {mark.get_label(): mark for mark in marks if mark is not None}
        canvas.legend(figure, list(seen.values()), list(seen))
    return figure


def scale_of(row: Row) -> float:
    """What a value is multiplied by on the page: shares are %, costs are of 1,000 trials."""
    return 100.0 if row["scale"] == "share" else _SCALES.get(row["metric"], 1.0)


def _runs(axes: Any, row: Row, scale: float, *, spike: bool) -> Any:
    chosen = [run for run in row["runs"] if run["spike"] == spike]
    if not chosen:
        return None
    look = ("x", canvas.INK, canvas.INK, "spike") if spike else ("o", canvas.COLOURS[0], canvas.COLOURS[0], "run")
    return _marks(axes, chosen, scale, look)


def _marks(axes: Any, rows: Sequence[Row], scale: float, look: tuple[str, str, str, str]) -> Any:
    marker, face, edge, label = look
    xs, ys = [row["started_at"] for row in rows], [scale * row["value"] for row in rows]
    (drawn,) = axes.plot(
        xs, ys, linestyle="none", marker=marker, markersize=4.2, markerfacecolor=face, markeredgecolor=edge, label=label
    )
    return drawn


def _stretches(axes: Any, row: Row, scale: float) -> list[Any]:
    drawn: list[Any] = []
    for part in row["segments"]:
        level = scale * part["value"]
        (line,) = axes.plot(
            [part["started_at"], part["ended_at"]],
            [level, level],
            color=canvas.COLOURS[1],
            linewidth=1.8,
            label="level",
        )
        drawn.append(line)
        if part["change"] is not None:
            worse = part["sense"] == "worse"
            colour = canvas.BAD if worse else canvas.GOOD
            axes.axvline(part["started_at"], color=colour, linewidth=1, linestyle="--")
            (mark,) = axes.plot(
                [part["started_at"]],
                [level],
                color=colour,
                marker="^" if part["change"] > 0 else "v",
                markersize=8,
                linestyle="none",
                markerfacecolor=colour if worse else "none",
                label=f"change, {part['sense']}",
            )
            drawn.append(mark)
    return drawn


def _room(axes: Any, row: Row, scale: float) -> None:
    """Shares from 0 to 100 where they are scores; else not so near that noise looks like news."""
    if row["metric"] == "score":
        axes.set_ylim(-2, 104)
        return
    low, high = axes.get_ylim()
    middle = scale * row["segments"][-1]["value"]
    least = 0.1 * abs(middle) if row["scale"] == "log" else 5.0
    low, high = min(low, middle - least), max(high, middle + least)
    axes.set_ylim(low if row["scale"] == "log" else -0.04 * high, high)


def _dates(times: Sequence[datetime]) -> Any:
    """Ticks as `3 Nov`, within two days as hours, over years with the year."""
    from matplotlib.dates import num2date
    from matplotlib.ticker import FuncFormatter

    span = max(times) - min(times)

    def said(at: float, _: int) -> str:
        when = num2date(at, tz="UTC")
        if span <= timedelta(days=2):
            return f"{when.day} {when:%b\n%H:%M}"
        return f"{when.day} {when:%b}" if span <= timedelta(days=300) else f"{when:%b\n%Y}"

    return FuncFormatter(said)
