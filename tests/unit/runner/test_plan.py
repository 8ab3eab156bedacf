"""Laws of the expansion: N repetitions give N measured trials, warm-up apart, each known before the first request."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchbook.config import build_plan
from benchbook.datasets.nonce import nonce, without
from benchbook.datasets.synthetic import Synthetic, generate
from benchbook.errors import PlanError
from benchbook.records import Case, Dataset, Params
from benchbook.runner.plan import Plan, derived_seed, freeze, merged_params


def dataset(name: str = "d", cases: int = 3, **fields: Any) -> Dataset:
    made = tuple(Case(id=f"c{n}", category="k", prompt=f"{name} asks {n}", expected="e") for n in range(cases))
    return Dataset(name=name, version="1", cases=made, sha256=f"sha-{name}", **fields)


def plan(targets: int = 2, cases: int = 3, **execute: Any) -> Plan:
    listed = [{"name": f"t{n}", "provider": "openai", "model": f"m{n}"} for n in range(targets)]
    document = {"validate": {"datasets": ["d.json"]}, "execute": {"targets": listed, **execute}}
    return freeze(build_plan(document, "p"), [dataset(cases=cases)])


@settings(deadline=None)
@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.integers(0, 3), st.integers(0, 99))
def test_every_unit_is_planned_exactly_once(targets: int, cases: int, repetitions: int, warmup: int, seed: int) -> None:
    made = plan(targets, cases, repetitions=repetitions, warmup=warmup, seed=seed)
    units = Counter((t.target, t.test_id, t.phase, t.repetition) for t in made.trials)
    expected = {
        (f"t{target}", f"c{case}", phase, repetition)
        for phase, count in (("warmup", warmup), ("measured", repetitions))
        for target, case, repetition in product(range(targets), range(cases), range(count))
    }
    assert set(units) == expected
    assert set(units.values()) <= {1}
    assert [t.position for t in made.trials] == list(range(len(made.trials)))
    assert len({t.trial_id for t in made.trials}) == len(made.trials)


def test_warm_up_comes_first_for_each_target_and_targets_alternate() -> None:
    made = plan(targets=3, cases=4, repetitions=5, warmup=2)
    for name in made.targets:
        phases = [t.phase for t in made.trials if t.target == name]
        assert phases == ["warmup"] * 8 + ["measured"] * 20
    assert [t.target for t in made.trials[:6]] == ["t0", "t1", "t2"] * 2


def test_the_seed_fixes_the_order_and_nothing_else() -> None:
    order = [[t.trial_id for t in plan(seed=seed).trials] for seed in (1, 1, 2)]
    assert order[0] == order[1]
    assert order[0] != order[2]
    assert sorted(order[0]) == sorted(order[2])


def test_an_open_loop_has_its_starts_before_it_starts() -> None:
    made = plan(targets=2, load={"kind": "constant", "rate": 10}, repetitions=2, warmup=1)
    for name in made.targets:
        offsets = [t.intended_offset_ns for t in made.trials if t.target == name]
        assert offsets == [index * 100_000_000 for index in range(9)]
    assert all(t.intended_offset_ns is None for t in plan().trials)


def test_the_plan_hash_covers_what_is_measured() -> None:
    base = plan()
    assert plan().plan_hash == base.plan_hash
    assert plan(repetitions=7).plan_hash != base.plan_hash
    assert plan(budget_usd=1.0).plan_hash == base.plan_hash
    other = freeze(base.spec, [dataset().__class__(name="d", cases=dataset().cases, sha256="other")])
    assert other.plan_hash != base.plan_hash
    assert other.workload_hash == base.workload_hash


def test_another_law_of_the_simulator_is_another_plan(tmp_path: Path) -> None:
    profile = tmp_path / "law.yaml"
    target = {"name": "t", "provider": "openai", "model": "m", "base_url": "simulator"}
    hashes = []
    for law in ("seed: 1\n", "seed: 1\n", "seed: 2\n"):
        profile.write_text(law)
        document = {"validate": {"datasets": ["d"]}, "execute": {"targets": [target], "simulator": str(profile)}}
        hashes.append(freeze(build_plan(document, "p"), [dataset()]).plan_hash)
    assert hashes[0] == hashes[1] != hashes[2]


@pytest.mark.parametrize(
    ("execute", "same"),
    [
        ({"repetitions": 3}, True),
        ({"warmup": 0, "seed": 9, "timeout_s": 5}, True),
        ({"stream": False}, False),
        ({"load": {"kind": "closed", "concurrency": 50}}, False),
        ({"delay_s": 1.0}, False),
        ({"breaker": None}, True),
        ({"breaker": {}}, False),
    ],
)
def test_the_workload_hash_covers_what_must_be_alike(execute: dict[str, Any], *, same: bool) -> None:
    assert (plan(**execute).workload_hash == plan().workload_hash) is same


def test_parameters_by_rising_precedence() -> None:
    merged = merged_params(
        {"temperature": 0.1, "max_tokens": 10, "seed": 1, "scorer": "exact"},
        Params(max_tokens=20, stop=("x",), extra={"a": 1}),
        {"max_tokens": 30, "top_p": 0.5},
    )
    assert merged == Params(temperature=0.1, max_tokens=30, top_p=0.5, stop=("x",), seed=1, extra={"a": 1})


def test_two_datasets_of_one_name_are_refused() -> None:
    with pytest.raises(PlanError, match="two datasets are named"):
        freeze(plan().spec, [dataset(), dataset()])


def test_seeds_are_derived_by_purpose() -> None:
    assert derived_seed(1, "a", "bc") != derived_seed(1, "ab", "c")
    assert derived_seed(1, "a") != derived_seed(2, "a")
    assert 0 <= derived_seed(7, "x") < 2**63


def test_a_load_with_an_end_of_its_own_says_how_many_trials_there_are() -> None:
    made = plan(targets=2, cases=3, load={"kind": "soak", "rate": 10, "duration_s": 1}, repetitions=99, warmup=1)
    for name in made.targets:
        lane = [t for t in made.trials if t.target == name]
        measured = [t for t in lane if t.phase == "measured"]
        assert len(measured) == 10
        assert [t.repetition for t in measured] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3]
        assert all(len({t.test_id for t in measured[at : at + 3]}) == 3 for at in (0, 3, 6))
        assert [t.intended_offset_ns for t in lane] == [index * 100_000_000 for index in range(13)]
    assert len({t.trial_id for t in made.trials}) == len(made.trials) == 26


def test_a_number_of_trials_stands_in_for_repetitions() -> None:
    made = plan(targets=1, cases=3, trials=7, repetitions=99, warmup=0)
    assert Counter(t.test_id for t in made.trials).most_common()[-1][1] == 2
    assert len(made.trials) == 7
    assert plan(targets=1, trials=7, seed=1).trials != plan(targets=1, trials=7, seed=2).trials


def test_a_load_of_too_many_trials_is_refused() -> None:
    with pytest.raises(PlanError, match=r"holds 1,000,000,000 trials a target.*at most 10,000,000"):
        plan(load={"kind": "soak", "rate": 100_000, "duration_s": 10_000})


def test_what_paces_the_load_is_part_of_the_workload() -> None:
    base = plan().workload_hash
    assert plan(think_s=1).workload_hash != base
    open_loop = {"kind": "constant", "rate": 5}
    capped = plan(load=open_loop, max_in_flight=3).workload_hash
    assert capped != plan(load=open_loop).workload_hash
    assert capped != plan(load=open_loop, max_in_flight=3, on_full="drop").workload_hash
    assert plan(trials=3).workload_hash == base


def sent(made: Plan) -> list[str]:
    return [made.request(trial).messages[0].content for trial in made.trials]


def test_a_cold_plan_asks_every_trial_something_new_and_a_resumed_run_the_same() -> None:
    cold = replace(plan(cache="cold"), salt="run-1")
    assert cold.own_requests
    assert len(set(sent(cold))) == len(cold.trials)
    assert sent(cold) == sent(replace(plan(cache="cold"), salt="run-1"))
    assert not set(sent(cold)) & set(sent(replace(cold, salt="run-2")))
    assert [without(text) for text in sent(cold)] == sent(plan())
    assert all(re.match(r"\[[0-9a-f]{16}\]\n\nd asks \d$", text) for text in sent(cold))
    assert [trial.prompt_sha256 for trial in cold.trials] == [trial.prompt_sha256 for trial in plan().trials]


@pytest.mark.parametrize("cache", ["as_is", "warm"])
def test_without_a_nonce_every_trial_of_a_case_asks_the_same(cache: str) -> None:
    made = plan(cache=cache)
    assert not made.own_requests
    assert set(sent(made)) == {"d asks 0", "d asks 1", "d asks 2"}


def test_what_the_cache_may_do_is_part_of_both_hashes() -> None:
    plans = [plan(cache=cache) for cache in ("as_is", "cold", "shared_prefix", "warm")]
    assert len({made.plan_hash for made in plans}) == len({made.workload_hash for made in plans}) == 4


def test_the_nonce_stands_at_the_very_start_or_behind_what_is_shared() -> None:
    spoken = Case(id="s", category="k", prompt="Hi", system="Be brief.", expected="e")
    made = next(generate(Synthetic(cases=1, prompt_tokens=100, shared_prefix_share=0.5)))  # type: ignore[arg-type]
    datasets = [Dataset(name="d", cases=(spoken, made), sha256="x")]
    found = {}
    for cache in ("cold", "shared_prefix"):
        one = replace(freeze(plan(targets=1, cache=cache).spec, datasets), salt="r")
        for trial in one.trials[:4]:
            request = one.request(trial)
            mark = nonce("r", trial.seed)
            found[cache, trial.test_id] = (request.system, request.messages[0].content, mark)
    system, text, mark = found["cold", "s"]
    assert (system, text) == (mark + "Be brief.", "Hi")
    system, text, mark = found["shared_prefix", "s"]
    assert (system, text) == ("Be brief.", mark + "Hi")
    assert made.prompt is not None
    system, text, mark = found["cold", made.id]
    assert (system, text) == (None, mark + made.prompt)
    system, text, mark = found["shared_prefix", made.id]
    assert (system, text) == (None, made.prompt[:200] + mark + made.prompt[200:])
