"""A trial or an event as compact JSON-able data, and back, losslessly.

Fields that hold their default are left out, and unknown ones are passed over, so that older and newer journals
read each other. Rising stamps are written as the first one and the steps after it, chunk kinds as runs
(`["text", 64]`), a body as text where it is UTF-8 and else as base64 under a name of its own, numbers that JSON
has no word for (`inf`) as strings.
"""

from __future__ import annotations

import base64
import dataclasses
import math
from collections.abc import Mapping, Sequence
from itertools import accumulate, chain, compress, groupby, repeat
from operator import attrgetter, ne, sub
from typing import Any

from benchbook.records import Answer, Call, Chunks, Event, PlannedTrial, Span, ToolCall, Trial, Usage

Data = dict[str, Any]


def encode_trial(trial: Trial) -> Data:
    """The trial as JSON-able data."""
    data = _plain(trial)
    data["planned"] = _plain(trial.planned)
    if trial.calls:
        data["calls"] = [_encode_call(call) for call in trial.calls]
    if trial.answers:
        data["answers"] = [_encode_answer(answer) for answer in trial.answers]
    if trial.spans:
        data["spans"] = [_encode_span(span) for span in trial.spans]
    for name in ("reported", "end_state"):
        if name in data:
            data[name] = {key: _number(value) for key, value in data[name].items()}
    return data


def decode_trial(data: Mapping[str, Any]) -> Trial:
    """The trial that `encode_trial` wrote. Raises RecordError, KeyError, TypeError or ValueError on other data."""
    fields = _known(Trial, data)
    fields["planned"] = PlannedTrial(**_known(PlannedTrial, data["planned"]))
    fields["calls"] = tuple(_decode_call(call) for call in data.get("calls", ()))
    fields["answers"] = tuple(_decode_answer(answer) for answer in data.get("answers", ()))
    if "spans" in data:
        fields["spans"] = tuple(Span(**_known(Span, span)) for span in data["spans"])
    if "reported" in data:
        fields["reported"] = {name: _float(value) for name, value in data["reported"].items()}
    return Trial(**fields)


def encode_event(event: Event) -> Data:
    """The event as JSON-able data; fields that JSON has no word for (`inf`) as strings."""
    data = _plain(event)
    if "fields" in data:
        data["fields"] = {name: _number(value) for name, value in event.fields.items()}
    return data


def decode_event(data: Mapping[str, Any]) -> Event:
    """The event that `encode_event` wrote. Raises RecordError, TypeError or ValueError on other data."""
    return Event(**_known(Event, data))


def _encode_call(call: Call) -> Data:
    data = _plain(call)
    if call.chunks:
        chunks = call.columns
        data["chunks"] = {
            "at_ns": _steps(chunks.at_ns),
            "sizes": chunks.sizes,
            "kinds": _runs(chunks.kinds),
        }
    if usage := _plain(call.usage):
        data["usage"] = usage
    if "retry_after_s" in data:
        data["retry_after_s"] = _number(call.retry_after_s)
    if "reported" in data:
        data["reported"] = {name: _number(value) for name, value in call.reported.items()}
    return data


def _decode_call(data: Mapping[str, Any]) -> Call:
    fields = _known(Call, data)
    if "chunks" in data:
        stored = data["chunks"]
        kinds = tuple(chain.from_iterable(repeat(kind, count) for kind, count in stored["kinds"]))
        fields["chunks"] = Chunks(tuple(accumulate(stored["at_ns"])), tuple(stored["sizes"]), kinds)
    if "usage" in data:
        fields["usage"] = Usage(**_known(Usage, data["usage"]))
    if "retry_after_s" in data:
        fields["retry_after_s"] = _float(data["retry_after_s"])
    if "reported" in data:
        fields["reported"] = {name: _float(value) for name, value in data["reported"].items()}
    return Call(**fields)


def _encode_span(span: Span) -> Data:
    data = _plain(span)
    if "detail" in data:
        data["detail"] = {name: _number(value) for name, value in span.detail.items()}
    return data


def _encode_answer(answer: Answer) -> Data:
    data = _plain(answer)
    if answer.tool_calls:
        data["tool_calls"] = [[call.id, call.name, call.arguments] for call in answer.tool_calls]
    if answer.piece_at_ns:
        data["piece_at_ns"] = _steps(answer.piece_at_ns)
    if answer.body:
        try:
            data["body"] = answer.body.decode()
        except UnicodeDecodeError:
            del data["body"]
            data["body_base64"] = base64.b64encode(answer.body).decode()
    return data


def _decode_answer(data: Mapping[str, Any]) -> Answer:
    fields = _known(Answer, data)
    fields["tool_calls"] = tuple(ToolCall(*call) for call in data.get("tool_calls", ()))
    fields["piece_at_ns"] = tuple(accumulate(data.get("piece_at_ns", ())))
    fields["piece_sizes"] = tuple(data.get("piece_sizes", ()))
    encoded = data.get("body_base64")
    fields["body"] = data.get("body", "").encode() if encoded is None else base64.b64decode(encoded)
    return Answer(**fields)


# ---------------------------------------------------------------- fields and numbers


def _defaults(kind: type) -> Mapping[str, Any]:
    """Field -> default; a field without one has the field's own MISSING, which equals no value."""
    found = {}
    for field in dataclasses.fields(kind):
        made = field.default_factory
        found[field.name] = field.default if made is dataclasses.MISSING else made()
    return found


_DEFAULTS: Mapping[type, Mapping[str, Any]] = {
    kind: _defaults(kind) for kind in (Trial, PlannedTrial, Call, Answer, Usage, Span, Event)
}


_NESTED = frozenset({"planned", "calls", "answers", "spans", "chunks", "usage"})
"""Fields that hold records: each encoder writes its own."""


class _Layout:
    """A kind's plain fields and their defaults."""

    __slots__ = ("defaults", "names", "values_of")

    def __init__(self, defaults: Mapping[str, Any]) -> None:
        self.names = tuple(name for name in defaults if name not in _NESTED)
        self.defaults = tuple(defaults[name] for name in self.names)
        self.values_of = attrgetter(*self.names)


_LAYOUTS = {kind: _Layout(defaults) for kind, defaults in _DEFAULTS.items()}


def _plain(record: Any) -> Data:
    """The plain fields of a record that don't hold their default."""
    layout = _LAYOUTS[type(record)]
    values = layout.values_of(record)
    return dict(compress(zip(layout.names, values, strict=True), map(ne, values, layout.defaults)))


def _known(kind: type, data: Mapping[str, Any]) -> Data:
    """The entries of the data that are fields of this kind; a copy."""
    found, names = dict(data), _DEFAULTS[kind].keys()
    return found if found.keys() <= names else {name: found[name] for name in names if name in found}


def _steps(stamps: Sequence[int]) -> list[int]:
    """The first stamp and the step to each further one."""
    return [stamps[0], *map(sub, stamps[1:], stamps)]


def _runs(kinds: Sequence[str]) -> list[list[Any]]:
    """[kind, how many in a row], in order; most answers have but one kind."""
    if kinds.count(kinds[0]) == len(kinds):
        return [[kinds[0], len(kinds)]]
    return [[kind, len(list(run))] for kind, run in groupby(kinds)]


def _number(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _float(value: Any) -> Any:
    return float(value) if isinstance(value, str) else value
