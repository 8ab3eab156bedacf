"""Pages and drawings as files: one page of a run, its drawings for slides, and the pages that others hooked in."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from benchbook.errors import UserError
from benchbook.reports.gather import RunView, gather, own_confidence
from benchbook.reports.pages import PAGES
from benchbook.reports.pages.drawings import Drawing, drawings, for_slides
from benchbook.reports.pages.extras import Extras, more
from benchbook.reports.pages.run import page
from benchbook.reports.plots import png, svg
from benchbook.results.paths import report_folder, writable
from benchbook.results.whole import write_whole

WRITERS: dict[str, Any] = {"svg": lambda figure: svg(figure).encode(), "png": png}


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


def other_page(kind: str, results: str, asked: Sequence[str], out: Path) -> Path:
    """Write a page that stands in `PAGES`. Raises UserError for a kind that doesn't."""
    if kind not in PAGES:
        raise UserError(f"report of a {kind}", "is not there yet", "benchbook report RUN makes the page of one run")
    module, function = PAGES[kind].split(":")
    return write_page(getattr(import_module(module), function)(results, tuple(asked)), out)


def write_plots(shown: tuple[RunView, Extras], folder: Path, formats: Sequence[str]) -> list[Path]:
    """Every drawing of a run as files, RUN-NAME.svg and .png, on white. Raises StorageError."""
    written = []
    every: list[Drawing] = [*drawings(*shown), *for_slides(*shown)]
    with writable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for each in every:
            for form in formats:
                path = folder / f"{shown[0].run['run_id']}-{each.name}.{form}"
                write_whole(path, WRITERS[form](each.figure))
                written.append(path)
    return written
