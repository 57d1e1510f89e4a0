"""The rules of config/fraud.yaml by whole traffic: attacks are reported soon, decoys and people never.

The shipped configuration is driven, with its compiled policy and real counters; each attack and all decoys stand within
the traffic of people, for five seeds.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sipguard.screening.policy.predicates import facts_of
from sipguard.screening.ruleset import Ruleset
from sipguard.settings.load import load
from tests.traffic import attacks, decoys, people
from tests.traffic.background import background
from tests.traffic.calls import Call
from tests.traffic.drive import Driven, Judged, with_others
from tests.traffic.weeks import weeks

SHIPPED = Path(__file__).parents[2] / "config"
MORNING = 1_795_705_200.0  # Thursday 26 November 2026, 15:00 UTC
NIGHT = MORNING - 8 * 3600.0  # two o'clock in New York
SEEDS = (1, 2, 3, 4, 5)
OURS = tuple(people.OFFICES[60:70])  # numbers of customer-b, as lists/trunk_numbers.txt has them
PBX = people.OFFICES[41]

Attack = Callable[[int, float], Iterator[Call]]

# name -> (the attack, its rule, the attempt by which it must be reported). On trunks that people use too an attack has
# about as many calls as they, since the rules for trunks judge what most calls of a trunk are.
ATTACKS: dict[str, tuple[Attack, str, int]] = {
    "campaign": (lambda seed, at: attacks.campaign(seed, at, "carrier-a", "701J", 220, 20.0), "fraud-campaign", 140),
    "campaign of a customer": (
        lambda seed, at: attacks.campaign(seed, at, "customer-b", "", 220, 20.0, caller=PBX), "fraud-campaign", 140,
    ),
    "snowshoe": (lambda seed, at: attacks.snowshoe(seed, at, "carrier-a", "811J", 280, 20.0), "fraud-snowshoe", 230),
    "snowshoe, unsigned": (lambda seed, at: attacks.snowshoe(seed, at, "wholesale"), "fraud-snowshoe-trunk", 260),
    "neighbour": (lambda seed, at: attacks.neighbour(seed, at, "carrier-a", "812J", 220, 20.0), "fraud-neighbour", 150),
    "neighbour, unsigned": (lambda seed, at: attacks.neighbour(seed, at, "wholesale"), "fraud-neighbour-trunk", 160),
    "sequential": (
        lambda seed, at: attacks.sequential(seed, at, "carrier-a", "702J", 150, 20.0), "fraud-sequential", 70,
    ),
    "sequential, rotating": (
        lambda seed, at: attacks.sequential(seed, at, "wholesale", numbers=150), "fraud-sequential-trunk", 130,
    ),
    "wangiri": (lambda seed, at: attacks.wangiri(seed, at, "gateway-d", "", 90, 8.0), "fraud-wangiri", 50),
    "wangiri, rotating": (
        lambda seed, at: attacks.wangiri(seed, at, "abroad", numbers=200), "fraud-wangiri-trunk", 120,
    ),
    "tdos": (lambda seed, at: attacks.tdos(seed, at, "wholesale"), "fraud-tdos", 70),
    "pumping": (lambda seed, at: attacks.pumping(seed, at, "customer-b", PBX), "fraud-pumping", 60),
    "irsf": (lambda seed, at: attacks.irsf(seed, at, "customer-b", OURS), "fraud-irsf", 45),
    "irsf, transit": (lambda seed, at: attacks.irsf(seed, at, "retail"), "fraud-irsf", 45),
}  # fmt: skip
AT_ONCE = (  # by different trunks, so that they do not hide one another
    ("campaign", "snowshoe, unsigned", "wangiri", "pumping"),
    ("snowshoe", "neighbour, unsigned", "wangiri, rotating", "campaign of a customer"),
    ("neighbour", "sequential, rotating", "irsf, transit"),
    ("sequential", "tdos", "irsf"),
)


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Ruleset:
    directory = tmp_path_factory.mktemp("shipped") / "config"
    shutil.copytree(SHIPPED, directory)
    loaded = load(directory / "sipguard.yaml")
    assert loaded.ruleset is not None
    return Ruleset.open(with_others(loaded.ruleset))


def crowd(seed: int, at: float, for_s: float = 1020.0) -> list[Call]:
    """What people do: other carriers' customers, our own, people abroad."""
    streams = (
        background(seed, "carrier-a", at, for_s, 800.0),
        background(seed, "customer-b", at, for_s, 200.0, OURS, ("",)),
        background(seed, "gateway-d", at, for_s, 450.0, tuple(f"441632960{n:03}" for n in range(0, 1000, 7)), ("",)),
    )
    return sorted((call for stream in streams for call in stream), key=lambda call: call.at)


STARTS = {seed: MORNING + (3300.0 if seed % 2 else 0.0) for seed in SEEDS}  # some within an hour, some go into the next
CROWDS = {seed: crowd(seed, at) for seed, at in STARTS.items()}


def told(judged: list[Judged], stream: str) -> Counter[str]:
    """How often each rule would have acted on the calls of a stream."""
    return Counter(name for each in judged if each.call.stream == stream for name in each.reported)


def test_all_attacks_are_tried() -> None:
    assert sorted(name for names in AT_ONCE for name in names) == sorted(ATTACKS)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("names", AT_ONCE, ids=lambda names: names[0])
def test_attacks_are_reported_by_their_rules_and_nobody_else(
    shipped: Ruleset, names: tuple[str, ...], seed: int
) -> None:
    tried = [ATTACKS[name] for name in names]
    judged = Driven(shipped).run(CROWDS[seed], *(attack(seed, STARTS[seed] + 120.0) for attack, _, _ in tried))
    for name, (_, rule, within) in zip(names, tried, strict=True):
        own = [each for each in judged if each.call.stream == name.partition(" of")[0].partition(",")[0]]
        first = next((n for n, each in enumerate(own, 1) if rule in each.reported), len(own))
        assert first <= within, name
        later = own[within:]
        assert later and sum(rule in each.reported for each in later) >= 0.85 * len(later), name
    assert told(judged, "background") == {}


@pytest.mark.parametrize("seed", SEEDS)
def test_no_decoy_is_reported(shipped: Ruleset, seed: int) -> None:
    at = STARTS[seed] + 60.0
    judged = Driven(shipped).run(
        CROWDS[seed],
        decoys.school_alert(seed, at, "carrier-a", "703J", calls=350),
        decoys.school_alert(
            seed + 100, at, "customer-b", caller=people.OFFICES[42], calls=300, per_minute=70.0, in_order=True
        ),
        decoys.pharmacy(seed, at, "carrier-a", "704J", calls=180),
        decoys.call_centre(seed, at, "carrier-a", "705J", calls=300),
        decoys.call_centre(seed + 100, at, "carrier-a", "706J", calls=400, per_minute=300.0),
        decoys.help_line(seed, at, "carrier-a", calls=300),
        decoys.village(seed, at, "wholesale", "", 250),
        decoys.village(seed + 100, at, "carrier-a", "707J", 150),
        decoys.one_block(seed, at, "retail", "", 200),
        decoys.office_abroad(seed, at, "customer-b", PBX),
        decoys.travel_agency(seed, at, "customer-b", OURS[:3]),
        decoys.conference(seed, at, "customer-b", OURS),
    )
    assert [(each.call.stream, each.reported) for each in judged if each.reported] == []
    assert len({each.call.stream for each in judged}) == 10, "people and nine decoys"
    assert all(each.verdict.goes_on for each in judged)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_break_in_at_night_is_reported_and_the_night_shift_is_not(shipped: Ruleset, seed: int) -> None:
    judged = Driven(shipped).run(
        background(seed, "customer-b", NIGHT, 1200.0, 200.0, OURS, ("",)),
        attacks.break_in(seed, NIGHT, "customer-b", PBX),
        decoys.night_shift(seed, NIGHT, "customer-b", OURS),
    )
    own = [each for each in judged if each.call.stream == "break-in"]
    assert ["fraud-off-hours" in each.reported for each in own].index(True) == 20
    assert all("fraud-off-hours" in each.reported for each in own[20:])
    assert told(judged, "background") == told(judged, "night shift") == {}
    by_day = Driven(shipped).run(attacks.break_in(seed, MORNING, "customer-b", PBX))
    assert told(by_day, "break-in") == {}


# ------------------------------------------------------------------------------------------ what is usual

SUNDAY = MORNING - 4 * 86_400.0  # ten in the morning in New York
HABITS = {"people": 0.0, "a travel agency": 60.0}  # calls abroad in each hour of office time


def of_customer(seed: int, at: float, agency: float, rush: float = 1.0) -> list[Iterator[Call]]:
    """What customer-b has had for weeks: twenty minutes of it, or an hour with `rush` times as much."""
    for_s = 1200.0 if rush == 1.0 else 3600.0
    streams = [background(seed, "customer-b", at, for_s, 200.0 * rush, OURS, ("",))]
    if agency:
        calls = round(agency * rush * for_s / 3600.0)
        streams.append(decoys.travel_agency(seed, at, "customer-b", OURS[:3], calls, agency * rush / 60.0))
    return streams


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("at", "habit"),
    [(NIGHT, "people"), (NIGHT, "a travel agency"), (SUNDAY, "a travel agency"), (MORNING, "people")],
    ids=["night", "an agency's night", "an agency's Sunday", "day"],
)
def test_a_break_in_is_another_mix_than_ever_at_this_hour(shipped: Ruleset, at: float, habit: str, seed: int) -> None:
    agency = HABITS[habit]
    usual = {"customer-b": weeks(seed, at, 200.0, agency)}
    open_office = agency if at == MORNING else 0.0
    judged = Driven(shipped, usual).run(
        *of_customer(seed, at, open_office),
        attacks.break_in(seed, at, "customer-b", OURS[9], calls=120, per_minute=6.0),
    )
    own = ["fraud-unusual-mix" in each.reported for each in judged if each.call.stream == "break-in"]
    assert 20 <= own.index(True) <= 35
    assert all(own[own.index(True) :])
    assert told(judged, "background") == told(judged, "travel agency") == {}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("habit", HABITS)
def test_what_a_customer_does_every_day_is_not_unusual(shipped: Ruleset, habit: str, seed: int) -> None:
    """By day, by night, when a call centre begins its shift, and on the first day after two weeks of closure."""
    agency, streams = HABITS[habit], []
    shift = decoys.call_centre(seed, MORNING, "customer-b", caller=OURS[5], calls=400, per_minute=40.0)
    night = decoys.night_shift(seed, NIGHT, "customer-b", OURS)
    for at, rush, more, closed in (
        (MORNING, 1.0, [shift], ()), (NIGHT, 1.0, [night], ()), (MORNING, 1.6, [], (3, 4)),
    ):  # fmt: skip
        open_office = agency if at == MORNING else 0.0
        usual = {"customer-b": weeks(seed, at, 200.0, agency, 5, closed)}
        judged = Driven(shipped, usual).run(*of_customer(seed, at, open_office, rush), *more)
        assert [(each.call.stream, each.reported) for each in judged if each.reported] == []
        streams += [each.call.stream for each in judged]
    wanted = {"background", "call centre", "night shift"} | ({"travel agency"} if agency else set())
    assert set(streams) == wanted


def test_the_first_two_weeks_are_learned(shipped: Ruleset) -> None:
    def attack() -> Iterator[Call]:
        return attacks.break_in(1, MORNING, "customer-b", OURS[9], calls=60)

    for before in ({}, {"customer-b": weeks(1, MORNING, 200.0, count=2)}):  # of which the first hour was not seen whole
        unknown = Driven(shipped, before).run(attack())
        assert told(unknown, "break-in") == {}
        assert not any("usual" in name for each in unknown for name in each.facts)
    known = Driven(shipped, {"customer-b": weeks(1, MORNING, 200.0)}).run(attack())
    assert told(known, "break-in")["fraud-unusual-mix"] > 30


# ------------------------------------------------------------------------------------------ what docs/fraud.md admits

# The attack somewhat changed, and the rule that does not see it any more.
UNSEEN: dict[str, tuple[Attack, str]] = {
    "fewer than 100 calls an hour": (
        lambda seed, at: attacks.campaign(seed, at, "carrier-a", calls=60, per_minute=1.5), "fraud-campaign",
    ),
    "a campaign from six numbers": (
        lambda seed, at: attacks.campaign(seed, at, "carrier-a", numbers=6), "fraud-campaign",
    ),
    "each number for two calls": (
        lambda seed, at: attacks.snowshoe(seed, at, "wholesale", uses=2.0), "fraud-snowshoe-trunk",
    ),
    "one in four calls from a neighbour": (
        lambda seed, at: attacks.neighbour(seed, at, "wholesale", share=0.25), "fraud-neighbour-trunk",
    ),
    "every eleventh number": (
        lambda seed, at: attacks.sequential(seed, at, "carrier-a", step=11), "fraud-sequential",
    ),
    "an exchange in no order": (
        lambda seed, at: attacks.sequential(seed, at, "carrier-a", shuffled=True), "fraud-sequential",
    ),
    "two rings": (lambda seed, at: attacks.wangiri(seed, at, "gateway-d", rings_s=8.0), "fraud-wangiri"),
    "less than a call a second": (lambda seed, at: attacks.tdos(seed, at, "wholesale", "", 150, 30.0), "fraud-tdos"),
    "many numbers of a range": (
        lambda seed, at: attacks.pumping(seed, at, "customer-b", PBX, numbers=100), "fraud-pumping",
    ),
    "three numbers of a range": (
        lambda seed, at: attacks.irsf(seed, at, "customer-b", OURS, numbers=3), "fraud-irsf",
    ),
    "a few calls at a time to a range": (
        lambda seed, at: attacks.irsf(seed, at, "customer-b", OURS, calls=16, per_minute=0.12), "fraud-irsf",
    ),
    "twenty calls by night": (
        lambda seed, at: attacks.break_in(seed, NIGHT, "customer-b", PBX, calls=20), "fraud-off-hours",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNSEEN)
def test_what_the_rules_do_not_see(shipped: Ruleset, name: str) -> None:
    attack, rule = UNSEEN[name]
    judged = Driven(shipped).run(attack(1, MORNING))
    assert not any(rule in each.reported for each in judged), "say so in docs/fraud.md"


def test_people_on_the_trunk_of_an_attack_may_be_labelled_and_are_not_rejected(shipped: Ruleset) -> None:
    """One call in eight is theirs; the rules for trunks tell calls of people from others by nothing."""
    rules = {rule.name: rule for rule in shipped.policy.rules}
    judged = Driven(shipped).run(
        background(1, "wholesale", MORNING, 300.0, 400.0, signers=("",)), attacks.snowshoe(1, MORNING, "wholesale")
    )
    hurt = told(judged, "background")
    assert set(hurt) == {"fraud-snowshoe-trunk"} and hurt.total() < 0.2 * len(judged)
    assert rules["fraud-snowshoe-trunk"].label is not None and not rules["fraud-snowshoe-trunk"].basis


def test_rules_of_a_trunk_or_signer_that_ask_nothing_of_the_call_itself_do_not_reject(shipped: Ruleset) -> None:
    for rule in shipped.policy.rules:
        if rule.name.startswith("fraud-"):
            asked = {fact for fact in facts_of(rule.when) if not fact.startswith("trunk.")}
            whole = all(fact.startswith(("rate.trunk.", "rate.signer.")) for fact in asked)
            assert rule.report and not (whole and rule.basis), rule.name


def test_a_call_that_is_nothing_odd_asks_no_plan(shipped: Ruleset) -> None:
    """What a call costs: the many facts of the plan are found for calls only that all else speaks against."""
    (judged, *_) = Driven(shipped).run(crowd(1, MORNING, 60.0))
    assert "rate.caller.attempts_1h" in judged.facts
    assert not any(name.startswith("plan.") for name in judged.facts)
