"""json_schema: the answer holds JSON, bare or in a code fence, that fits `schema`.

The whole answer counts if it is JSON, else the first fenced block that is, else the longest object or array in
the text. `bare: true` allows nothing around the JSON. References in the schema are never fetched from a network.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

OPTIONS = {"schema": (dict, bool), "bare": bool}
_FENCE = re.compile(r"```[^\n`]*\n(.*?)```", re.DOTALL)
_OPENING = re.compile(r"[{\[]")
_MAX_STARTS = 500
_DECODER = json.JSONDecoder()


def needs(answers: tuple[str, ...], options: Mapping[str, Any]) -> str | None:  # noqa: ARG001 - a scorer's signature
    if "schema" not in options:
        return "json_schema needs a schema"
    return _schema_fault(json.dumps(options["schema"], sort_keys=True, default=str))


def score(answers: tuple[str, ...], options: Mapping[str, Any], text: str) -> tuple[float, bool, str]:  # noqa: ARG001
    found = extract(text, bare=options.get("bare", False))
    if not found:
        return 0.0, False, "no JSON in the answer"
    fault = _misfit(found[0], options["schema"])
    return (1.0, True, "fits the schema") if fault is None else (0.0, False, fault)


def extract(text: str, *, bare: bool = False) -> list[Any]:
    """The JSON value of an answer as a list of one, or an empty list."""
    whole = _parse(text)
    if whole or bare:
        return whole
    for block in _FENCE.findall(text):
        if fenced := _parse(block):
            return fenced
    spans = list(_spans(text))
    return [max(spans, key=lambda span: span[0])[1]] if spans else []


def _parse(text: str) -> list[Any]:
    try:
        return [json.loads(text, parse_constant=_refuse)]
    except (ValueError, RecursionError):
        return []


def _refuse(name: str) -> None:
    raise ValueError(name)


def _spans(text: str) -> Iterator[tuple[int, Any]]:
    """(length, value) of each object or array that starts somewhere in the text."""
    position = 0
    for _ in range(_MAX_STARTS):
        opening = _OPENING.search(text, position)
        if opening is None:
            return
        try:
            value, position = _DECODER.raw_decode(text, opening.start())
        except (ValueError, RecursionError):
            position = opening.end()
        else:
            yield position - opening.start(), value


def _misfit(value: Any, schema: Any) -> str | None:
    """Where and how a value breaks the schema; None if it fits."""
    from jsonschema import exceptions

    try:
        error = exceptions.best_match(_validator(schema).iter_errors(value))
    except Exception as error:  # noqa: BLE001 - a schema's references and patterns fail in many ways; never ours
        return f"the schema can't be applied: {error}"
    if error is None:
        return None
    return f"{error.json_path}: {error.message}"


def _validator(schema: Any) -> Any:
    from jsonschema import Draft202012Validator, validators
    from referencing.jsonschema import EMPTY_REGISTRY

    return validators.validator_for(schema, default=Draft202012Validator)(schema, registry=EMPTY_REGISTRY)


@lru_cache(maxsize=256)
def _schema_fault(schema: str) -> str | None:
    from jsonschema import Draft202012Validator, SchemaError, validators

    document = json.loads(schema)
    try:
        validators.validator_for(document, default=Draft202012Validator).check_schema(document)
    except SchemaError as error:
        return f"schema is no JSON schema: {error.json_path}: {error.message}"
    return None
