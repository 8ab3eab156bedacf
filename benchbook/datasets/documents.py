"""Datasets as plain JSON-able data, without loss: what the journal keeps and what the formats write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from benchbook.datasets.notes import Parsed
from benchbook.errors import DatasetError
from benchbook.records import Case, Dataset, Message, Turn


def to_dict(dataset: Dataset) -> dict[str, Any]:
    """The document that reads back as `dataset` (its path and hash apart); fields that say nothing are left out.
    Generated cases are left to their declaration."""
    header = {
        "name": dataset.name,
        "description": dataset.description,
        "version": dataset.version,
        "schema_version": dataset.schema_version,
        "defaults": dict(dataset.defaults),
        "metadata": dict(dataset.metadata),
        "synthetic": dict(dataset.synthetic),
    }
    kept = {key: value for key, value in header.items() if key == "name" or value not in ("", {})}
    written = [_case(case) for case in dataset.cases if case.generated is None]
    return kept if dataset.synthetic and not written else {**kept, "test_cases": written}


def from_dict(document: Mapping[str, Any], path: str = "", sha256: str = "") -> Dataset:
    """The dataset of a document. Raises DatasetError with every problem."""
    from benchbook.datasets.schema import judge_document

    judged = judge_document(Parsed(dict(document)), path, sha256)
    if judged.problems or judged.dataset is None:
        first = judged.problems[0]
        raise DatasetError(first.where, first.what, first.right, tuple(str(note) for note in judged.problems))
    return judged.dataset


def _case(case: Case) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "id": case.id,
        "category": case.category or None,
        "prompt": case.prompt,
        "messages": [_message(message) for message in case.messages] or None,
        "turns": [_turn(turn) for turn in case.turns] or None,
        "system": case.system,
        "variables": dict(case.variables) or None,
        "expected": case.expected,
        "references": list(case.references) or None,
        "config": dict(case.config) or None,
        "metadata": dict(case.metadata) or None,
    }
    return {key: value for key, value in fields.items() if value is not None}


def _message(message: Message) -> dict[str, Any]:
    fields: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        fields["tool_calls"] = [asdict(call) for call in message.tool_calls]
    if message.tool_call_id is not None:
        fields["tool_call_id"] = message.tool_call_id
    return fields


def _turn(turn: Turn) -> Any:
    """Text alone where that says it all."""
    return {"content": turn.content, "think_s": turn.think_s} if turn.think_s else turn.content
