"""The routes. A page is one line in `PAGES`: its path, and the function that makes it, imported when it is first asked.

Each is served twice: as HTML at its path, as JSON below /api.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from benchbook.errors import UnknownRunError, UserError
from benchbook.reports.pages.frame import script_policy
from benchbook.service.bar import with_bar
from benchbook.service.guard import Application, Guard
from benchbook.service.shown import Asked, Shown

_LOG = logging.getLogger(__name__)
PAGES: Mapping[str, tuple[str, str]] = {
    "/": ("benchbook.service.overview:history", "GET"),
    "/runs": ("benchbook.service.runs:listed", "GET"),
    "/runs/{run}": ("benchbook.service.runs:one", "GET"),
    "/runs/{run}/trials": ("benchbook.service.trials:listed", "GET"),
    "/runs/{run}/trials/{trial}": ("benchbook.service.trials:one", "GET"),
    "/compare": ("benchbook.service.compare:sides", "GET"),
    "/questions": ("benchbook.service.questions:listed", "GET"),
    "/questions/{question}": ("benchbook.service.questions:one", "GET"),
    "/sql": ("benchbook.service.sql:typed", "GET"),
    "/sql?": ("benchbook.service.sql:asked", "POST"),
}
"""Path -> its function, and the method that it is asked by. A `?` at the end only keeps two methods of a path apart."""

Page = Callable[[Asked], Shown]


def application(results: Path, *, names: Collection[str] = (), remote: bool = False) -> Application:
    """The guarded application over one results folder. names, remote: as `Guard`."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    for path, (function, method) in PAGES.items():
        plain = path.rstrip("?")
        app.add_api_route(plain, _route(results, function, as_json=False), methods=[method], response_model=None)
        api = "/api/history" if plain == "/" else f"/api{plain}"
        app.add_api_route(api, _route(results, function, as_json=True), methods=[method], response_model=None)
    app.add_exception_handler(HTTPException, _unknown)
    return Guard(app, policy=script_policy(served=True) + "; frame-ancestors 'none'", names=names, remote=remote)


def _route(results: Path, function: str, *, as_json: bool) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        from starlette.concurrency import run_in_threadpool

        words = parse_qs(request.url.query, keep_blank_values=True)
        if request.method == "POST":
            words |= parse_qs((await request.body()).decode("utf-8", "replace"), keep_blank_values=True)
        plain = {name: tuple(values) for name, values in words.items()}
        asked = Asked(results, {k: str(v) for k, v in request.path_params.items()}, plain)
        return await run_in_threadpool(_answered, function, asked, request.url.path, as_json=as_json)

    return answer


def _answered(function: str, asked: Asked, path: str, *, as_json: bool) -> Response:
    """The page as an answer. Whatever is wrong is said in a line, never by a traceback."""
    module, name = function.split(":")
    try:
        page: Page = getattr(import_module(module), name)
        shown = page(asked)
        if as_json or asked.word("format") == "json":
            return _json(shown.data, shown.status)
        return _html(with_bar(shown.page(), path, shown.links), shown.status)
    except UserError as error:
        status, line = 404 if isinstance(error, UnknownRunError) else 400, str(error)
    except Exception as error:  # noqa: BLE001 (one page that fails must not end the others)
        _LOG.exception("%s failed", path)
        status, line = 500, f"this page could not be made: {type(error).__name__}; the terminal says more"
    return _json({"error": line}, status) if as_json else _html(_wrong(line, path), status)


async def _unknown(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    line = {404: "there is no such page", 405: "this page is not asked that way"}.get(status, str(error))
    path = request.url.path
    return _json({"error": line}, status) if path.startswith("/api/") else _html(_wrong(line, path), status)


def _wrong(line: str, path: str) -> str:
    from benchbook.reports.pages.frame import render

    return with_bar(render("ui_wrong.html.j2", {"line": line}, served=True), path)


def _html(text: str, status: int) -> Response:
    return Response(text, status, media_type="text/html; charset=utf-8")


def _json(data: Any, status: int) -> Response:
    import orjson

    options = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
    return Response(orjson.dumps(data, default=_plain, option=options), status, media_type="application/json")


def _plain(value: Any) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
