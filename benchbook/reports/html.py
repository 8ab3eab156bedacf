"""One self-contained page a run. jinja2 escapes everything that a model or a user wrote."""

from __future__ import annotations

from typing import Any

from benchbook import __version__
from benchbook.reports import attempts, words
from benchbook.reports.gather import Row, RunView
from benchbook.reports.plots import distribution

CURVES = {
    "ttft_ms": "Time to first token",
    "e2e_ms": "End to end, from dispatch",
    "response_ms": "Response, from the intended start",
    "decode_ms_per_token": "Decode, per token after the first",
}
_MOST_FAILURES = 50


def page(view: RunView) -> str:
    """The report of one run as an HTML text that needs no other file and no network."""
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("benchbook.reports", "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    targets = [str(row["target"]) for row in view.targets]
    drawn = ((metric, distribution(view.curves, metric, targets)) for metric in CURVES)
    facts: dict[str, Any] = {
        "view": view,
        "words": words,
        "tried": attempts.tried(view),
        "tried_views": attempts.VIEWS,
        "p50_of": attempts.p50,
        "version": __version__,
        # our own drawing; target names inside it were escaped by matplotlib's SVG writer
        "curves": [(CURVES[metric], Markup(svg)) for metric, svg in drawn if svg],  # noqa: S704
        "score_rows": _score_rows(view),
        "failures": view.failures[:_MOST_FAILURES],
        "failures_left": max(0, len(view.failures) - _MOST_FAILURES),
    }
    return environment.get_template("run.html.j2").render(facts)


def _score_rows(view: RunView) -> dict[tuple[str, str], dict[str, list[Row]]]:
    """Scores by (dataset, category), then by target."""
    found: dict[tuple[str, str], dict[str, list[Row]]] = {}
    for row in view.scores:
        found.setdefault((row["dataset"], row["category"]), {}).setdefault(row["target"], []).append(row)
    return found
