"""Pages: one self-contained HTML file each, of a run, of a comparison, of the history.

A kind of page is one file here and one template. Its functions take rows, or a results folder, and give a text; the
frame (style, script, security policy, escaping) is `frame.py`'s and the same for all. `PAGES` is where a kind is
hooked in: name -> `module:function`, a function (results, what was asked) -> str, imported when it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping

PAGES: Mapping[str, str] = {
    "comparison": "benchbook.reports.pages.comparison:report",
    "history": "benchbook.reports.pages.history:report",
}
"""Kind of page beside the run's -> `module:function`: `comparison` is asked with two sides, `history` with nothing.
`benchbook report` knows those that stand here."""
