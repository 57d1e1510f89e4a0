"""Cases that make conditions hold, against facts drawn at random and a plain reading of the language."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from sipguard.screening.finding import FactValue
from sipguard.screening.policy.cases import Space, Unanswered
from sipguard.screening.policy.model import AllOf, AnyOf, Condition, Not, OneOf
from tests.screening.policy import naive
from tests.screening.policy.drawn import CONDITIONS, FACTS, call_of, written
from tests.screening.policy.words import FACTS as SPECS
from tests.screening.policy.words import good


def holds(condition: Condition, facts: dict[str, FactValue], failed: frozenset[str] = frozenset()) -> bool:
    return naive.truth(written(condition), call_of(facts, failed), {}) == "true"


@given(CONDITIONS, CONDITIONS, FACTS)
@settings(max_examples=400, deadline=None)
def test_no_case_is_missed_and_none_is_made_up(
    wanted: Condition, unwanted: Condition, facts: dict[str, FactValue]
) -> None:
    space = Space([wanted, unwanted], SPECS)
    found = next(space.cases([(wanted, True), (unwanted, False)]), None)
    if found is None:
        assert not holds(wanted, facts) or holds(unwanted, facts)
        return
    of_case = space.facts(found)
    if of_case is not None:
        assert holds(wanted, of_case) and not holds(unwanted, of_case)


@given(CONDITIONS, CONDITIONS, FACTS)
@settings(max_examples=200, deadline=None)
def test_a_check_that_failed_is_a_case_too(wanted: Condition, unwanted: Condition, facts: dict[str, FactValue]) -> None:
    space = Space([wanted, unwanted], SPECS, failures=True)
    if next(space.cases([(wanted, True), (unwanted, False)]), None) is None:
        for failed in (frozenset[str](), frozenset({"identity"}), frozenset({"lists", "rate"})):
            assert not holds(wanted, facts, failed) or holds(unwanted, facts, failed)


NEVER = [
    "{identity.result: failed, not: {identity.result: [failed, none]}}",
    "{rate.caller.attempts_1h: {over: 60, under: 60}}",
    "{rate.caller.attempts_1h: {at_least: 60}, not: {rate.caller.attempts_1h: {over: 59}}}",
    '{all: [{identity.x5u_host: "a.*"}, {identity.x5u_host: "b.*"}]}',
    '{identity.x5u_host: "a.b*", not: {identity.x5u_host: "a.*"}}',
    '{lists.shown: dno, not: {lists.shown: "d*"}}',
    "{all: [{call.anonymous: true}, {call.anonymous: false}]}",
]
SOMETIMES = [
    "{lists.pair: consent, not: {lists.pair: ebr}}",
    '{all: [{identity.x5u_host: "a.*"}, {identity.x5u_host: "*.b"}, {not: {identity.x5u_host: "a.b"}}]}',
    '{all: [{identity.x5u_host: "a*b*c"}, {not: {identity.x5u_host: "a*c"}}]}',
    "{rate.caller.attempts_1h: {over: 3, under: 4}}",
    "{not: {any: [{call.anonymous: true}, {call.anonymous: false}]}}",
]


def when(text: str) -> Condition:
    return good(f"rules: [{{name: a, when: {text}, reject: contract}}]").rules[0].when


@pytest.mark.parametrize("text", NEVER)
def test_what_holds_of_no_facts(text: str) -> None:
    condition = when(text)
    assert list(Space([condition], SPECS).cases([(condition, True)])) == []


@pytest.mark.parametrize("text", SOMETIMES)
def test_what_may_hold(text: str) -> None:
    condition = when(text)
    assert next(Space([condition], SPECS).cases([(condition, True)]), None) is not None


def test_too_many_cases_are_told_apart_from_none() -> None:
    seats = {(who, where): OneOf("lists.shown", (f"{who} at {where}",)) for who in range(9) for where in range(8)}
    seated = [AnyOf(tuple(seats[who, where] for where in range(8))) for who in range(9)]
    apart = [
        Not(AllOf((seats[one, where], seats[other, where])))
        for where in range(8)
        for one in range(9)
        for other in range(one)
    ]
    condition = AllOf((*seated, *apart))
    with pytest.raises(Unanswered):
        next(Space([condition], SPECS).cases([(condition, True)]))
