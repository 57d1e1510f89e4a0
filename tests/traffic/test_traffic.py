"""The traffic that other tests stand on: the same by the same seed, and like what it is taken for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import phonenumbers
import pytest

from sipguard.numbers.canonical import classify, read
from tests.traffic import attacks, decoys, people
from tests.traffic.background import background, busyness
from tests.traffic.calls import ANSWERED, ATTEMPT, ENDED, GIVEN_UP, REFUSED, Call, events
from tests.traffic.exact import Exact

MORNING = 1_795_705_200.0  # Thursday 26 November 2026, 15:00 UTC

STREAMS: dict[str, Callable[[int], Iterator[Call]]] = {
    "background": lambda seed: background(seed, "t", MORNING, 1800.0, 2400.0),
    "campaign": lambda seed: attacks.campaign(seed, MORNING, "t"),
    "snowshoe": lambda seed: attacks.snowshoe(seed, MORNING, "t"),
    "neighbour": lambda seed: attacks.neighbour(seed, MORNING, "t"),
    "sequential": lambda seed: attacks.sequential(seed, MORNING, "t"),
    "wangiri": lambda seed: attacks.wangiri(seed, MORNING, "t"),
    "tdos": lambda seed: attacks.tdos(seed, MORNING, "t"),
    "pumping": lambda seed: attacks.pumping(seed, MORNING, "t", people.OFFICES[0]),
    "irsf": lambda seed: attacks.irsf(seed, MORNING, "t"),
    "break_in": lambda seed: attacks.break_in(seed, MORNING, "t", people.OFFICES[0]),
    "school_alert": lambda seed: decoys.school_alert(seed, MORNING, "t"),
    "pharmacy": lambda seed: decoys.pharmacy(seed, MORNING, "t"),
    "call_centre": lambda seed: decoys.call_centre(seed, MORNING, "t"),
    "help_line": lambda seed: decoys.help_line(seed, MORNING, "t"),
    "village": lambda seed: decoys.village(seed, MORNING, "t"),
    "one_block": lambda seed: decoys.one_block(seed, MORNING, "t"),
    "office_abroad": lambda seed: decoys.office_abroad(seed, MORNING, "t", people.OFFICES[0]),
    "travel_agency": lambda seed: decoys.travel_agency(seed, MORNING, "t", people.OFFICES[:3]),
    "conference": lambda seed: decoys.conference(seed, MORNING, "t", people.OFFICES[:20]),
    "night_shift": lambda seed: decoys.night_shift(seed, MORNING, "t", people.OFFICES[:6]),
}
ONCE = {name: list(stream(1)) for name, stream in STREAMS.items()}


@pytest.mark.parametrize("name", STREAMS)
def test_a_seed_says_it_all(name: str) -> None:
    assert list(STREAMS[name](1)) == ONCE[name]
    assert list(STREAMS[name](2)) != ONCE[name]
    assert [call.at for call in ONCE[name]] == sorted(call.at for call in ONCE[name])


@pytest.mark.parametrize("name", STREAMS)
def test_every_number_can_exist_and_is_nobodys(name: str) -> None:
    drama = ("441632960", "449098790", "441154960", *people.CITIES, "1202555")
    for tn in {call.caller for call in ONCE[name]} | {call.callee for call in ONCE[name]}:
        assert tn.startswith(drama) or tn[1:4] in people.AREAS, tn
        assert classify(read(f"+{tn}")) in ("ok", "international", "fictional_555"), tn


def test_no_exchange_of_the_area_codes_is_in_service() -> None:
    for area in people.AREAS:
        assert not phonenumbers.is_valid_number(phonenumbers.parse(f"+1{area}2340123")), area


def test_events_come_in_order_and_each_call_has_its_own() -> None:
    every = list(events(ONCE["background"], ONCE["tdos"], ONCE["school_alert"]))
    assert [event.at for event in every] == sorted(event.at for event in every)
    of: dict[int, list[str]] = {}
    for event in every:
        of.setdefault(event.n, []).append(event.what)
    assert len(of) == sum(len(ONCE[name]) for name in ("background", "tdos", "school_alert"))
    assert {tuple(each) for each in of.values()} == {
        (ATTEMPT, ANSWERED, ENDED), (ATTEMPT, GIVEN_UP), (ATTEMPT, REFUSED),
    }  # fmt: skip


def test_the_background_is_conversation() -> None:
    calls = list(background(3, "t", MORNING, 4 * 3600.0, 2400.0))
    talks = [call.talks_s for call in calls if call.outcome == ANSWERED]
    assert 0.52 < len(talks) / len(calls) < 0.58
    assert sum(talks) / len(talks) >= 180.0
    assert sum(talk > 120.0 for talk in talks) / len(talks) > 0.2
    near = sum(call.caller[:7] == call.callee[:7] for call in calls) / len(calls)
    assert 0.02 < near < 0.1
    assert sum(call.caller[0] != "1" or call.callee[0] != "1" for call in calls) > 0
    assert max(Counter(call.caller for call in calls).values()) < 0.02 * len(calls)


def test_the_night_is_quiet() -> None:
    assert busyness(MORNING - 7 * 3600.0) < 0.1
    assert busyness(MORNING + 3600.0) == 1.0
    by_night = list(background(3, "t", MORNING - 7 * 3600.0, 1800.0, 2400.0))
    assert len(by_night) < 0.15 * len(ONCE["background"])


def test_of_recorded_messages_six_in_ten_answers_end_at_once() -> None:
    talks = [call.talks_s for call in ONCE["campaign"] if call.outcome == ANSWERED]
    assert 0.55 < sum(talk <= 6.0 for talk in talks) / len(talks) < 0.8
    assert sum(talk < 60.0 for talk in talks) / len(talks) > 0.9


# ------------------------------------------------------------------------------------------ the naive facts


def call(at: float, caller: str, callee: str, outcome: str, rings_s: float, talks_s: float = 0.0) -> Call:
    return Call("", "t", caller, callee, "709J", at, outcome, rings_s, talks_s)


def test_the_naive_facts_of_some_calls() -> None:
    exact = Exact(("12212340105",))
    calls = [
        *(call(n * 10.0, "12212340001", f"122123401{n:02}", ANSWERED, 2.0, 5.0 + n) for n in range(8)),
        call(100.0, "12212340001", "12302340000", GIVEN_UP, 4.0),
        call(110.0, "12212340001", "12302340500", GIVEN_UP, 9.0),
        call(120.0, "12212340001", "12302340500", REFUSED, 1.0),
        call(130.0, "12212340001", "12302340900", ANSWERED, 5.0, 1000.0),
        call(3640.0, "12212340001", "12302349999", ANSWERED, 5.0, 1.0),
    ]
    found = {}
    for event in events(calls):
        exact.feed(event)
        if event.what == ATTEMPT:
            found[event.at] = exact.facts(event.call, event.at)
    facts = found[130.0]
    assert facts["rate.caller.attempts_1m"] == 4  # the one of 70 is a minute ago
    assert facts["rate.caller.attempts_1h"] == 12
    assert facts["rate.caller.concurrent"] == 1
    assert facts["rate.caller.answer_ratio_1h"] == 8 / 11
    assert facts["rate.caller.one_ring_ratio_1h"] == 1 / 11
    assert "rate.caller.mean_duration_1h" not in facts, "eight samples"
    assert facts["rate.caller.callees_1h"] == 11
    assert facts["rate.caller.sequential_ratio_1h"] == 7 / 12
    assert facts["rate.trunk.callers_per_call_1h"] == 1 / 12
    assert facts["rate.signer.neighbour_ratio_1h"] == 8 / 12
    assert facts["rate.trunk.dnc_ratio_1h"] == 1 / 12
    later = found[3640.0]
    assert (later["rate.caller.attempts_1m"], later["rate.caller.attempts_1h"]) == (1, 8), "from 50 on"
    assert "rate.caller.answer_ratio_1h" not in later, "nine samples"
