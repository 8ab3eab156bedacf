"""`benchbook approve`: what waits for a person, and what they decide. No server needed; the run goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from benchbook.cli.options import json_option, results_option

if TYPE_CHECKING:
    from benchbook.results.approvals import Approval

_EPILOG = """\b
Examples:
  benchbook approve
  benchbook approve 5f1c --show
  benchbook approve 5f1c --feedback "name the sources"
  benchbook approve 5f1c --reject --feedback "the figures are not from the table" """


@click.command(epilog=_EPILOG)
@click.argument("request_id", metavar="[REQUEST]", required=False)
@click.option("--show", is_flag=True, help="Show the request, decide nothing.")
@click.option("--reject", is_flag=True, help="Reject it: its workflow is cancelled.")
@click.option("--feedback", metavar="TEXT", default="", help="Told to the steps that come after it.")
@click.option("--by", metavar="NAME", help="Who decides; default: your login name.")
@click.option("--all", "decided_too", is_flag=True, help="List decided requests as well.")
@results_option
@json_option
def command(**chosen: Any) -> None:
    """List the requests that wait for approval, or approve the one whose id is or begins with REQUEST.

    A decision holds once and for all: a second one, or one after the time was up, is refused.
    """
    from pathlib import Path

    from benchbook.errors import UserError
    from benchbook.results import approvals

    results = Path(chosen["results"])
    if chosen["request_id"] is None:
        if chosen["show"] or chosen["reject"] or chosen["feedback"]:
            raise UserError("REQUEST", "is missing", "name a request; `benchbook approve` lists them")
        _list([one for one in approvals.approvals(results) if chosen["decided_too"] or one.decision is None], chosen)
        return
    if chosen["show"] and chosen["reject"]:
        raise UserError("--show", "goes without --reject", "it decides nothing")
    found = approvals.find(results, chosen["request_id"])
    if chosen["show"]:
        _show(found, as_json=chosen["as_json"])
    else:
        _decide(found, chosen)


def _decide(found: Approval, chosen: dict[str, Any]) -> None:
    from getpass import getuser

    from benchbook.cli.output import print_json
    from benchbook.clock import SystemClock
    from benchbook.records import Decision
    from benchbook.results import approvals

    verdict = "rejected" if chosen["reject"] else "approved"
    made = Decision(verdict, chosen["by"] or getuser(), "command line", chosen["feedback"], SystemClock().wall_ns())
    approvals.decide(found.folder, found.request.request_id, made)
    if chosen["as_json"]:
        print_json(_fields(approvals.find(found.folder.parents[2], found.request.request_id)))
    else:
        click.echo(f"{verdict}: {found.request.request_id} (step {found.request.step} of run {found.run_id})")


def _list(found: list[Approval], chosen: dict[str, Any]) -> None:
    from benchbook.cli.output import note, print_json, print_table

    if chosen["as_json"]:
        print_json([_fields(one) for one in found])
    elif found:
        rows = [_fields(one) for one in found]
        columns = ("request", "run", "case", "target", "step", "agent", "waits s", "of s", "decision", "result")
        keys = ("request_id", "run_id", "test_id", "target", "step", "agent", "waited_s", "timeout_s", "verdict")
        shown = columns if chosen["decided_too"] else tuple(name for name in columns if name != "decision")
        names = keys if chosen["decided_too"] else keys[:-1]
        print_table("", shown, [[*(row[key] for key in names), _short(row["output"])] for row in rows], _RANKS)
    else:
        note(f"nothing waits for approval in {chosen['results']}")


_RANKS = {"request": 3, "step": 2, "result": 1, "waits s": 1}


def _show(found: Approval, *, as_json: bool) -> None:
    from benchbook.cli.output import print_json

    fields = _fields(found)
    if as_json:
        print_json(fields)
        return
    for name, value in fields.items():
        if value not in (None, "") and name not in ("task", "output"):
            click.echo(f"{name + ':':<12} {value}")
    for name in ("task", "output"):
        click.echo(f"\n{click.style(name, bold=True)}\n{_visible(fields[name])}")


def _fields(one: Approval) -> dict[str, Any]:
    """A request and its decision as plain data."""
    from benchbook.clock import SystemClock, utc

    asked, made = one.request, one.decision
    until_ns = SystemClock().wall_ns() if made is None else made.decided_wall_ns
    return {
        "request_id": asked.request_id,
        "run_id": one.run_id,
        "trial_id": asked.trial_id,
        "test_id": asked.test_id,
        "target": asked.target,
        "step": asked.step,
        "agent": asked.agent,
        "asked_at": utc(asked.asked_wall_ns).isoformat(),
        "waited_s": round(max(0, until_ns - asked.asked_wall_ns) / 1e9, 1),
        "timeout_s": asked.timeout_s,
        "verdict": None if made is None else made.verdict,
        "by": None if made is None else made.by,
        "via": None if made is None else made.via,
        "decided_at": None if made is None else utc(made.decided_wall_ns).isoformat(),
        "feedback": None if made is None else made.feedback,
        "task": asked.task,
        "output": asked.output,
    }


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:59] + "…"


def _visible(text: str) -> str:
    """Lines as they are, without what would steer the terminal."""
    from benchbook.reports.grid import visible

    return "\n".join(visible(line) for line in text.splitlines())
