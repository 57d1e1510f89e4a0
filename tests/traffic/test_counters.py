"""The counters against naive facts of the same traffic: what is exact is equal, what is estimated is near."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from sipguard.screening.ruleset import Ruleset
from sipguard.screening.shapes import asked_of, specs
from sipguard.screening.shapesasked import KINDS
from sipguard.settings.load import load
from tests.traffic import attacks, decoys, people
from tests.traffic.background import background
from tests.traffic.calls import ATTEMPT, Call, events
from tests.traffic.drive import Driven, with_others
from tests.traffic.exact import Exact

SHIPPED = Path(__file__).parents[2] / "config"
HOUR = 1_795_705_200.0  # Thursday 26 November 2026, 15:00 UTC: an hour begins
ON_REGISTRY = ("12025550131", "12025550132")  # as lists/dnc.txt has them
SKETCHED = ("callers_1h", "callees_1h", "callers_per_call_1h")
OFF = {
    "trunk": 0.1,
    "signer": 0.1,
    "caller": 0.3,
    "callee": 0.3,
    "prefix": 0.3,
}  # of sketches: three standard deviations
ALL = {spec.name for spec in specs(*KINDS)}


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Ruleset:
    """The shipped Ruleset, with all facts of shapes asked."""
    directory = tmp_path_factory.mktemp("shipped") / "config"
    shutil.copytree(SHIPPED, directory)
    loaded = load(directory / "sipguard.yaml")
    assert loaded.ruleset is not None
    ruleset = Ruleset.open(with_others(loaded.ruleset))
    return replace(ruleset, shapes=asked_of((), ("dnc",), everything=True))


def to_offices(seed: int, at: float, calls: int) -> Iterator[Call]:
    """One number calls a hundred others, some of them on the registry, many beside one another."""
    chance = Random(f"offices {seed}")
    for _ in range(calls):
        at += chance.expovariate(1.0 / 4.0)
        callee = chance.choice((*people.OFFICES, *ON_REGISTRY * 10))
        yield Call("offices", "carrier-a", "12212340001", callee, "701J", at, *people.as_usual(chance))


def mixture(seed: int, at: float) -> list[Iterator[Call]]:
    """Traffic of every kind for about 20 minutes."""
    return [
        background(seed, "carrier-a", at, 1200.0, 500.0),
        attacks.campaign(seed, at, "carrier-a", "701J", 100),
        attacks.neighbour(seed, at, "wholesale", "811J", 100),
        attacks.sequential(seed, at, "wholesale", "811J", 100, shuffled=True),
        attacks.wangiri(seed, at, "abroad", calls=80),
        attacks.tdos(seed, at, "abroad", calls=100),
        decoys.help_line(seed, at, "wholesale", calls=100),
        to_offices(seed, at, 200),
    ]


Told = tuple[Call, dict[str, float], dict[str, float], Exact]


def compared(everything: Ruleset, streams: list[Iterator[Call]], do: int) -> Iterator[Told]:
    """(call, facts counted, naive facts, what these are from) of every `do`th call."""
    every = [list(stream) for stream in streams]
    exact = Exact(ON_REGISTRY)
    judged = Driven(everything).each(*every)
    for event in events(*every):
        exact.feed(event)
        if event.what != ATTEMPT:
            continue
        facts = next(judged).facts
        if event.n % do == 0:
            counted = {name: float(str(value)) for name, value in facts.items() if name.startswith("rate.")}
            yield event.call, counted, exact.facts(event.call, event.at), exact


@pytest.mark.parametrize("seed", [1, 2])
def test_within_an_hour_only_sketches_and_minutes_are_estimates(everything: Ruleset, seed: int) -> None:
    names: set[str] = set()
    for call, counted, naive, exact in compared(everything, mixture(seed, HOUR), 7):
        assert counted.keys() == naive.keys()
        names |= counted.keys()
        for name, value in counted.items():
            _, which, fact = name.split(".")
            if fact == "attempts_1m":
                key = call.callee[:7] if which == "prefix" else getattr(call, which)
                minute = call.at // 60.0 * 60.0
                assert exact.attempts(which, key, minute) <= value <= exact.attempts(which, key, minute - 60.0), name
            elif fact in SKETCHED:
                least = 0.0 if fact == "callers_per_call_1h" else 1.0
                assert abs(value - naive[name]) <= max(OFF[which] * naive[name], least), name
            else:
                near = 0.051 if fact in ("mean_duration_1h", "minutes_1h") else 0.00051
                assert value == pytest.approx(naive[name], abs=near), name
    assert names <= ALL
    unlearned = {name for name in ALL if "over_usual" in name}
    assert ALL - names - unlearned <= {"rate.callee.mean_duration_1h"}, "which few samples have"


def test_a_window_over_two_hours_is_near_where_the_rate_is_steady(everything: Ruleset) -> None:
    people_alone = [background(3, "carrier-a", HOUR - 3000.0, 6000.0, 600.0)]
    looked_at = 0
    for call, counted, naive, _ in compared(everything, people_alone, 5):
        if call.at < HOUR:
            continue
        looked_at += 1
        for fact in ("attempts_1h", "callers_1h", "callees_1h", "minutes_1h"):
            assert counted[f"rate.trunk.{fact}"] == pytest.approx(naive[f"rate.trunk.{fact}"], rel=0.2)
        for fact in ("answer_ratio_1h", "short_ratio_1h", "callers_per_call_1h", "neighbour_ratio_1h"):
            assert counted[f"rate.trunk.{fact}"] == pytest.approx(naive[f"rate.trunk.{fact}"], abs=0.1)
    assert looked_at > 50
