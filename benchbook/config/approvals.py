"""Who approves a workflow's results, as a plan writes it: one model a kind, told apart by `kind`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field

from benchbook.config.loads import Section

Wait = Annotated[float, Field(ge=0, le=31_536_000, allow_inf_nan=False)]
Patience = Annotated[float, Field(gt=0, le=31_536_000, allow_inf_nan=False)]


class AutomaticApprover(Section):
    """Says yes at once."""

    kind: Literal["automatic"]
    feedback: str = ""


class ScriptedApprover(Section):
    """Decides after `delay_s`, and up to `jitter_s` more, drawn from the seed (None: the trial's own).

    A trial's n-th request gets the n-th of `approve` and of `feedback`, the last one of each again and again. A
    decision that would take longer than `timeout_s` never comes.
    """

    kind: Literal["scripted"]
    delay_s: Wait = 0.05
    jitter_s: Wait = 0.0
    approve: tuple[bool, ...] = Field((True,), min_length=1)
    feedback: tuple[str, ...] = ()
    timeout_s: Patience | None = None
    seed: int | None = None


class HumanApprover(Section):
    """Waits for a person: `benchbook approve`, or Prefect's inputs."""

    kind: Literal["human"]
    timeout_s: Patience | None = 600.0


def _kind_alone(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


ApproverSpec = AutomaticApprover | ScriptedApprover | HumanApprover
Approver = Annotated[
    Annotated[ApproverSpec, Field(discriminator="kind")] | None,
    BeforeValidator(_kind_alone),
]
"""None: as `automatic`. A kind alone, as text, takes its defaults."""

APPROVERS: dict[str, type[BaseModel]] = {
    "automatic": AutomaticApprover,
    "scripted": ScriptedApprover,
    "human": HumanApprover,
}
