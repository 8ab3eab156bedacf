"""Pages and drawings as files: one page of a run, its drawings for slides, and the pages that others hooked in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from benchbook.reports.gather import RunView, gather, own_confidence
from benchbook.reports.pages import PAGES
from benchbook.reports.pages.drawings import drawings, for_slides
from benchbook.reports.pages.extras import Extras, more
from benchbook.reports.pages.run import page
from benchbook.reports.plots import kept, png, svg
from benchbook.results.paths import report_folder, writable
from benchbook.results.whole import write_whole

WRITERS: dict[str, Any] = {"svg": lambda figure: svg(figure).encode(), "png": png}

_LONGEST = 40


def of_run(results: str, run_id: str) -> tuple[RunView, Extras]:
    """What is shown of a run, at the limits and the confidence of its own plan. Raises UnknownRunError."""
    view = gather(results, run_id, confidence=own_confidence(results, run_id))
    return view, more(results, view)


def write_page(text: str, out: Path) -> Path:
    """Write a page whole or not at all. Raises StorageError."""
    with writable(out.parent):
        out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(out, text.encode())
    return out


def run_page(results: str, shown: tuple[RunView, Extras], out: Path | None = None) -> Path:
    """Write the page of a run, by default where the stage `report` does."""
    return write_page(page(*shown), out or report_folder(Path(results)) / str(shown[0].run["run_id"]) / "report.html")


def other_page(kind: str, results: str, asked: Sequence[str], out: Path) -> tuple[Path, dict[str, Any]]:
    """Write a page that stands in `PAGES`; its file, and its figures by name. Raises UserError."""
    module, function = PAGES[kind].split(":")
    with kept() as figures:
        written = write_page(getattr(import_module(module), function)(results, tuple(asked)), out)
    named = {}
    for place, figure in enumerate(figures, 1):
        words = re.sub(r"[^a-z0-9]+", "-", str(figure.get_label()).lower()).strip("-")
        named[f"{kind}-{place:02d}-{words[:_LONGEST]}".rstrip("-")] = figure
    return written, named


def run_figures(shown: tuple[RunView, Extras]) -> dict[str, Any]:
    """The figures of a run by name, those that its page tells as tables of bars among them."""
    every = (*drawings(*shown), *for_slides(*shown))
    return {f"{shown[0].run['run_id']}-{each.name}": each.figure for each in every}


def write_plots(figures: Mapping[str, Any], folder: Path, formats: Sequence[str]) -> list[Path]:
    """Each figure as files, NAME.svg and NAME.png, on white. Raises StorageError."""
    written = []
    with writable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, figure in figures.items():
            for form in formats:
                write_whole(folder / f"{name}.{form}", WRITERS[form](figure))
                written.append(folder / f"{name}.{form}")
    return written
