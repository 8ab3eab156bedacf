"""Fronts: laws over made-up axes against a slow plain version, rings, margins, and axes that are not known."""

from __future__ import annotations

import itertools
import random

import pytest

from benchbook.stats.pareto import DOMINATED, FRONT, MAYBE, Gain, Gains, dominates, standings

AXES = ("quality", "latency", "cost")


def drawn(rng: random.Random, names: str, *, width: float, margin: float) -> Gains[str]:
    """Gains out of one number a name and axis (more is better), each with an interval of up to that half-width."""
    worth = {name: [rng.choice([0.0, 1.0, 2.0, rng.uniform(0, 3)]) for _ in AXES] for name in names}
    found: dict[tuple[str, str], dict[str, Gain]] = {}
    for a, b in itertools.combinations(names, 2):
        found[a, b] = {}
        for place, axis in enumerate(AXES):
            value, half = worth[a][place] - worth[b][place], rng.uniform(0, width) if width else 0.0
            found[a, b][axis] = Gain(value, value - half, value + half, margin)
    return found


def plainly(names: str, gains: Gains[str]) -> dict[str, set[str]]:
    """Who dominates whom for sure, written out pair by pair, before rings are looked at."""
    found: dict[str, set[str]] = {name: set() for name in names}
    for (a, b), axes in gains.items():
        for winner, loser, sign in ((a, b, 1), (b, a, -1)):
            never_worse, once_better = True, False
            for gain in axes.values():
                if gain.value is None or gain.low is None or gain.high is None:
                    never_worse = False
                    continue
                low = gain.low if sign == 1 else -gain.high
                never_worse = never_worse and (low > -gain.margin or low >= 0)
                once_better = once_better or (low > 0 and sign * gain.value > gain.margin)
            if never_worse and once_better:
                found[loser].add(winner)
    return found


def on_a_ring(a: str, b: str, by: dict[str, set[str]]) -> bool:
    """Whether a, who dominates b, is dominated by b through others, however many."""
    reached = set(by[a])
    for _ in by:
        reached |= {winner for name in reached for winner in by[name]}
    return b in reached


@pytest.mark.parametrize("seed", range(60))
def test_laws_and_the_plain_version(seed: int) -> None:
    rng = random.Random(seed)
    names, margin = "abcde"[: 2 + seed % 4], rng.choice([0.0, 0.3, 1.0])
    gains = drawn(rng, names, width=rng.choice([0.0, 0.2, 1.5]), margin=margin)
    found, by = standings(names, gains), plainly(names, gains)
    for name in names:
        sure = {winner for winner in by[name] if not on_a_ring(winner, name, by)}
        assert (found[name].word == DOMINATED) == bool(sure)
        assert not sure or set(found[name].by) == sure
        assert all(name not in by[winner] for winner in by[name]), "two that dominate each other"
    assert any(found[name].word != DOMINATED for name in names)
    backwards = {(b, a): {axis: gain.turned() for axis, gain in axes.items()} for (a, b), axes in gains.items()}
    assert {name: (one.word, set(one.by)) for name, one in standings(names, backwards).items()} == {
        name: (one.word, set(one.by)) for name, one in found.items()
    }


@pytest.mark.parametrize("seed", range(20))
def test_wider_intervals_never_dominate_more(seed: int) -> None:
    gains = drawn(random.Random(seed), "abcd", width=0.3, margin=0.2)
    wider = {
        pair: {axis: Gain(g.value, (g.low or 0) - 0.5, (g.high or 0) + 0.5, g.margin) for axis, g in axes.items()}
        for pair, axes in gains.items()
    }
    before, after = plainly("abcd", gains), plainly("abcd", wider)
    assert all(after[name] <= before[name] for name in "abcd")


@pytest.mark.parametrize("seed", range(20))
def test_without_width_and_margin_it_is_the_usual_front(seed: int) -> None:
    rng = random.Random(seed)
    worth = {name: [rng.randint(0, 3) for _ in AXES] for name in "abcdef"}
    gains = {
        (a, b): {axis: Gain(x - y, x - y, x - y) for axis, x, y in zip(AXES, worth[a], worth[b], strict=True)}
        for a, b in itertools.combinations("abcdef", 2)
    }
    usual = {
        name
        for name, own in worth.items()
        if not any(all(x >= y for x, y in zip(other, own, strict=True)) and other != own for other in worth.values())
    }
    found = standings("abcdef", gains)
    assert {name for name in found if found[name].word == FRONT} == usual
    assert all(found[name].word in (FRONT, DOMINATED) for name in found)


def test_estimates_alone_only_may_dominate() -> None:
    found = standings("ab", {("a", "b"): {"cost": Gain(2.0, -1.0, 5.0), "quality": Gain(0.1, -0.2, 0.4, 0.3)}})
    assert (found["b"].word, found["b"].by, found["a"].word) == (MAYBE, ("a",), FRONT)


def test_a_gain_within_the_margin_is_nothing_gained() -> None:
    assert not dominates([Gain(0.2, 0.1, 0.3, 0.25)])
    assert dominates([Gain(0.3, 0.1, 0.5, 0.25), Gain(-0.1, -0.2, 0.0, 0.25)])
    assert not dominates([Gain(0.3, 0.1, 0.5, 0.25), Gain(-0.1, -0.3, 0.1, 0.25)])


def test_what_is_not_known_neither_wins_nor_loses() -> None:
    unknown = Gain(None, None, None)
    found = standings("ab", {("a", "b"): {"cost": Gain(2.0, 1.0, 3.0), "quality": unknown}})
    assert found["a"].word == found["b"].word == FRONT
    assert not dominates([])
    assert standings("ab", {})["b"].word == FRONT


def test_a_ring_leaves_all_of_it_standing() -> None:
    def wins(a: str, b: str, on: int) -> dict[tuple[str, str], dict[str, Gain]]:
        values = [2.0 if place == on else -1.0 for place in range(3)]
        return {(a, b): {axis: Gain(v, v, v, 1.5) for axis, v in zip(AXES, values, strict=True)}}

    ring = {**wins("a", "b", 0), **wins("b", "c", 1), **wins("c", "a", 2)}
    found = standings("abc", ring)
    assert {one.word for one in found.values()} == {MAYBE}
    below = {("a", "d"): {axis: Gain(2.0, 2.0, 2.0) for axis in AXES}}
    assert standings("abcd", ring | below)["d"].word == DOMINATED
