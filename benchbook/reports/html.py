"""One self-contained page a run. jinja2 escapes everything that a model or a user wrote."""

from __future__ import annotations

from typing import Any

from benchbook import __version__
from benchbook.reports import agents, attempts, words
from benchbook.reports.gather import Row, RunView
from benchbook.reports.plots import distribution, inline

CURVES = {
    "ttft_ms": "Time to first token",
    "e2e_ms": "End to end, from dispatch",
    "response_ms": "Response, from the intended start",
    "decode_ms_per_token": "Decode, per token after the first",
}
_MOST_FAILURES = 50
_SPLIT_COLOURS = ("#2b6cb0", "#2f855a", "#b83280", "#d69e2e", "#cbd5db")
"""Of the parts of a wall time, in the order of `agents.SPLIT`; each is named and told in numbers as well."""


def page(view: RunView) -> str:
    """The report of one run as an HTML text that needs no other file and no network."""
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=PackageLoader("benchbook.reports", "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    targets = list(dict.fromkeys(str(row["target"]) for row in view.targets))
    several = len({row["workload"] for row in view.plain}) > 1
    names = {(row["target"], row["workload"]): f"{row['target']} ({row['workload']})" for row in view.targets}
    if len({row["workload"] for row in view.targets}) <= 1:
        names = {key: str(key[0]) for key in names}
    drawn = ((metric, distribution.draw(view.curves, metric, names, view.confidence)) for metric in CURVES)
    facts: dict[str, Any] = {
        "view": view,
        "words": words,
        "tried": attempts.tried(view),
        "tried_views": attempts.VIEWS,
        "p50_of": attempts.p50,
        "split": list(zip(agents.SPLIT.values(), agents.HEADINGS.values(), _SPLIT_COLOURS, strict=True)),
        "passes": agents.passes,
        "version": __version__,
        "curves": [(CURVES[metric], inline(figure, CURVES[metric])) for metric, figure in drawn if figure],
        "score_rows": _score_rows(view),
        "targets": targets,
        "named": lambda row: f"{row['target']} ({row['workload']})" if several else row["target"],
        "failures": view.failures[:_MOST_FAILURES],
        "failures_left": max(0, len(view.failures) - _MOST_FAILURES),
    }
    return environment.get_template("run.html.j2").render(facts)


def _score_rows(view: RunView) -> dict[tuple[str, ...], dict[str, list[Row]]]:
    """Scores by (dataset, category, workload where there are several), then by target."""
    several = len({row["workload"] for row in view.scores}) > 1
    found: dict[tuple[str, ...], dict[str, list[Row]]] = {}
    for row in view.scores:
        key = (row["dataset"], row["category"], *((row["workload"],) if several else ()))
        found.setdefault(key, {}).setdefault(row["target"], []).append(row)
    return found
