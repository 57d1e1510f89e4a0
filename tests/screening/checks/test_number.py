"""The check `number`."""

from __future__ import annotations

import pytest

from sipguard.numbers.canonical import CLASSES
from sipguard.numbers.plan import Plan
from sipguard.screening.checks import number
from sipguard.screening.counters import Counters
from sipguard.screening.finding import CLEAR, HIT, Context
from sipguard.screening.lists import Lists
from sipguard.screening.verification.replays import Replays
from sipguard.stir.certificate import CertificateStore
from tests.screening.build import TRUSTED, attempt

CONTEXT = Context(Lists({}), Counters(), CertificateStore(), Replays())
SETTINGS = number.Settings()


def test_every_number_has_its_class_and_area_code() -> None:
    call = attempt(
        "sip:+18005550123@gw.example.com",
        "<sip:alice@example.com>",
        pai=["<tel:+12025550100>"],
        diversion=["<sip:+442079460000@example.com>"],
        trunk=TRUSTED,
    )
    finding = number.check(call, SETTINGS, CONTEXT)
    assert (finding.status, finding.reason) == (CLEAR, "")
    assert finding.facts == {
        "number.shown.class": "alpha",
        "number.asserted.class": "fictional_555",
        "number.asserted.npa": "202",
        "number.caller.class": "fictional_555",
        "number.caller.npa": "202",
        "number.diverting.class": "international",
        "number.callee.class": "tollfree",
        "number.callee.npa": "800",
    }


def test_what_is_not_there_is_absent() -> None:
    assert number.check(attempt("sip:gw.example.com", "garbage>"), SETTINGS, CONTEXT).facts == {}


@pytest.mark.parametrize(
    ("shown", "pai", "status", "reason"),
    [
        ("+12025550100", "+12025550101", CLEAR, ""),
        ("+13705550100", "+12025550101", HIT, "invalid_npa"),
        ("+12020550100", "+12025550101", HIT, "invalid_format"),
        ("9115550100", "+12025550101", HIT, "n11"),
        ("+12025550100", "+13705550100", HIT, "invalid_npa"),
        ("anonymous", "+12025550101", CLEAR, ""),
        ("911", "+12025550101", CLEAR, ""),
    ],
)
def test_it_hits_where_a_caller_cannot_exist(shown: str, pai: str, status: str, reason: str) -> None:
    call = attempt(shown=f"<sip:{shown}@example.com>", pai=[f"<tel:{pai}>"], trunk=TRUSTED)
    finding = number.check(call, SETTINGS, CONTEXT)
    assert (finding.status, finding.reason) == (status, reason)


def test_an_untrusted_assertion_is_classed_but_is_not_the_caller() -> None:
    finding = number.check(attempt(pai=["<tel:+13705550100>"]), SETTINGS, CONTEXT)
    assert finding.facts["number.asserted.class"] == "invalid_npa"
    assert finding.facts["number.caller.class"] == "fictional_555"
    assert finding.status == CLEAR


def test_of_two_assertions_the_one_that_cannot_exist_is_classed() -> None:
    call = attempt(pai=["<sip:+12025550101@example.com>, <tel:+13705550100>"], trunk=TRUSTED)
    facts = number.check(call, SETTINGS, CONTEXT).facts
    assert (facts["number.asserted.class"], facts["number.caller.class"]) == ("invalid_npa", "fictional_555")


def test_the_documented_classes_are_all_there_are() -> None:
    classes = {spec.choices for spec in number.FACTS if spec.name.endswith(".class")}
    assert classes == {CLASSES}
    assert set(CLASSES) > number.IMPOSSIBLE


def test_the_third_number_asserted_has_a_class_too() -> None:
    values = ["<tel:+12025550188>, <tel:+12025550189>, <tel:+19115550100>"]
    facts = number.check(attempt(pai=values), number.Settings(), CONTEXT).facts
    assert facts["number.asserted.class"] == "n11"


def test_more_numbers_than_are_looked_at_are_no_number() -> None:
    many = ", ".join(f"<tel:+1202555{n:04d}>" for n in range(100, 111))
    facts = number.check(attempt(pai=[many]), number.Settings(), CONTEXT).facts
    assert (facts["number.asserted.class"], "number.asserted.npa" in facts) == ("invalid_format", False)


def test_an_area_code_that_is_not_in_service_is_told_where_that_is_known() -> None:
    plan = Plan("1", {}, frozenset({"212"}))
    context = Context(Lists({}), Counters(), CertificateStore(), Replays(), plan)
    call = attempt("sip:+12125550123@gw.example.com", "<sip:+12225550100@example.com>")
    found = number.check(call, SETTINGS, context)
    assert (found.status, found.facts["number.shown.class"]) == (CLEAR, "unassigned_npa")
    assert found.facts["number.callee.class"] == "fictional_555"
    assert number.check(call, SETTINGS, CONTEXT).facts["number.shown.class"] == "fictional_555"
    free = attempt("sip:+12125550123@gw.example.com", "<sip:+18005550100@example.com>")
    assert number.check(free, SETTINGS, context).facts["number.shown.class"] == "tollfree"
