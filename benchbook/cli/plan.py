"""`benchbook plan`: what would be sent, how long it would take, what it would cost at most."""

from __future__ import annotations

from typing import Any

import click

from benchbook.cli.options import job_of, json_option, plan_options, results_option, save_plan

_EPILOG = """\b
Examples:
  benchbook plan
  benchbook plan --plan plans/bedrock-latency.yaml --json
  benchbook plan --target openai:gpt-4o-mini --dataset datasets/coding-tasks.json --save-plan mine.yaml"""


@click.command(epilog=_EPILOG)
@plan_options
@results_option
@click.option("--save-plan", metavar="FILE", help="Write the plan as a file.")
@json_option
def command(**chosen: Any) -> None:
    """Show what a plan would do, take and cost, before anything is sent."""
    from benchbook.cli.output import note, print_json, print_table
    from benchbook.stages.forecast import forecast

    job = job_of(chosen, results=chosen["results"])
    found = forecast(job)
    if chosen["save_plan"]:
        save_plan(job, chosen["save_plan"])
    if chosen["as_json"]:
        print_json(found)
        return
    columns = ("target", "provider", "model", "streamed", "trials", "duration_s", "cost_usd_most", "basis")
    headings = (*columns[:5], "duration s", "cost at most $", "based on")
    print_table(f"plan {found['plan']}", headings, [[row[name] for name in columns] for row in found["targets"]])
    click.echo(
        f"{found['trials']} trials ({found['warmup']} warm-up, {found['measured']} measured), load {found['load']}\n"
        f"measured trials by {found['measured_by']}\n"
        f"cache {found['cache']}: {_CACHE[found['cache']]}\n"
        f"{_teams(found['teams'])}"
        f"{_asks(found['targets'])}"
        f"about {duration(found['duration_s'])}; cost at most {_money(found['cost_usd_most'])}\n"
        f"plan hash {found['plan_hash'][:12]}, workload hash {found['workload_hash'][:12]}"
    )
    for line in found["notes"]:
        note(line)


_CACHE = {
    "as_is": "prompts as they are, and whatever the provider's cache makes of their repetition",
    "cold": "each trial's prompt begins with a nonce, so that no cache can serve it",
    "shared_prefix": "a nonce stands behind what prompts share, so that a cache can serve no more than that",
    "warm": "prompts as they are; measured trials are meant to be served from the provider's cache",
}


def _asks(targets: list[dict[str, Any]]) -> str:
    """What is asked of each target, a line for all that are asked the same."""
    lines: dict[str, list[str]] = {}
    for row in targets:
        lines.setdefault(_asked(row["asks"]), []).append(row["target"])
    return "".join(f"asks of {', '.join(names)}: {line}\n" for line, names in lines.items())


def _teams(teams: list[dict[str, Any]]) -> str:
    """A line for each team, and for each target how far one trial of it may go."""
    lines = []
    for row in teams:
        who = ", ".join(row["members"])
        lines.append(f"{row['workload']} by team {row['team']} ({row['kind']}: {who})")
        limits: dict[str, list[str]] = {}
        for target, most in row["trial_most"].items():
            limits.setdefault(_most(most), []).append(target)
        lines += [f"  a trial on {', '.join(names)} at most: {line}" for line, names in limits.items()]
    return "".join(f"{line}\n" for line in lines)


def _most(most: dict[str, Any]) -> str:
    from benchbook.reports.words import money

    parts = [f"{most['calls']:,} model calls"]
    parts += [f"{most['handoffs']:,} handoffs"] if most["handoffs"] else []
    parts.append("tokens without a limit" if most["tokens"] is None else f"{most['tokens']:,} tokens")
    parts.append(f"{most['time_s']:g} s")
    unknown = "money unknown (no price, or no limit of tokens or usd)"
    parts.append(unknown if most["cost_usd"] is None else money(most["cost_usd"]))
    return ", ".join(parts)


def _asked(asks: dict[str, Any]) -> str:
    def tokens(name: str) -> str:
        return "unknown (no max_tokens, or agents)" if asks[name] is None else f"{asks[name]:,}"

    parts = [
        f"context {tokens('context_tokens')}, answer {tokens('output_tokens')} tokens a call at most",
        f"{asks['calls']:,} calls with {tokens('tokens_in')} tokens in, {tokens('tokens_out')} out",
        "streamed" if asks["streaming"] else "not streamed",
    ]
    if asks["requests_per_s"] is not None:
        parts.append(f"up to {asks['requests_per_s']:,} trials begun within a second")
    if asks["in_flight"] is not None:
        parts.append(f"up to {asks['in_flight']:,} in flight")
    return "; ".join(parts)


def duration(seconds: float | None) -> str:
    """How long it takes, as a person says it."""
    if seconds is None:
        return "an unknown time"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _money(usd: float | None) -> str:
    """The estimate with what it rests on: longer prompts by another count of tokens, and retries, cost more."""
    from benchbook.reports.words import money

    if usd is None:
        return "unknown (a target has no price, or no max_tokens)"
    return f"about {money(usd)} (answers as long as max_tokens, prompts at 4 characters a token, no retry)"
