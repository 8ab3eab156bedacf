"""How fast and how true is the engine, on one core, against a simulator on the other? Beside an `openai`-SDK baseline.

    python benchmarks/engine.py                        every case, three repeats
    python benchmarks/engine.py --only throughput,burst --repeats 5 --plot engine.svg
    python benchmarks/engine.py --quick                a look: small numbers, one repeat

Cases (--only takes a list of these names):

    throughput   64 at once, no delays, 64 chunks a stream: a write for each chunk, and coalesced
    steady       1,000 at once, 200 ms to the first token, 10 ms a token: errors against the simulator's own stamps
    burst        the same, but all at once: the first wave, beside a raw reader in C
    many         5,000 at once: failures
    rate         open loop at 200/s and 1,000/s: how late requests begin
    memory       one request, 100 and 1,000 at once
    endurance    --requests of them: does memory grow?
    start        from the start of a process to its first request
    quick        plans/quick.yaml through `benchbook run --no-flow`
    flow         the same small run bare and as a Prefect flow, of few and of many trials

Each client runs in a process of its own, pinned to one core, in turn with the others; every figure is the median of
the repeats. Ours is the measuring process of `benchbook run`, every event decoded and every result in the journal, and
what is printed is read back from there. TTFT error: the client's (first content - sent) minus the simulator's (first
content written - request read), request by request; so it holds both ways through the kernel. `stamp`: the client's
first content minus the simulator's write. CPU of a stream: user and system time of the client's process, less what its
run of one request takes, by streams. `streams/s` ends with the last byte on the wire, `done/s` with the client's last
word, when everything is decoded and written: of a short run the first flatters a client that decodes later. `client`
goes by the second span; `server`, by the first, is the simulator's own share of its core: near 100 % it is what was
measured. Far below it, with late writes, other work held the cores.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.engine_cases import CASES, INSTANT, Options, closed
from benchmarks.figures import Figures, medians, print_table, save_bars, shown
from benchmarks.measuring import compiled_reader, document, host_facts, run_engine, run_sdk, serving

# ---------------------------------------------------------------- the command


def main() -> None:
    """Run the cases that were asked for, each with its table."""
    asked = _arguments()
    print(f"{host_facts()}\nmedian of {asked.repeats} repeats, clients in turn; times in ms")
    found: dict[str, dict[str, Figures]] = {}
    with tempfile.TemporaryDirectory() as folder:
        program = compiled_reader(folder)
        if program is None:
            print("no C compiler here: the raw reader's rows are left out")
        with serving(INSTANT) as server:
            idle = {c.name: c.cpu_s for c in (run_engine(document(server, closed(1), 1)), run_sdk(server, 1, 1))}
        options = Options(asked.repeats, asked.quick, asked.requests, program, idle)
        for name in asked.only:
            print(f"\n{name}: {_what(name)}", flush=True)
            found[name] = {row: medians(runs) for row, runs in CASES[name](options).items()}
            _print(found[name])
    if asked.json:
        Path(asked.json).write_text(
            json.dumps({"host": host_facts(), "repeats": asked.repeats, "cases": found}, indent=1)
        )
    if asked.plot:
        _plot(Path(asked.plot), found)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=_names, default=list(CASES), metavar="CASES", help="some cases: a,b,c (all)")
    parser.add_argument("--repeats", type=int, metavar="N", help="runs of each (3; 1 with --quick)")
    parser.add_argument("--quick", action="store_true", help="small numbers")
    parser.add_argument("--requests", type=int, metavar="N", help="of the case endurance (100000; 5000 with --quick)")
    parser.add_argument("--json", metavar="FILE", help="write every figure there")
    parser.add_argument("--plot", metavar="FILE", help="draw throughput and errors, an SVG or a PNG")
    asked = parser.parse_args()
    asked.repeats = asked.repeats or (1 if asked.quick else 3)
    asked.requests = asked.requests or (5_000 if asked.quick else 100_000)
    return asked


def _names(text: str) -> list[str]:
    names = text.split(",")
    wrong = [name for name in names if name not in CASES]
    if wrong:
        raise argparse.ArgumentTypeError(f"no case {wrong[0]!r}; there are {', '.join(CASES)}")
    return names


def _what(name: str) -> str:
    line = next(line for line in str(__doc__).splitlines() if line.strip().startswith(f"{name} "))
    return line.strip().removeprefix(name).strip()


DIGITS = {
    "n": 0,
    "failed": 0,
    "asked": 0,
    "offered/s": 0,
    "achieved/s": 1,
    "streams/s": 0,
    "done/s": 0,
    "client %": 0,
    "server %": 0,
}


def _print(rows: Mapping[str, Figures]) -> None:
    columns = list(dict.fromkeys(name for figures in rows.values() for name in figures))
    cells = [
        [row, *(shown(figures.get(name), DIGITS.get(name, 3)) for name in columns)] for row, figures in rows.items()
    ]
    print_table(["", *columns], cells)


def _plot(path: Path, found: Mapping[str, Mapping[str, Figures]]) -> None:
    """A bar a row: streams a second, and the 99th percentile of the TTFT error."""
    panels = []
    for case, column, title in (
        ("throughput", "streams/s", "64 at once, no delays: streams/s"),
        ("steady", "p99", "1,000 at once: p99 of the TTFT error, ms"),
        ("burst", "wave: p99", "a burst of 1,000, first wave: the same, ms"),
    ):
        bars = {row: figures[column] for row, figures in found.get(case, {}).items()}
        numbers = {row: value for row, value in bars.items() if isinstance(value, int | float)}
        if numbers:
            panels.append((title, numbers))
    if panels:
        save_bars(path, panels)


if __name__ == "__main__":
    main()
