"""The definition matrix of a run: what other load generators would print for it, and our own numbers beside theirs.

Everything is computed from the stored stamps, one target at a time. Where a tool counts events that carry no content
(vLLM's client), they are found again in the stored body; where bodies were not kept, its figures say so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, groupby
from pathlib import Path
from typing import Any

import orjson

from benchbook import __version__
from benchbook.errors import QueryError
from benchbook.history.opening import opened, stumbling
from benchbook.history.questions import ask_many
from benchbook.history.sources import Scope
from benchbook.measure.definitions import QUANTITIES, TOOLS, figures, tool
from benchbook.measure.definitions.facts import Attempt, Observed, Request
from benchbook.measure.definitions.vllm import is_token
from benchbook.metrics import METRIC_DIRECTION
from benchbook.wire import sse

OURS = "benchbook"
SOURCE = "docs/METHODOLOGY.md"
LEAST = "a lower bound"
"""How the note of a value begins that is at least so large."""
FORMULAS: Mapping[str, str] = {
    "first_token_ms": "first content chunk - dispatch on a ready connection",
    "per_token_ms": "(last content chunk - first) / (N_out - 1)",
    "per_token_whole_ms": "(last content chunk - dispatch) / N_out",
    "gap_ms": "gaps between content chunks, pooled",
    "end_to_end_ms": "last content chunk - dispatch",
    "requests_per_s": "succeeded / measured window",
    "output_tokens_per_s": "tokens whose stamps fall in the measured window / window",
    "goodput_per_s": "trials that met every limit / measured window",
    "goodput_share": "trials that met every limit / attempted",
}
_METRICS = {
    "first_token_ms": "ttft_ms",
    "per_token_ms": "decode_ms_per_token",
    "per_token_whole_ms": "normalized_ms_per_token",
    "end_to_end_ms": "e2e_ms",
}
_STATISTICS = ("mean", "p50", "p95", "p99")
_SIGNS = {"lower": "<=", "higher": ">="}
_BATCH = 1_000

Row = dict[str, Any]


def definitions(
    results: str | Path, run_id: str, *, slos: Mapping[str, float] | None = None, confidence: float = 0.95
) -> list[Row]:
    """One row per target, quantity, statistic and tool, ours first: `value` (ms, per second, or a share), `n`, `name`
    (as the tool spells it), `note`, `formula`, `rules`, `release`, `source`, `limits` (of goodput). Over measured
    trials of bare API calls.

    Raises QueryError where the run holds none.
    """
    limits = {"ttft_ms": 500.0} if slos is None else dict(slos)
    found: list[Row] = []
    for target, observed in _observed(Path(results), run_id, limits):
        found += _theirs(target, observed)
    if not found:
        raise QueryError(run_id, "no measured trial of a bare API call", "definitions need workload api")
    found += _ours(results, run_id, limits, confidence)
    order = {name: place for place, name in enumerate((OURS, *TOOLS))}
    places = {name: place for place, name in enumerate(QUANTITIES)}
    statistics = {name: place for place, name in enumerate(("mean", "p50", "p90", "p95", "p99", "rate", "share"))}
    asked = ", ".join(f"{metric} {_SIGNS[METRIC_DIRECTION[metric]]} {limit:g}" for metric, limit in limits.items())
    found = [{**row, "limits": asked if row["quantity"].startswith("goodput") else ""} for row in found]
    found.sort(key=lambda r: (r["target"], places[r["quantity"]], statistics[r["statistic"]], order[r["tool"]]))
    return found


def _theirs(target: str, observed: Observed) -> Iterator[Row]:
    for name in TOOLS:
        words = tool(name)
        for figure in figures(name, observed):
            yield {
                "target": target,
                "quantity": figure.quantity,
                "statistic": figure.statistic,
                "tool": name,
                "name": figure.name,
                "value": figure.value,
                "n": figure.n,
                "note": figure.note,
                "formula": words.formulas[figure.quantity],
                "rules": words.rules,
                "release": words.release,
                "source": words.source,
            }


# ---------------------------------------------------------------- ours


def _ours(results: str | Path, run_id: str, slos: Mapping[str, float], confidence: float) -> Iterator[Row]:
    asked = ("summary", "chunk_gaps", "throughput", "goodput")
    of = ask_many(asked, results, runs=(run_id,), slos=slos, confidence=confidence)
    for row in of["summary"]:
        if row["workload"] == "api":
            for quantity, metric in _METRICS.items():
                values = {name: row[f"{metric}_{name}"] for name in (*_STATISTICS, "n")}
                values |= {f"{name}_refused": row[f"{metric}_{name}_refused"] for name in _STATISTICS[1:]}
                yield from _distribution(row["target"], quantity, metric, values)
    for row in of["chunk_gaps"]:
        yield from _distribution(row["target"], "gap_ms", "chunk_gaps", row)
    for row in of["throughput"]:
        yield _rate(row, "requests_per_s", "trials_per_s", "attempted")
        uncounted = row["calls_without_tokens"]
        note = (
            {"note": f"{LEAST}: answers without a token count: {uncounted}"}
            if uncounted and row["tokens_per_s"]
            else {}
        )
        yield {**_rate(row, "output_tokens_per_s", "tokens_per_s", "calls"), **note}
    for row in of["goodput"]:
        if row["workload"] == "api":
            known = row if slos else {**row, "goodput_per_s": None, "good_share": None}
            yield _rate(known, "goodput_per_s", "goodput_per_s", "attempted")
            yield {**_rate(known, "goodput_share", "good_share", "attempted"), "statistic": "share"}


def _distribution(target: str, quantity: str, name: str, values: Mapping[str, Any]) -> Iterator[Row]:
    for statistic in _STATISTICS:
        row = _row(target, quantity, statistic, name, values[statistic])
        note = values.get(f"{statistic}_refused") or ("" if values["n"] else "no value")
        yield {**row, "n": values["n"], "note": note}


def _rate(row: Row, quantity: str, name: str, counted: str) -> Row:
    """`name` of a question's row; its n is what the row has `counted`."""
    return {**_row(row["target"], quantity, "rate", name, row[name]), "n": row[counted]}


def _row(target: str, quantity: str, statistic: str, name: str, value: float | None) -> Row:
    words = {"formula": FORMULAS[quantity], "rules": "last attempt; refuses a quantile that n is too small for"}
    known = {"target": target, "quantity": quantity, "statistic": statistic, "tool": OURS, "name": name}
    held = {"release": __version__, "source": SOURCE}
    return {**known, "value": value, "n": 0, "note": "" if value is not None else "no value", **words, **held}


# ---------------------------------------------------------------- from rows to facts


def _observed(results: Path, run_id: str, slos: Mapping[str, float]) -> list[tuple[str, Observed]]:
    """Target -> its requests by start."""
    text = (Path(__file__).parent / "definitions.sql").read_text(encoding="utf-8")

    def attempt(scope: Scope) -> list[tuple[str, Observed]]:
        with opened(results, scope) as con:
            found = con.execute(text)
            names = [column[0] for column in found.description or ()]
            rows = (dict(zip(names, row, strict=True)) for row in _batches(found))
            return [
                (target, _of_target(part, slos)) for target, part in groupby(rows, key=lambda row: str(row["target"]))
            ]

    return stumbling(results, Scope(("trials", "calls", "responses"), (run_id,)), attempt)


def _batches(found: Any) -> Iterator[tuple[Any, ...]]:
    while rows := found.fetchmany(_BATCH):
        yield from rows


def _of_target(rows: Iterator[Row], slos: Mapping[str, float]) -> Observed:
    requests, stretches = [], set()
    for _, part in groupby(rows, key=lambda row: (row["offset_ns"], row["trial_id"])):
        attempts = list(part)
        offset_ns = attempts[0]["offset_ns"]
        stretches.add((offset_ns, attempts[0]["block"], attempts[0]["block_place"]))
        stamps = (attempts[0]["started_ns"] + offset_ns, attempts[0]["ended_ns"] + offset_ns)
        requests.append(Request(*stamps, tuple(_attempts(attempts))))
    return Observed(tuple(requests), slos, sessions=len(stretches))


def _attempts(rows: Sequence[Row]) -> Iterator[Attempt]:
    """Each row as an attempt, in order; the stored body is let go at once."""
    free_ns = rows[0]["taken_up_ns"]
    for row in rows:
        yield _attempt(row, free_ns)
        free_ns = row["closed_ns"]


def _attempt(row: Row, free_ns: int) -> Attempt:
    """free_ns: when nothing stood between the trial and this attempt any more, but for its waits."""
    offset_ns, sent_ns = row["offset_ns"], row["sent_ns"]
    if sent_ns is None:
        return Attempt(free_ns + offset_ns, row["closed_ns"] + offset_ns, failed=True, streamed=row["streamed"])
    base_ns = sent_ns + offset_ns
    set_up_ns = round((row["connect_ms"] or 0) * 1e6)
    waited_for_it = sent_ns - set_up_ns >= free_ns  # else the connection was warmed ahead of need
    content = [base_ns + 1000 * at_us for at_us in row["chunk_offsets_us"] or ()]
    kinds = row["chunk_kinds"] or ()
    return Attempt(
        start_ns=base_ns - set_up_ns if waited_for_it else base_ns,
        end_ns=row["closed_ns"] + offset_ns,
        sent_ns=base_ns,
        failed=row["failed"],
        streamed=row["streamed"],
        content_ns=tuple(content),
        text_ns=tuple(at for at, kind in zip(content, kinds, strict=True) if kind == "text"),
        output_ns=None if row["body"] is None else tuple(base_ns + 1000 * at_us for at_us in tokens_us(row)),
        last_byte_ns=None if row["last_byte_ns"] is None else row["last_byte_ns"] + offset_ns,
        tokens_out=row["tokens_out"],
        tokens_reasoning=row["tokens_reasoning"],
    )


def tokens_us(row: Mapping[str, Any]) -> Iterator[int]:
    """When each event that vLLM's client takes for a token arrived, µs after dispatch, from the stored body of an
    OpenAI stream and the sizes and stamps of its pieces."""
    reader, body = sse.Reader(closing=b"[DONE]"), row["body"]
    ends = list(accumulate(row["piece_sizes"]))
    for at_us, start, end in zip(row["piece_offsets_us"], [0, *ends], ends, strict=False):
        for frame in reader.feed(body[start:end]):
            if isinstance(frame, sse.ServerSentEvent) and is_token(_decoded(frame.data)):
                yield at_us


def _decoded(data: bytes) -> object:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
