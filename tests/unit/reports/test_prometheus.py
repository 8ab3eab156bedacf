"""Metrics of a run that is going on, scraped over a real socket and read with the library's own parser."""

from __future__ import annotations

import socket
import urllib.request
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from benchbook.errors import UserError
from benchbook.reports.prometheus import address_of, served
from benchbook.results.store import read_table
from benchbook.runner.progress import Progress
from benchbook.stages.execute import execute_apart
from benchbook.stages.store import store

Scraped = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(said: list[str]) -> Scraped:
    """Samples by name and labels, from the address that was told."""
    address = said[0].split()[2]
    with urllib.request.urlopen(address, timeout=60) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    samples = [sample for family in families for sample in family.samples]
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in samples}


def value(found: Scraped, name: str, **labels: str) -> float:
    return found[(name, tuple(sorted(labels.items())))]


def test_what_is_scraped_at_the_end_equals_what_is_stored(bench: Any) -> None:
    bench.targets = ("openai", "anthropic")
    bench.faults = [{"kind": "server_error", "rate": 0.5, "match": "sim-openai"}]
    bench.law = {"ttft_ms": 20, "token_ms": 1}
    bench.execute = {"repetitions": 4, "load": {"kind": "closed", "concurrency": 1}}
    said: list[str] = []
    under_way: list[Scraped] = []
    with served("127.0.0.1:0", said.append) as scraped:

        def follow(report: Mapping[str, Any]) -> None:
            scraped(report)
            if not under_way and report["in_flight"]:
                under_way.append(scrape(said))

        done = execute_apart(bench.job(), follow)
        found = scrape(said)
    assert under_way
    assert value(under_way[0], "benchbook_run_info", run_id=done.run_id) == 1
    assert sum(v for (name, _), v in under_way[0].items() if name == "benchbook_trials_in_flight") > 0
    store(bench.job(), done.run_id)
    _equals_the_tables(found, bench.results, done.run_id)
    with pytest.raises(OSError, match="refused"):
        scrape(said)


def _equals_the_tables(found: Scraped, results: Any, run_id: str) -> None:
    trials = read_table(results, "trials", [run_id])[0].to_pylist()
    calls = read_table(results, "calls", [run_id])[0].to_pylist()
    counted = Counter((row["target"], row["phase"], row["status"]) for row in trials)
    for (target, phase, status), count in counted.items():
        assert value(found, "benchbook_trials_total", target=target, phase=phase, status=status) == count
    assert sum(v for (name, _), v in found.items() if name == "benchbook_trials_total") == len(trials)
    for target in ("openai-sim", "anthropic-sim"):
        own = [row for row in calls if row["target"] == target]
        assert value(found, "benchbook_calls_total", target=target) == len(own)
        assert value(found, "benchbook_retries_total", target=target) == sum(row["attempt"] > 1 for row in own)
        assert value(found, "benchbook_tokens_out_total", target=target) == sum(row["tokens_out"] or 0 for row in own)
        assert value(found, "benchbook_trials_in_flight", target=target) == 0
        good = [row for row in trials if (row["target"], row["phase"]) == (target, "measured")]
        good = [row for row in good if row["status"] == "success"]
        for name, column in {"ttft": "ttft_ms", "e2e": "e2e_ms", "response": "response_ms"}.items():
            family = f"benchbook_{name}_seconds"
            assert value(found, f"{family}_count", target=target) == len(good) > 0
            assert value(found, f"{family}_sum", target=target) == pytest.approx(
                sum(row[column] for row in good) / 1000
            )
            assert value(found, f"{family}_bucket", target=target, le="0.04") == sum(row[column] <= 40 for row in good)
    errors = Counter(row["error_kind"] for row in calls if row["error_kind"])
    assert value(found, "benchbook_call_errors_total", target="openai-sim", error_kind="server_error") == sum(
        errors.values()
    )


def test_before_the_first_report_there_is_only_the_build() -> None:
    said: list[str] = []
    with served("0", said.append) as scraped:
        assert {name for name, _ in scrape(said)} == {"benchbook_build_info"}
        scraped(Progress("r", planned=3).report())
        assert value(scrape(said), "benchbook_workers") == 1
        assert value(scrape(said), "benchbook_loop_lag_seconds") == 0
        scraped(Progress("r", planned=3, loop_lag_ms=45.0).report())
        assert value(scrape(said), "benchbook_loop_lag_seconds") == 0.045


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("9464", ("127.0.0.1", 9464)),
        (":9464", ("127.0.0.1", 9464)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),
        ("[::1]:9464", ("::1", 9464)),
        ("metrics.example:1", ("metrics.example", 1)),
    ],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert address_of(text) == address


@pytest.mark.parametrize("text", ["x", "host:", "host:port", "1:99999", "-1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="is no address"):
        address_of(text)


def test_an_address_that_is_taken_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        serving = served(f"127.0.0.1:{door.getsockname()[1]}", print)
        with pytest.raises(UserError, match="can't be served"):
            serving.__enter__()
