"""Options that several verbs share, and how a command line becomes a job."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from benchbook.errors import PlanError, UserError
from benchbook.stages import DEFAULT_PLAN, DEFAULT_RESULTS, PROFILES, Job

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

results_option: Decorator = click.option(
    "--results",
    metavar="DIR",
    default=DEFAULT_RESULTS,
    envvar="BENCHBOOK_RESULTS",
    show_default=True,
    show_envvar=True,
    help="Results folder.",
)
json_option: Decorator = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
plan_option: Decorator = click.option(
    "--plan", "plan", metavar="FILE", default=DEFAULT_PLAN, show_default=True, help="Plan file."
)
set_option: Decorator = click.option(
    "-S",
    "--set",
    "overrides",
    metavar="KEY=VALUE",
    multiple=True,
    help="Override a value of the plan, e.g. -S execute.repetitions=3.",
)
quiet_option: Decorator = click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors and results.")

profile_option: Decorator = click.option(
    "--profile",
    type=click.Choice(PROFILES),
    is_flag=False,
    flag_value=PROFILES[0],
    help="Keep profiles of the harness itself with the run; without a value CPU and memory. It slows the harness down.",
)

workers_option: Decorator = click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Measuring processes that share the load: more than one core can do, or one for each.",
)

budget_option: Decorator = click.option(
    "--budget-usd", type=click.FloatRange(0, min_open=True), help="Stop cleanly once this much is spent."
)

_LOAD: tuple[Decorator, ...] = (
    click.option("-c", "--concurrency", type=click.IntRange(1), help="Closed loop: trials in flight per target."),
    click.option("--rate", type=float, help="Open loop instead: trials per second and target, as a Poisson process."),
)
_QUICK: tuple[Decorator, ...] = (
    click.option(
        "--target",
        "targets",
        metavar="PROVIDER:MODEL[@URL]",
        multiple=True,
        help="Benchmark this target, without a plan file; repeatable.",
    ),
    click.option(
        "--dataset",
        "datasets",
        metavar="FILE",
        multiple=True,
        help="With this dataset, or folder of datasets; repeatable.",
    ),
    click.option("-n", "--repetitions", type=click.IntRange(1), help="Measured repetitions per test case and target."),
    click.option("-w", "--warmup", type=click.IntRange(0), help="Warm-up repetitions, kept as rows of phase `warmup`."),
    click.option("--stream/--no-stream", "stream", default=None, help="Stream the answers or not."),
    click.option("--max-tokens", type=click.IntRange(1), help="For --target: the longest answer."),
    click.option("--region", help="For --target bedrock:...: the AWS region."),
)


def plan_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """--plan, -S and the options of a quick look, for verbs that take a plan."""
    return _with((plan_option, set_option, *_QUICK[:2], *_LOAD, *_QUICK[2:]), function)


def loadless_plan_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`plan_options` without those of the load, for verbs that choose it."""
    return _with((plan_option, set_option, *_QUICK), function)


def series_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What verbs of several runs may use, where the runs go, and how it is told."""
    return _with((budget_option, workers_option, results_option, json_option, quiet_option), function)


def _with(options: Sequence[Decorator], function: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(options):
        function = option(function)
    return function


def job_of(chosen: Mapping[str, Any], **rest: Any) -> Job:
    """The job that the plan options and `rest` (results, resume, ...) describe. Raises UserError."""
    overrides = (*chosen["overrides"], *_changes(chosen))
    if chosen["targets"]:
        document = _document(chosen)
        return Job(plan="command line", document=document, **rest)
    if chosen["datasets"]:
        listed = ", ".join(f'"{name}"' for name in chosen["datasets"])
        overrides = (*overrides, f"validate.datasets=[{listed}]")
    return Job(plan=str(chosen["plan"]), overrides=overrides, **rest)


def _changes(chosen: Mapping[str, Any]) -> list[str]:
    """The quick options as overrides of a plan file."""
    changes = [f"execute.{name}={chosen[name]}" for name in ("repetitions", "warmup") if chosen[name] is not None]
    if chosen["stream"] is not None:
        changes.append(f"execute.stream={str(chosen['stream']).lower()}")
    if chosen["concurrency"] is not None and chosen["rate"] is not None:
        raise UserError("--rate", "goes without -c", "an open loop has no fixed concurrency")
    if chosen["concurrency"] is not None:
        changes.append(f"execute.load={{kind: closed, concurrency: {chosen['concurrency']}}}")
    if chosen["rate"] is not None:
        changes.append(f"execute.load={{kind: poisson, rate: {chosen['rate']}}}")
    return changes


def _document(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """A plan from --target and --dataset alone."""
    from benchbook.config import apply_overrides

    if not chosen["datasets"]:
        raise PlanError(
            "--target", "has nothing to ask", "add --dataset FILE, e.g. --dataset datasets/coding-tasks.json"
        )
    params = {"max_tokens": chosen["max_tokens"]} if chosen["max_tokens"] else {}
    targets = [_target(text, params, chosen["region"]) for text in chosen["targets"]]
    document: dict[str, Any] = {"validate": {"datasets": list(chosen["datasets"])}, "execute": {"targets": targets}}
    apply_overrides(document, [*chosen["overrides"], *_changes(chosen)])
    return document


def _target(text: str, params: Mapping[str, Any], region: str | None) -> dict[str, Any]:
    """`openai:gpt-4o-mini@http://host/v1` as a target; its name is the text before the address."""
    from benchbook.config import CASSETTE, SIMULATOR

    rest, at, address = text.partition("@http")
    base_url = at[1:] + address if at else None
    if rest.endswith("@" + SIMULATOR):
        rest, base_url = rest.removesuffix("@" + SIMULATOR), SIMULATOR
    elif "@" + CASSETTE in rest:
        rest, _, path = rest.partition("@" + CASSETTE)
        base_url = CASSETTE + path
    provider, colon, model = rest.partition(":")
    if not colon or not model:
        raise PlanError(f"--target {text}", "is no target", "write PROVIDER:MODEL, e.g. openai:gpt-4o-mini")
    target: dict[str, Any] = {
        "name": rest.replace("/", "_"),
        "provider": provider,
        "model": model,
        "params": dict(params),
    }
    if base_url:
        target["base_url"] = base_url
    if region and provider == "bedrock":
        target["region"] = region
    return target


def again_default() -> bool:
    """Whether BENCHBOOK_AGAIN asks for another run of a plan that has one."""
    return os.environ.get("BENCHBOOK_AGAIN", "") not in ("", "0")


def save_plan(job: Job, path: str) -> None:
    """Write the job's plan as a plan file. Raises UserError where that can't be."""
    from benchbook.config import to_yaml

    try:
        Path(path).write_text(to_yaml(job.spec()), encoding="utf-8")
    except OSError as error:
        raise UserError(path, f"can't be written ({error.strerror})", "choose another file for --save-plan") from None
