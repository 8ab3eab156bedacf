"""The folder of approval requests under a run's folder: how people who decide and the engine that waits meet.

    results/journal/RUN/approvals/REQUEST.request.json     asked by the engine; asked again by a resume
                                  REQUEST.decision.json    decided, once

Both are frames with a checksum and are there whole or not at all. A decision is linked to its name and never
replaces one: of two that come at once, a person's and the engine's `timeout` among them, the first holds and the
other one is refused. No server and no lock: a folder that can be read and written is enough.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from benchbook.clock import utc
from benchbook.errors import ApprovalError, RecordError
from benchbook.records import ApprovalRequest, Decision
from benchbook.results.frame import FrameError, framed, unframed
from benchbook.results.paths import journal_folder, writable
from benchbook.results.whole import sync_folder, temporary, write_synced, write_whole

_ASKED, _DECIDED = ".request.json", ".decision.json"
_REQUEST, _DECISION = "request", "decision"
_Record = TypeVar("_Record", ApprovalRequest, Decision)


@dataclass(frozen=True, slots=True)
class Approval:
    """A request, and what was decided if it was."""

    folder: Path
    request: ApprovalRequest
    decision: Decision | None

    @property
    def run_id(self) -> str:
        """The run that asks."""
        return self.folder.parent.name


def approvals_folder(results: Path, run_id: str) -> Path:
    """Where a run's requests lie."""
    return journal_folder(results) / run_id / "approvals"


def ask(folder: Path, request: ApprovalRequest) -> Decision | None:
    """Write a request down, unless it is decided already (before a resume): then the decision. Raises StorageError."""
    decided = decision(folder, request.request_id)
    if decided is None:
        with writable(folder):
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(folder / (request.request_id + _ASKED), framed(_REQUEST, asdict(request)))
    return decided


def decide(folder: Path, request_id: str, made: Decision) -> None:
    """Write a decision down. Raises ApprovalError where there is one already, StorageError."""
    path = folder / (request_id + _DECIDED)
    hidden = temporary(path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}"))
    with writable(folder):
        write_synced(hidden, framed(_DECISION, asdict(made)))
        try:
            os.link(hidden, path)
        except FileExistsError:
            raise ApprovalError(
                f"request {request_id}", _said(decision(folder, request_id)), "nothing changed"
            ) from None
        finally:
            hidden.unlink(missing_ok=True)
        sync_folder(folder)


def decision(folder: Path, request_id: str) -> Decision | None:
    """What was decided, if it was."""
    return _read(folder / (request_id + _DECIDED), _DECISION, Decision)


def approvals(results: Path) -> Iterator[Approval]:
    """Every request of every run, in order of asking. Files that can't be read are passed over."""
    found = []
    for path in journal_folder(results).glob(f"*/approvals/*{_ASKED}"):
        request = _read(path, _REQUEST, ApprovalRequest)
        if request is not None and not path.name.startswith("."):
            found.append(Approval(path.parent, request, decision(path.parent, request.request_id)))
    return iter(sorted(found, key=lambda one: (one.request.asked_wall_ns, one.request.request_id)))


def find(results: Path, text: str) -> Approval:
    """The one request whose id is `text` or begins so, where several do: the one that is not decided.

    Raises ApprovalError.
    """
    matches = [one for one in approvals(results) if one.request.request_id.startswith(text)]
    exact = [one for one in matches if one.request.request_id == text]
    pending = [one for one in exact or matches if one.decision is None]
    chosen = pending or exact or matches
    if len(chosen) == 1:
        return chosen[0]
    if not chosen:
        raise ApprovalError(f"request {text}", f"none in {results} begins so", "`benchbook approve` lists all")
    ids = ", ".join(one.request.request_id for one in chosen[:5])
    raise ApprovalError(f"request {text}", f"{len(chosen)} requests begin so", f"one of {ids}")


def _said(made: Decision | None) -> str:
    if made is None:
        return "was decided by another process just now"
    when = f"{utc(made.decided_wall_ns):%Y-%m-%d %H:%M:%S} UTC"
    if made.verdict == "timeout":
        return f"timed out at {when}"
    return f"was {made.verdict} already, by {made.by} ({made.via}) at {when}"


def _read(path: Path, name: str, kind: type[_Record]) -> _Record | None:
    try:
        found: dict[str, Any] = unframed(name, path.read_bytes())
        known = {field.name for field in fields(kind)}
        return kind(**{key: value for key, value in found.items() if key in known})
    except (OSError, FrameError, RecordError, TypeError, AttributeError):
        return None
