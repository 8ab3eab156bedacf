"""A run that is going on as Prometheus metrics, for whoever scrapes an address of this process.

Served by the process that follows the measurement, never by the one that measures: that one reports its tallies
four times a second, and a scrape sees the newest of them. Nothing is kept here beside it. The address lives as long
as the run; what holds afterwards is in the tables. Names, labels and buckets are described in docs/FORMATS.md.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from benchbook.errors import UserError
from benchbook.runner.tally import BUCKETS_S

if TYPE_CHECKING:
    from prometheus_client.core import Metric

LOOPBACK = "127.0.0.1"
_HELP: Mapping[str, str] = {
    "ttft": "Time to first token (ttft_ms) of measured trials that succeeded.",
    "e2e": "From sending to the last content (e2e_ms) of measured trials that succeeded.",
    "response": "From the intended start to the last content (response_ms) of measured trials that succeeded.",
    "schedule_lag": "From the intended start to taking up (schedule_lag_ms) of measured trials.",
}
_COUNTERS: Mapping[str, str] = {
    "calls": "Attempts at model calls, retries included.",
    "retries": "Attempts after the first.",
    "tokens_in": "Input tokens as the providers reported them.",
    "tokens_out": "Output tokens as the providers reported them.",
    "cost_usd": "Money, over calls whose price is known.",
    "unpriced": "Answered calls whose cost is unknown.",
}
_GAUGES: Mapping[str, str] = {"planned": "Trials of the plan.", "in_flight": "Trials that are under way."}


def address_of(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`, `:PORT` or `PORT`; loopback where no host is named. Raises UserError."""
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise UserError(f"--metrics {text}", "is no address", "write HOST:PORT, or a port alone, e.g. 9464")
    return host.strip("[]") or LOOPBACK, int(port)


@contextmanager
def served(address: str, say: Callable[[str], None]) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Serve the metrics at `address` while this lasts; yields what takes `Progress.report`. Raises UserError."""
    from prometheus_client import CollectorRegistry, start_http_server

    host, port = address_of(address)
    newest = Newest()
    registry = CollectorRegistry()
    registry.register(newest)
    try:
        server, thread = start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        right = "choose another port, or 0 for any that is free"
        raise UserError(f"--metrics {address}", f"can't be served ({error.strerror})", right) from None
    shown = f"[{host}]" if ":" in host else host
    say(f"metrics on http://{shown}:{server.server_port}/metrics while the run lasts")
    try:
        yield newest.take
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Newest:
    """A collector of the newest report; before the first one there is nothing but the build."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._report: Mapping[str, Any] | None = None

    def take(self, report: Mapping[str, Any]) -> None:
        """Serve this report from now on."""
        with self._lock:
            self._report = report

    def collect(self) -> Iterable[Metric]:
        """What a scrape gets."""
        with self._lock:
            report = self._report
        yield _build()
        if report is not None:
            yield from families(report)

    def describe(self) -> Iterable[Metric]:
        """Nothing ahead of time: names are not checked against others', for there are none."""
        return ()


def _build() -> Metric:
    from importlib.metadata import version

    from prometheus_client.core import GaugeMetricFamily

    build = GaugeMetricFamily("benchbook_build_info", "The Benchbook that measures.", labels=["version"])
    build.add_metric([version("benchbook")], 1)
    return build


def families(report: Mapping[str, Any]) -> Iterator[Metric]:
    """A `Progress.report` as metric families."""
    yield from _of_run(report)
    tallies: Mapping[str, Mapping[str, Any]] = report["targets"]
    yield _trials(tallies)
    yield _call_errors(tallies)
    yield from _simple(tallies)
    for name in BUCKETS_S:
        yield _histogram(name, tallies)


def _of_run(report: Mapping[str, Any]) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    info = GaugeMetricFamily("benchbook_run_info", "The run that is going on.", labels=["run_id"])
    info.add_metric([report["run_id"]], 1)
    yield info
    yield GaugeMetricFamily("benchbook_elapsed_seconds", "Since this session's load began.", value=report["elapsed_s"])
    yield GaugeMetricFamily("benchbook_workers", "Measuring processes.", value=report["workers"])
    lag = "How late the harness's event loop came to its worst appointment of the last second or two."
    yield GaugeMetricFamily("benchbook_loop_lag_seconds", lag, value=report["loop_lag_ms"] / 1000)


def _trials(tallies: Mapping[str, Mapping[str, Any]]) -> Metric:
    from prometheus_client.core import CounterMetricFamily

    trials = CounterMetricFamily("benchbook_trials", "Finished trials.", labels=["target", "phase", "status"])
    for target, tally in tallies.items():
        for phase, counts in tally["trials"].items():
            for status, count in counts.items():
                trials.add_metric([target, phase, status], count)
    return trials


def _call_errors(tallies: Mapping[str, Mapping[str, Any]]) -> Metric:
    from prometheus_client.core import CounterMetricFamily

    errors = CounterMetricFamily(
        "benchbook_call_errors", "Attempts that ended in an error.", labels=["target", "error_kind"]
    )
    for target, tally in tallies.items():
        for kind, count in tally["call_errors"].items():
            errors.add_metric([target, kind], count)
    return errors


def _simple(tallies: Mapping[str, Mapping[str, Any]]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    for name, text in _COUNTERS.items():
        counter = CounterMetricFamily(f"benchbook_{name}", text, labels=["target"])
        for target, tally in tallies.items():
            counter.add_metric([target], tally[name])
        yield counter
    for name, text in _GAUGES.items():
        gauge = GaugeMetricFamily(f"benchbook_trials_{name}", text, labels=["target"])
        for target, tally in tallies.items():
            gauge.add_metric([target], tally[name])
        yield gauge


def _histogram(name: str, tallies: Mapping[str, Mapping[str, Any]]) -> Metric:
    from prometheus_client.core import HistogramMetricFamily

    family = HistogramMetricFamily(f"benchbook_{name}_seconds", _HELP[name], labels=["target"])
    edges = [*(str(edge) for edge in BUCKETS_S[name]), "+Inf"]
    for target, tally in tallies.items():
        kept = tally["histograms"][name]
        family.add_metric([target], list(zip(edges, accumulate(kept["counts"]), strict=True)), kept["sum_s"])
    return family
