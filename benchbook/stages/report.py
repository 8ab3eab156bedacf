"""Stage 5: one run as something to look at: a page, and its trials as JSON and CSV.

The console form is printed by the terminal door; here only files are made, under `results/report/RUN/`.
"""

from __future__ import annotations

from pathlib import Path

from benchbook.reports import export
from benchbook.reports.gather import gather
from benchbook.reports.pages.extras import more
from benchbook.reports.pages.run import page
from benchbook.results.paths import report_folder, writable
from benchbook.results.runs import find_run
from benchbook.results.store import read_table
from benchbook.results.whole import write_whole
from benchbook.stages import Job, Reported


def report(job: Job, run_id: str | None = None) -> Reported:
    """Report on `run_id`, or on the newest run. Raises UnknownRunError where there is none."""
    spec = job.spec()
    results = Path(job.results)
    run_id = run_id or find_run(results, "latest")
    folder = report_folder(results) / run_id
    files: dict[str, str] = {}
    with writable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for kind in spec.report.formats:
            if kind == "html":
                files[kind] = str(folder / "report.html")
                view = gather(results, run_id, slos=spec.aggregate.slos, confidence=spec.aggregate.confidence)
                write_whole(folder / "report.html", page(view, more(results, view)).encode())
            elif kind != "console":
                files[kind] = str(folder / f"trials.{kind}")
                table, _ = read_table(results, "trials", [run_id])
                write_whole(folder / f"trials.{kind}", export.FORMATS[kind](table))
    return Reported(run_id, files)
