"""The one tree of exceptions. It says whose fault a thing is.

    BenchbookError
    |-- UserError               the user's: one clear line and exit code 2
    |   |-- PlanError           a plan file or an override
    |   |-- DatasetError        a dataset file, with every problem it has
    |   |-- CredentialError     a key or cloud credential that is not there
    |   |-- UnknownRunError     a run id that no journal or table holds
    |   |-- QueryError          SQL that DuckDB refuses
    |   |-- CassetteError       a cassette that can't be read, or is none
    |   |-- ApprovalError       a request for approval that is not there, or was decided already
    |   |-- BusyError           another run holds the results folder
    |   `-- StorageError        a folder that can't be written, a disk that is full
    |-- ProviderError           the provider's or the path's: becomes a row, never a traceback
    |-- WireError               bytes that break a protocol: becomes a row as well
    |-- ToolError               what a tool can't do for an agent: becomes what the agent observes
    `-- RecordError             ours: a stored record that contradicts itself

A provider's failure is data: it ends as `error_kind` and `error_message` of a call and a trial.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

EXIT_DONE = 0
EXIT_FAILURES = 1
EXIT_BAD_INPUT = 2
EXIT_NOT_VALID = 3
EXIT_REGRESSION = 3
EXIT_CANNOT_TELL = 4
EXIT_INTERRUPTED = 130


class BenchbookError(Exception):
    """Root of everything that Benchbook raises on purpose."""


class UserError(BenchbookError):
    """Something the user can mend.

    where: file and place (`plan.yaml:12`, `case sum-03, field prompt`); what: what is wrong;
    right: what would be right. `str()` gives them as one line.
    """

    def __init__(self, where: str, what: str, right: str = "") -> None:
        self.where, self.what, self.right = where, what, right
        super().__init__(where, what, right)

    def __str__(self) -> str:
        line = f"{self.where}: {self.what}" if self.where else self.what
        return f"{line}; {self.right}" if self.right else line


class PlanError(UserError):
    """The plan file, an override, or a name in them."""


class DatasetError(UserError):
    """A dataset that can't be used; `problems` holds every line, the first one is the message."""

    def __init__(self, where: str, what: str, right: str = "", problems: tuple[str, ...] = ()) -> None:
        super().__init__(where, what, right)
        self.problems = problems


class CredentialError(UserError):
    """A key or credential that the environment does not hold. Never carries its value."""


class UnknownRunError(UserError):
    """A run id (or prefix) that names no stored run."""


class QueryError(UserError):
    """SQL that DuckDB refuses."""


class CassetteError(UserError):
    """A cassette that can't be read or written to."""


class ApprovalError(UserError):
    """A request for approval that no run has, or that was decided already."""


class BusyError(UserError):
    """Another process holds the results folder."""


class StorageError(UserError):
    """A results folder that can't be written, or a disk that is full; says what is safe."""


def error_fields(error: UserError) -> dict[str, Any]:
    """A user's error as plain data, to be told to another process; `error_of` reads it back."""
    problems = error.problems if isinstance(error, DatasetError) else ()
    return {
        "class": type(error).__name__,
        "where": error.where,
        "what": error.what,
        "right": error.right,
        "problems": list(problems),
    }


def error_of(fields: Mapping[str, Any]) -> UserError:
    """The error that `error_fields` gave, of the same kind."""
    kind = globals().get(str(fields["class"]), UserError)
    error: UserError = kind(fields["where"], fields["what"], fields["right"])
    if isinstance(error, DatasetError):
        error.problems = tuple(fields.get("problems", ()))
    return error


class ProviderError(BenchbookError):
    """A model call that failed. `kind` is one of `records.ERROR_KINDS`."""

    def __init__(self, kind: str, message: str, *, http_status: int | None = None) -> None:
        self.kind, self.message, self.http_status = kind, message, http_status
        super().__init__(kind, message)

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"


class WireError(BenchbookError):
    """Bytes that break a protocol (bad CRC, bad JSON, an event out of order)."""


class ToolError(BenchbookError):
    """What a tool can't do for an agent; its text is one line that a model can act on.

    kind: `error`, or more exactly what failed (one of `records.ERROR_KINDS`, or `no_key`); service: the one outside
    that was asked, "" for none.
    """

    def __init__(self, message: str, *, kind: str = "error", service: str = "") -> None:
        self.kind, self.service = kind, service
        super().__init__(message)


class RecordError(BenchbookError):
    """A stored record that contradicts itself, or an attempt to build one."""
