"""The bar above every served page: where one is, and where else to go. Below it is the text that a file has."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from benchbook.reports.pages.frame import fragment

PLACES = {"/": "History", "/runs": "Runs", "/compare": "Compare", "/questions": "Questions", "/sql": "SQL"}
_BEFORE = '<header class="top">'
_QUIET, _OWN = 'name="referrer" content="no-referrer"', 'name="referrer" content="same-origin"'


def with_bar(text: str, path: str, links: Sequence[tuple[str, str]] = ()) -> str:
    """The page's text with the bar. links: (address, text) beside the places."""
    here = next((place for place in reversed(PLACES) if path.startswith(place)), "/")
    bar = fragment("ui_bar.html.j2", {"places": PLACES, "here": here, "links": links})
    # A form of a page that refers to nobody would come without its origin.
    return text.replace(_QUIET, _OWN, 1).replace(_BEFORE, bar + _BEFORE, 1)


def address(*parts: str) -> str:
    """A path of these parts, whatever is in them."""
    return "/" + "/".join(quote(part, safe="") for part in parts)
