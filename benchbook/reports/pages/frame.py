"""The frame of every page: one style, one small script, one security policy, and the only place that renders.

What a model, a provider or a user wrote is text: jinja2 escapes whatever it is handed, undefined names are errors, and
the policy lets nothing be fetched and only our own script run (named by its hash), so that a hole in the first wall
meets a second one. A page is one file and reads the same offline, printed, on a phone, in the light and in the dark.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from benchbook import __version__
from benchbook.reports import words

if TYPE_CHECKING:
    from jinja2 import Environment


def render(template: str, facts: Mapping[str, Any], *, served: bool = False) -> str:
    """The page that a template (`NAME.html.j2`, which extends `frame.html.j2`) makes of these facts.

    served: it comes from `benchbook ui`, whose forms and links go back to it; a file talks to nobody.
    """
    style, script = _part("frame.css"), _part("frame.js")
    from markupsafe import Markup

    ours = {
        "words": words,
        "version": __version__,
        "policy": policy(script, served=served),
        "style": Markup(style),  # noqa: S704 (files of ours, not what anyone answered)
        "script": Markup(script),  # noqa: S704
    }
    return _environment().get_template(template).render({**ours, **facts})


def fragment(template: str, facts: Mapping[str, Any]) -> str:
    """A piece of a page, escaped as pages are."""
    return _environment().get_template(template).render({"words": words, **facts})


def script_policy(*, served: bool) -> str:
    """The policy that every page carries."""
    return policy(_part("frame.js"), served=served)


def policy(script: str, *, served: bool) -> str:
    """The Content-Security-Policy of a page with this script: nothing is fetched, nothing else runs."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    form = "'self'" if served else "'none'"
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
        f"base-uri 'none'; form-action {form}"
    )


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("benchbook.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@lru_cache(maxsize=4)
def _part(name: str) -> str:
    return files("benchbook.reports").joinpath("templates", name).read_text(encoding="utf-8")
