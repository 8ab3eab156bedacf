"""How true a cassette's timing is: recorded against the simulator's own stamps, replayed against recorded.

    python benchmarks/cassettes.py                       64 streams of 64 tokens, 8 at a time
    python benchmarks/cassettes.py --streams 500 -c 100

One law for all: the simulator (200 ms to the first token, 10 ms for each further one), a recorder before it, then
a replay at 1x. Every process stamps with the host's monotonic clock, and every offset counts from the request: at
the simulator and the replayer from its last byte's arrival, at recorder and client from its sending.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import urllib.request
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median

import orjson
import uvloop

from benchbook.clock import monotonic_ns
from benchbook.providers.http import Exchange, HttpRequest
from benchbook.providers.transport import Transport
from benchbook.proxy.cassette import Cassette, read_cassette
from benchbook.proxy.process import start_recording, start_replay
from benchbook.proxy.recorder import Order
from benchbook.simulator import start_process

PROFILE = Path(__file__).resolve().parent.parent / "datasets" / "simulator" / "exact-200-10.yaml"
Offsets = list[int]
"""ns since the request, one for each segment that brought bytes of the body."""


def main() -> None:
    parser = argparse.ArgumentParser(description="How true a cassette's timing is.")
    parser.add_argument("--streams", type=int, default=64)
    parser.add_argument("-c", "--concurrency", type=int, default=8)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, start_process(PROFILE) as simulator:
        path = Path(folder) / "fidelity.ndjson"
        direct = uvloop.run(ask_all(simulator, asked.streams, asked.concurrency))
        with urllib.request.urlopen(urllib.request.Request(f"{simulator}/truth", method="DELETE")):
            pass
        with start_recording(Order(path, {"simulator": simulator})) as addresses:
            through = uvloop.run(ask_all(addresses["simulator"], asked.streams, asked.concurrency))
        cassette, truth = read_cassette(path), truth_of(simulator)
        with start_replay(str(path)) as serving:
            replayed = uvloop.run(ask_all(serving.address, asked.streams, asked.concurrency))
    recorded = by_request(cassette)
    size = path_size(cassette)
    print(f"{len(recorded)} streams, {asked.concurrency} at a time, {size} segments; errors in ms, later is positive\n")
    print(f"{'':52}{'p50':>9}{'p99':>9}{'largest':>9}")
    line("TTFT, client without recorder - law", [offsets[0] - 200_000_000 for offsets in direct.values()])
    line("TTFT, client through recorder - law", [offsets[0] - 200_000_000 for offsets in through.values()])
    line("segment, recorded - simulator's own stamp", apart(recorded_by_id(cassette), truth))
    line("segment, client through recorder - recorded", apart(through, recorded))
    line("segment, replayed to client - recorded", apart(replayed, recorded))
    gaps = {name: steps(offsets) for name, offsets in replayed.items()}
    line("gap between segments, replayed - recorded", apart(gaps, {n: steps(o) for n, o in recorded.items()}))
    same = sum(len(replayed[name]) == len(offsets) for name, offsets in recorded.items() if name in replayed)
    print(f"\n{same} of {len(recorded)} replayed streams arrived in as many segments as were recorded")


async def ask_all(base: str, streams: int, concurrency: int) -> dict[str, Offsets]:
    """Every stream's offsets at the client, by what it asked."""
    transport, turn = Transport(), asyncio.Semaphore(concurrency)

    async def one(number: int) -> tuple[str, Offsets]:
        async with turn:
            exchange = await transport.exchange(request(base, number), monotonic_ns() + 60_000_000_000)
        assert exchange.error_kind is None, exchange.error_message
        return prompt(number), offsets_of(exchange)

    try:
        return dict(await asyncio.gather(*(one(number) for number in range(streams))))
    finally:
        await transport.close()


def prompt(number: int) -> str:
    return f"stream {number}"


def request(base: str, number: int) -> HttpRequest:
    body = {"model": "sim-exact", "stream": True, "messages": [{"role": "user", "content": prompt(number)}]}
    return HttpRequest(f"{base}/v1/chat/completions", {"content-type": "application/json"}, orjson.dumps(body))


def offsets_of(exchange: Exchange) -> Offsets:
    return [stamp - (exchange.sent_ns or 0) for stamp in dict.fromkeys(exchange.piece_at_ns)]


def by_request(cassette: Cassette) -> dict[str, Offsets]:
    """The recorded offsets, by what was asked."""
    return {
        orjson.loads(kept.asked.body)["messages"][0]["content"]: list(kept.answered.piece_at_ns)
        for kept in cassette.exchanges
    }


def recorded_by_id(cassette: Cassette) -> dict[str, Offsets]:
    return {dict(kept.answered.headers)["x-request-id"]: list(kept.answered.piece_at_ns) for kept in cassette.exchanges}


def path_size(cassette: Cassette) -> int:
    return sum(len(kept.answered.pieces) for kept in cassette.exchanges)


def truth_of(simulator: str) -> dict[str, Offsets]:
    """When the simulator wrote each chunk of content, since the request was there, by request id."""
    with urllib.request.urlopen(f"{simulator}/truth") as answer:
        records = json.load(answer)
    return {record["request_id"]: [at - record["received_ns"] for at in record["sent_ns"]] for record in records}


def steps(offsets: Sequence[int]) -> Offsets:
    return [late - early for early, late in pairwise(offsets)]


def apart(ours: dict[str, Offsets], theirs: dict[str, Offsets]) -> Offsets:
    """Ours less theirs, place by place, of the streams that both have; a segment more at one end is left out."""
    pairs = ((ours[name], theirs[name]) for name in ours.keys() & theirs.keys())
    return [mine - other for here, there in pairs for mine, other in zip(here, there, strict=False)]


def line(what: str, errors_ns: Sequence[int]) -> None:
    ordered = sorted(errors_ns)
    if not ordered:
        print(f"{what:52}  nothing to compare")
        return
    p99 = f"{ordered[int(len(ordered) * 0.99)] / 1e6:9.3f}" if len(ordered) >= 299 else f"{'n < 299':>9}"
    print(f"{what:52}{median(ordered) / 1e6:9.3f}{p99}{max(ordered, key=abs) / 1e6:9.3f}")


if __name__ == "__main__":
    main()
