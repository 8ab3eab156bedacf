"""Prompts of a set size, generated from a declaration: the same declaration gives the same bytes, forever. Pure.

Law 1. A prompt is words of three letters, a blank between them, then two line ends and a closing request. Word k of
a stream is `WORDS[byte k]` of SHAKE-256 over `benchbook synthetic 1`, the seed and the stream's name: the stream
`shared` begins every prompt, `case N` goes on, `case N turn K` is a later turn of a conversation. A token is taken as
four characters, as the forecast and the simulator take it, so a word with its blank is one; common short words are
one token in most vocabularies too. That is an estimate: what is reported is the provider's count, and `calibration`
brings the two together.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from hashlib import shake_256
from statistics import NormalDist
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from benchbook.datasets.notes import Note, place, problem
from benchbook.records import Case, Generated, Turn

TOKEN_CHARS = 4
MAX_TOKENS = 500_000
"""The longest generated prompt."""
MAX_TOTAL_TOKENS = 25_000_000
"""All prompts of a dataset together: 100 MB of text."""
ASK = "Write a long story that uses many of the words above and do not stop early."
"""What closes a prompt, unless the declaration says otherwise; with its two line ends it is whole tokens."""

_LIST = """
act add age ago aid aim air all and ant any arc are ark arm art ash ask bag bar bat bay bed bee beg bet big bin
bit bow box boy bud bug bun bus but buy cab can cap car cat cod cow cry cup cut dab day den dew did dig dim dip
dog dot dry due dug ear eat egg elk elm end era eve eye fan far fax fee few fig fin fir fit fix fly fog for fox
fry fun fur gap gas get got guy gym had ham has hat hay her hey him hip his hit hop hot how hug hut ice icy ink
inn its ivy jam jar jaw jet job joy jug key kid lab lad lap law lay led leg let lid lie lip lit log lot low man
map mat may men met mid mix mop mud mug nap net new nod nor not now nut oak oat odd off oil old one ore our out
owe owl own pad pan paw pay pea peg pen pet pie pin pit pop pot pub pup put rag ram ran raw ray red rib rid rig
rim rip rod row rub rug run sad sat saw say sea see set she shy sip sir sit six ski sky son sow sun tag tan tap
tax tea ten the tie tin tip toe ton too top toy try tub tug two use van vet was wax way web wet who why win won
yes yet you zoo
"""
WORDS = tuple(_LIST.split())
"""256 common words of three letters. Their order is part of law 1."""

_LAW = "benchbook synthetic 1"
_SEPARATOR = "\n\n"


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Fixed(_Spec):
    kind: Literal["fixed"] = "fixed"
    value: int = Field(ge=1, le=MAX_TOKENS)

    def at(self, _share: float) -> int:
        return self.value


class _Uniform(_Spec):
    kind: Literal["uniform"]
    low: int = Field(ge=1, le=MAX_TOKENS)
    high: int = Field(ge=1, le=MAX_TOKENS)

    @model_validator(mode="after")
    def _ordered(self) -> _Uniform:
        if self.low > self.high:
            raise ValueError(f"low {self.low} is above high {self.high}")
        return self

    def at(self, share: float) -> int:
        return self.low + int(share * (self.high - self.low + 1))


class _Lognormal(_Spec):
    kind: Literal["lognormal"]
    median: int = Field(ge=1, le=MAX_TOKENS)
    sigma: float = Field(ge=0, le=3)
    min: int = Field(1, ge=1, le=MAX_TOKENS)
    max: int = Field(MAX_TOKENS, ge=1, le=MAX_TOKENS)

    @model_validator(mode="after")
    def _encloses(self) -> _Lognormal:
        if not self.min <= self.median <= self.max:
            raise ValueError(f"min and max must enclose the median {self.median}")
        return self

    def at(self, share: float) -> int:
        value = self.median * math.exp(self.sigma * NormalDist().inv_cdf(share))
        return round(min(max(value, self.min), self.max))


class _Recorded(_Spec):
    """A size for each case, as a trace has it."""

    kind: Literal["recorded"]
    values: Annotated[tuple[Annotated[int, Field(ge=1, le=MAX_TOKENS)], ...], Field(min_length=1, strict=False)]


def _size(value: Any) -> Any:
    """A bare number is fixed, a pair is a range."""
    if isinstance(value, list) and len(value) == 2:
        return {"kind": "uniform", "low": value[0], "high": value[1]}
    return value if isinstance(value, Mapping) else {"kind": "fixed", "value": value}


_Law = _Fixed | _Uniform | _Lognormal
_Size = Annotated[Annotated[_Law, Field(discriminator="kind")], BeforeValidator(_size)]
_CaseSize = Annotated[Annotated[_Law | _Recorded, Field(discriminator="kind")], BeforeValidator(_size)]


class Synthetic(_Spec):
    """A dataset's declaration of generated cases. Sizes are in tokens by law 1."""

    cases: int = Field(ge=1, le=100_000)
    prompt_tokens: _CaseSize
    output_tokens: _CaseSize | None = None
    turns: int = Field(1, ge=1, le=1_000)
    turn_tokens: _Size = _Fixed(value=50)
    think_s: float = Field(0.0, ge=0, le=86_400)
    shared_prefix_share: float = Field(0.0, ge=0, le=1)
    seed: int = 42
    words: Literal["english"] = "english"
    category: str = Field("synthetic", min_length=1)
    ask: str = ASK
    calibration: float = Field(1.0, ge=0.2, le=5)
    extra: dict[str, Any] = Field(default_factory=dict)
    trace: str | None = None
    trace_sha256: str | None = None
    law: Literal[1] = 1

    @model_validator(mode="after")
    def _as_many(self) -> Synthetic:
        for name in ("prompt_tokens", "output_tokens"):
            law = getattr(self, name)
            if isinstance(law, _Recorded) and len(law.values) != self.cases:
                raise ValueError(f"{name} holds {len(law.values)} sizes for {self.cases} cases")
        return self


def judge(declared: Any, path: str) -> tuple[Synthetic | None, list[Note]]:
    """The declaration of a document's field `synthetic`, or what is wrong with it."""
    if not isinstance(declared, Mapping):
        what = "is no mapping"
        return None, [problem(place(path, None, None, "synthetic"), what, "write cases, prompt_tokens and so on")]
    try:
        spec = Synthetic.model_validate(dict(declared))
    except ValidationError as error:
        return None, [_explain(one, path) for one in error.errors(include_url=False)]
    most = _most(spec.turn_tokens) * (spec.turns - 1) * spec.cases
    total = sum(_sizes(spec)) + most
    if total > MAX_TOTAL_TOKENS:
        what = f"asks for {total:,} tokens of prompts"
        return None, [problem(place(path, None, None, "synthetic"), what, f"keep to {MAX_TOTAL_TOKENS:,} in all")]
    return spec, []


def generate(spec: Synthetic) -> Iterator[Case]:
    """The declared cases, in order. Lazy: a prompt is built when it is taken."""
    sizes = [_words_of(spec, tokens) for tokens in _sizes(spec)]
    shortest = min(sizes)
    closing = _SEPARATOR + spec.ask if spec.ask and shortest >= 2 * _closing_tokens(spec) else ""
    room = _closing_tokens(spec) if closing else 0
    beginning = _stream(spec, "shared", min(round(spec.shared_prefix_share * shortest), shortest - room))
    for number, words in enumerate(sizes):
        own = _stream(spec, f"case {number}", words - room - len(beginning))
        shared = " ".join([*beginning, ""] if own else beginning)
        yield _case(spec, number, (shared, shared + " ".join(own) + closing))


def estimated_tokens(text: str) -> int:
    """How many tokens a text is taken to have."""
    return -(-len(text) // TOKEN_CHARS)


def _case(spec: Synthetic, number: int, texts: tuple[str, str]) -> Case:
    shared, text = texts
    output = None if spec.output_tokens is None else _draw(spec, "output_tokens", number)
    tokens = _draw(spec, "prompt_tokens", number)
    later = tuple(_turn(spec, number, turn) for turn in range(1, spec.turns))
    return Case(
        id=f"{spec.category}-{number + 1:04d}",
        category=spec.category,
        prompt=None if later else text,
        turns=(Turn(text), *later) if later else (),
        config=_config(spec, output),
        generated=Generated(tokens, round(estimated_tokens(shared) * spec.calibration), len(shared)),
    )


def _turn(spec: Synthetic, number: int, turn: int) -> Turn:
    """A further turn of a conversation: words, and the closing request where there is room for it."""
    words = _words_of(spec, _draw(spec, "turn_tokens", number, turn))
    closing = _SEPARATOR + spec.ask if spec.ask and words >= 2 * _closing_tokens(spec) else ""
    said = _stream(spec, f"case {number} turn {turn}", words - (_closing_tokens(spec) if closing else 0))
    return Turn(" ".join(said) + closing, spec.think_s)


def _config(spec: Synthetic, output: int | None) -> dict[str, Any]:
    """The case's parameters. In `extra`, the text `{{output_tokens}}` stands for the number."""
    extra = {name: output if value == "{{output_tokens}}" else value for name, value in spec.extra.items()}
    return ({} if output is None else {"max_tokens": output}) | ({"extra": extra} if extra else {})


def _sizes(spec: Synthetic) -> list[int]:
    return [_draw(spec, "prompt_tokens", number) for number in range(spec.cases)]


def _draw(spec: Synthetic, field: str, *numbers: int) -> int:
    """One size of the field's law."""
    law: _Law | _Recorded = getattr(spec, field)
    if isinstance(law, _Recorded):
        return law.values[numbers[0]]
    name = " ".join([field, *map(str, numbers)])
    share = (int.from_bytes(_bytes(spec, name, 8), "big") + 0.5) / 2**64
    return law.at(min(share, math.nextafter(1.0, 0.0)))


def _most(law: _Law) -> int:
    """The largest size that the law gives."""
    return law.at(math.nextafter(1.0, 0.0))


def _words_of(spec: Synthetic, tokens: int) -> int:
    return max(1, round(tokens / spec.calibration))


def _closing_tokens(spec: Synthetic) -> int:
    """Tokens of the closing request and the line ends before it (its first one ends the last word)."""
    return estimated_tokens(_SEPARATOR[1:] + spec.ask)


def _stream(spec: Synthetic, name: str, words: int) -> list[str]:
    return [WORDS[byte] for byte in _bytes(spec, name, max(0, words))]


def _bytes(spec: Synthetic, name: str, count: int) -> bytes:
    return shake_256(f"{_LAW}\x1f{spec.seed}\x1f{name}".encode()).digest(count)


def _explain(error: Any, path: str) -> Note:
    """A pydantic error as a place in the file, what is wrong and what would be right."""
    kinds = {"fixed", "uniform", "lognormal", "recorded"}
    fields = [part for part in error["loc"] if part not in kinds]
    where = place(path, None, None, "synthetic", *fields)
    if error["type"] == "extra_forbidden":
        return problem(where, "unknown field", f"known: {', '.join(Synthetic.model_fields)}")
    if error["type"] == "missing":
        return problem(where, "is missing", "it is required")
    return problem(where, error["msg"].removeprefix("Value error, "), _RIGHTS.get(str(error["loc"][0]), ""))


_SIZES = "write a number of tokens, [low, high], or {kind: lognormal, median: 500, sigma: 0.5, max: 4000}"
_RIGHTS = {
    "prompt_tokens": _SIZES,
    "turn_tokens": _SIZES,
    "output_tokens": _SIZES,
    "shared_prefix_share": "write 0 to 1",
}
