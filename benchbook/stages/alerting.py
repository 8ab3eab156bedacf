"""Telling alerts to a webhook: what has not been told yet, as one JSON object by POST, over http or https.

What was told is remembered once the other side has said 2xx; a failure to deliver is a line, and the same alerts are
tried again the next time. A resolved alert is told only to those who were told that it stood.
"""

from __future__ import annotations

import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

from benchbook.clock import SystemClock, utc
from benchbook.errors import UserError
from benchbook.history.alerts import RESOLVED, alerts
from benchbook.results.told import remember, told
from benchbook.stages import Job

TIMEOUT_S = 10.0
Row = Mapping[str, Any]


def checked_webhook(url: str) -> str:
    """The address, if something can be posted to it. Raises UserError."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UserError("--webhook", "is no http(s) address", "write https://HOST/PATH")
    return url


def told_after_run(job: Job, run_id: str) -> list[str]:
    """What a plan with `report.alerts` has told after its run: lines, none where it has no such section.

    A line for each alert that this run found, confirmed or resolved, one for how many stand, one for the webhook.
    """
    wanted = job.spec().report.alerts
    if wanted is None:
        return []
    rows = alerts(job.results)
    news = [row for row in rows if run_id in (row["seen_run_id"], row["confirmed_by"], row["resolved_by"])]
    standing = sum(row["state"] != RESOLVED for row in rows)
    lines = [f"alert {sentence(row)}" for row in news]
    lines.append(f"alerts: {len(news)} by this run, {standing} stand; see `benchbook alerts`")
    if wanted.webhook_env is not None:
        url = os.environ.get(wanted.webhook_env)
        told_now = (
            tell(job.results, url, rows) if url else f"webhook: {wanted.webhook_env} is not set, nothing is posted"
        )
        lines += [told_now] if told_now else []
    return lines


def sentence(row: Row) -> str:
    """One alert in one line."""
    unit = "points" if row["scale"] == "share" else "%"
    named = f"{row['target']} {row['workload']} {row['metric']}"
    because = f": {row['attribution']['words']}" if row["attribution"] else ""
    return (
        f"{row['state']}, {row['sense']}: {named} {100 * row['change']:+.1f} {unit} from run {row['run_id']}{because}"
    )


def untold(results: str, url: str, rows: Sequence[Row]) -> list[Row]:
    """Those of the alerts whose state this address does not know yet."""
    known = told(results, url)
    return [
        row for row in rows if known.get(row["id"]) != row["state"] and (row["state"] != RESOLVED or row["id"] in known)
    ]


def tell(results: str, url: str, rows: Sequence[Row]) -> str:
    """Post what is untold. One line that says what came of it; empty where there was nothing to tell."""
    fresh = untold(results, checked_webhook(url), rows)
    if not fresh:
        return ""
    failure = _posted(url, {"benchbook": "alerts", "results": results, "alerts": fresh})
    if failure:
        return f"webhook: {len(fresh)} alerts not delivered ({failure}); they are tried again the next time"
    remember(results, url, fresh, f"{utc(SystemClock().wall_ns()):%Y-%m-%dT%H:%M:%SZ}")
    return f"webhook: told {len(fresh)} alerts"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A POST that is sent on becomes a GET: better to say where it failed."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _posted(url: str, body: Mapping[str, Any]) -> str:
    """Why it could not be delivered; empty when it was."""
    import orjson

    data = orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS, default=str)
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method="POST")  # noqa: S310
    direct = urllib.parse.urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")
    proxies = urllib.request.ProxyHandler({} if direct else None)  # loopback addresses never go through a proxy
    opener = urllib.request.build_opener(proxies, _NoRedirects())
    try:
        with opener.open(request, timeout=TIMEOUT_S):
            return ""
    except urllib.error.HTTPError as error:
        return f"HTTP {error.code}"
    except urllib.error.URLError as error:
        return str(error.reason)
    except (OSError, ValueError) as error:
        return str(error) or type(error).__name__
