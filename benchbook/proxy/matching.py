"""Which recorded answer a request gets: by method, path and body; the n-th equal request gets the n-th answer.

Bodies are compared as JSON: the order of keys, white space and `1` against `1.0` don't matter, nor do secrets
and the fields that are said to be volatile. A path may lack or have a prefix that the recorded one has not (the
same API at another base address). After the last recorded answer the first one comes again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import orjson

from benchbook.proxy.cassette import Cassette, Recorded
from benchbook.proxy.scrubbing import scrubbed_body, scrubbed_path, secrets_of

ERROR, NEAREST = "error", "nearest"
ON_MISS = (ERROR, NEAREST)
_SHOWN = 3

Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Miss:
    """A request that the cassette has no answer to. `message` says what came closest; `nearest` is that, if the
    cassette has anything of the same method and path."""

    method: str
    path: str
    message: str
    nearest: Recorded | None = None


class Matcher:
    """The answers of a cassette, and how many of each were given. `ignore`: dotted places in request bodies, `*`
    for every entry of a list."""

    def __init__(self, cassette: Cassette, ignore: Sequence[str] = ()) -> None:
        self._ignore = tuple(tuple(place.split(".")) for place in dict.fromkeys((*cassette.ignore, *ignore)))
        self._answers: dict[Key, list[Recorded]] = {}
        self._given: Counter[Key] = Counter()
        for recorded in cassette.exchanges:
            asked = recorded.asked
            key = (asked.method, _ordered(asked.path), self._digest(asked.body))
            self._answers.setdefault(key, []).append(recorded)
        self._paths = tuple(dict.fromkeys(path for _, path, _ in self._answers))

    def take(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Recorded | Miss:
        """The answer to a request. Header names in lower case."""
        secrets = secrets_of(headers, target)
        path = _ordered(scrubbed_path(target, secrets))
        kept = scrubbed_body(body, secrets)
        digest = self._digest(kept)
        related = self._related(path)
        for known in related:
            answers = self._answers.get((method, known, digest))
            if answers is not None:
                return self.next_of((method, known, digest), answers)
        return self._missed(method, (path, related), kept)

    def next_of(self, key: Key, answers: Sequence[Recorded]) -> Recorded:
        """The next answer to an equal request, from the first again after the last."""
        number = self._given[key]
        self._given[key] += 1
        return answers[number % len(answers)]

    def nearest(self, miss: Miss) -> Recorded | None:
        """The next answer to the request that came closest to the missed one, if there is such."""
        if miss.nearest is None:
            return None
        asked = miss.nearest.asked
        key = (asked.method, _ordered(asked.path), self._digest(asked.body))
        return self.next_of(key, self._answers[key])

    # ------------------------------------------------------------ inside

    def _related(self, path: str) -> tuple[str, ...]:
        """The recorded path that this one is, or else those that it is but for a prefix."""
        if path in self._paths:
            return (path,)
        return tuple(known for known in self._paths if known.endswith(path) or path.endswith(known))

    def _digest(self, body: bytes) -> str:
        value = self._canonical(body)
        return sha256(value if isinstance(value, bytes) else _dumped(value)).hexdigest()

    def _canonical(self, body: bytes) -> Any:
        """The body as it is compared: JSON without what is ignored, or the bytes."""
        try:
            value = _evened(orjson.loads(body))
        except orjson.JSONDecodeError:
            return body
        for place in self._ignore:
            _drop(value, place)
        return value

    def _missed(self, method: str, place: tuple[str, Sequence[str]], body: bytes) -> Miss:
        path, related = place
        asked = f"{method} {path}"
        same_path = [kept[0] for (verb, at, _), kept in self._answers.items() if verb == method and at in related]
        if not same_path:
            known = sorted({f"{verb} {at}" for verb, at, _ in self._answers})
            more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
            message = f"the cassette has no {asked}; it has {', '.join(known[:_SHOWN])}{more}"
            return Miss(method, path, message)
        wanted = self._canonical(body)
        apart = {recorded.number: self._apart(wanted, recorded) for recorded in same_path}
        nearest = min(same_path, key=lambda recorded: (apart[recorded.number][0], recorded.number))
        said = apart[nearest.number][1]
        more = f" and {len(said) - _SHOWN} more places" if len(said) > _SHOWN else ""
        message = f"the cassette has no {asked} with this body; exchange {nearest.number} is closest, and differs in "
        return Miss(method, path, message + "; ".join(said[:_SHOWN]) + more, nearest)

    def _apart(self, wanted: Any, recorded: Recorded) -> tuple[float, list[str]]:
        """How far two bodies are apart (a place counts 1, less where its texts begin or end alike), and where."""
        ours, theirs = _places(wanted), _places(self._canonical(recorded.asked.body))
        places = [place for place in sorted({*ours, *theirs}) if ours.get(place) != theirs.get(place)]
        said = [
            f"{place or 'the body'} ({_short(theirs.get(place))} recorded, {_short(ours.get(place))} asked)"
            for place in places
        ]
        return sum(1 - _likeness(ours.get(place), theirs.get(place)) for place in places), said


def _likeness(one: Any, other: Any) -> float:
    """The share of two texts that is the same at their beginnings and ends; 0 for what is no text."""
    if not (isinstance(one, str) and isinstance(other, str)) or not one or not other:
        return 0.0
    alike = _alike(one, other)
    return (alike + _alike(one[alike:][::-1], other[alike:][::-1])) / max(len(one), len(other))


def _alike(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    differs = (place for place, (here, there) in enumerate(zip(one, other, strict=False)) if here != there)
    return next(differs, min(len(one), len(other)))


def _ordered(path: str) -> str:
    """A path with its query's parameters in order, doubled slashes single."""
    steps, mark, query = path.partition("?")
    while "//" in steps:
        steps = steps.replace("//", "/")
    return steps + mark + "&".join(sorted(query.split("&"))) if query else steps


def _evened(value: Any) -> Any:
    """JSON with whole floats as integers."""
    if isinstance(value, dict):
        return {name: _evened(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_evened(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _dumped(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _drop(value: Any, place: Sequence[str]) -> None:
    """Take a dotted place out of a JSON value, where it has it."""
    first, rest = place[0], place[1:]
    if isinstance(value, list):
        entries = value if first == "*" else value[int(first) :][:1] if first.isdecimal() else []
        for entry in entries if rest else ():
            _drop(entry, rest)
    elif isinstance(value, dict) and first in value:
        if rest:
            _drop(value[first], rest)
        else:
            del value[first]


def _places(value: Any) -> dict[str, Any]:
    """Every leaf of a JSON value by its dotted place."""
    return dict(_leaves(value, ""))


def _leaves(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if pairs is None or not value:
        yield place, value
        return
    for name, part in pairs:
        yield from _leaves(part, f"{place}.{name}" if place else str(name))


def _short(value: Any) -> str:
    if value is None:
        return "nothing"
    text = value.decode(errors="replace") if isinstance(value, bytes) else _dumped(value).decode()
    return text if len(text) <= 40 else text[:38] + ".."
