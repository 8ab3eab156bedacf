"""Whose change it is: by what differs between the fingerprints of two runs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchbook.history.fingerprints import attributed, differences

BASE: dict[str, Any] = {
    "target": "alpha",
    "git_commit": "c0ffee0000",
    "git_dirty": False,
    "dataset_hashes": {"d": "11"},
    "lock_hash": "aa",
    "versions": {"strands": "1.62"},
    "models": ["m"],
    "price_date": "2026-10",
    "plan_hash": "p1",
    "plan": None,
    "host": "bench",
    "host_fingerprint": {"cores": "2"},
    "harness": {"loop": "uvloop"},
    "calibration_ttft_bias_ms": 0.1,
    "calibration_ttft_u_ms": 0.05,
    "models_served": ["m-1"],
    "system_fingerprints": ["fp_1"],
}


@pytest.mark.parametrize(
    ("facts", "whose", "words"),
    [
        ({"git_commit": "beef" * 10}, "ours", "what we changed: git commit c0ffee0000 -> beefbeefbeef"),
        ({"git_dirty": True}, "ours", "what we changed: uncommitted changes no -> yes"),
        (
            {"dataset_hashes": {"d": "12", "e": "1"}},
            "ours",
            "what we changed: dataset hash of d 11 -> 12; dataset hash of e none -> 1",
        ),
        ({"lock_hash": "bb"}, "ours", "what we changed: lock file aa -> bb"),
        ({"versions": {"strands": "1.63"}}, "ours", "what we changed: version of strands 1.62 -> 1.63"),
        ({"models": ["n"]}, "ours", "what we changed: model requested m -> n"),
        ({"host": "other"}, "machine", "this machine: host bench -> other"),
        ({"host_fingerprint": {"cores": "4"}}, "machine", "this machine: host's cores 2 -> 4"),
        ({"calibration_ttft_bias_ms": 3.0}, "machine", "this machine: calibrated TTFT bias 0.10 ms -> 3.00 ms"),
        ({"calibration_ttft_bias_ms": 0.15}, "provider", "the provider: nothing of ours or of this machine changed"),
        ({"models_served": ["m-2"]}, "provider", "the provider: model served m-1 -> m-2"),
        ({"system_fingerprints": ["fp_2"]}, "provider", "the provider: system fingerprint fp_1 -> fp_2"),
        ({"price_date": "2026-11"}, "provider", "the provider: nothing of ours"),
        ({"host": "other", "models_served": []}, "machine", "this machine: host bench -> other"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_whose_change_it_is(facts: dict[str, Any], whose: str, words: str) -> None:
    found = attributed(BASE, BASE | facts, "e2e_ms")
    assert found.whose == whose
    assert found.words.startswith(words)
    assert bool(found.differences) is (" -> " in words)
    back = attributed(BASE | facts, BASE, "e2e_ms")
    assert {(one.what, one.before) for one in found.differences} == {(one.what, one.after) for one in back.differences}


def test_a_price_bears_on_cost_alone() -> None:
    assert attributed(BASE, BASE | {"price_date": "2026-11"}, "cost_usd").words.endswith(
        "price date 2026-10 -> 2026-11"
    )


def test_what_is_not_stored_is_unknown() -> None:
    assert attributed(None, BASE, "e2e_ms").whose == "unknown"
    empty = dict.fromkeys(BASE) | {"target": "alpha"}
    assert differences(empty, empty) == ()


def test_a_plan_tells_which_of_its_values_changed() -> None:
    plans = [
        json.dumps(
            {
                "prices": {"alpha": {"input": price}},
                "sections": {
                    "execute": {"repetitions": 5, "targets": [{"name": "alpha", "model": "m", "base_url": address}]}
                },
            }
        )
        for address, price in (("http://a", 1), ("http://b", 2))
    ]
    old, new = (BASE | {"plan": plan, "plan_hash": plan} for plan in plans)
    assert attributed(old, new, "e2e_ms").words == "what we changed: address http://a -> http://b"
    assert attributed(old, new, "cost_usd").words.endswith("http://b; price input 1 -> 2")
