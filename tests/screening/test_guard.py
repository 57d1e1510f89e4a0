"""Emergency calls, and the calls that only look like one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipguard.numbers.rules import NumberRules
from sipguard.screening.guard import REASONS, Settings, admit
from sipguard.screening.trunk import Trunk
from tests.screening.build import CARRIER, TRUSTED, attempt

SETTINGS = Settings(numbers=frozenset({"933"}), psap_callers=frozenset({"12025550199"}))

DIALLED = [
    ("sip:911@gw.example.com", "dialled_911"),
    ("sip:911@gw.example.com;user=phone", "dialled_911"),
    ("sips:911@gw.example.com", "dialled_911"),
    ("SIP:911@gw.example.com", "dialled_911"),
    ("sip:911;phone-context=+1@gw.example.com;user=phone", "dialled_911"),
    ("sip:911;phone-context=example.com@gw.example.com", "dialled_911"),
    ("sip:911:secret@gw.example.com", "dialled_911"),
    ("sip:9-1-1@gw.example.com", "dialled_911"),
    ("sip:%39%31%31@gw.example.com", "dialled_911"),
    ("sip:+911@gw.example.com", "dialled_911"),
    ("tel:911", "dialled_911"),
    ("tel:911;phone-context=+1", "dialled_911"),
    ("tel:9.1.1;phone-context=+1;isub=1", "dialled_911"),
    ("sip:112@gw.example.com", "dialled_112"),
    ("tel:112;phone-context=+44", "dialled_112"),
    ("sip:988@gw.example.com", "dialled_988"),
    ("sip:+18002738255@gw.example.com", "dialled_988"),
    ("sip:8002738255@gw.example.com", "dialled_988"),
    ("sip:933@gw.example.com", "dialled_configured"),
    ("urn:service:sos", "sos_urn"),
    ("URN:Service:SOS", "sos_urn"),
    ("urn:service:sos.fire", "sos_urn"),
    ("urn:service:sos.ecall.manual", "sos_urn"),
    ("urn:service:sosfire", ""),
    ("urn:service:test.sos", ""),
    ("urn:service:counseling", ""),
    ("sip:+911125550100@gw.example.com", ""),
    ("sip:911125550100@gw.example.com", ""),
    ("sip:+19115550100@gw.example.com", ""),
    ("sip:19115550100@gw.example.com", ""),
    ("sip:9115550100@gw.example.com", ""),
    ("sip:9115550@gw.example.com", ""),
    ("sip:+1911@gw.example.com", ""),
    ("sip:+112125550100@gw.example.com", ""),
    ("sip:9885550100@gw.example.com", ""),
    ("sip:2025550911@gw.example.com", ""),
    ("sip:0911@gw.example.com", ""),
    ("sip:9111@gw.example.com", ""),
    ("sip:011911@gw.example.com", ""),
    ("sip:011-988@gw.example.com", ""),
    ("sip:+011112@gw.example.com", ""),
    ("sip:911a@gw.example.com", ""),
    ("sip:alice@911.example.com", ""),
    ("sip:911.example.com", ""),
    ("sip:411@gw.example.com", ""),
    ("sip:+18002738256@gw.example.com", ""),
    ("", ""),
]


@pytest.mark.parametrize(("uri", "reason"), DIALLED, ids=[case[0] or "nothing" for case in DIALLED])
def test_what_is_dialled(uri: str, reason: str) -> None:
    assert admit(attempt(uri, to="<sip:+12125550123@example.com>"), SETTINGS) == reason


@pytest.mark.parametrize(
    ("rules", "user", "reason"),
    [
        (NumberRules(strip_prefix="9"), "9911", "dialled_911"),
        (NumberRules(strip_prefix="9"), "911", "dialled_911"),
        (NumberRules(tech_prefix=r"\d{2}"), "911", "dialled_911"),
        (NumberRules(tech_prefix=r"\d{4}%?#"), "1234%23911", "dialled_911"),
        (NumberRules(local_npa="202"), "911", "dialled_911"),
        (NumberRules(default_cc="44"), "911", "dialled_911"),
        (NumberRules(default_cc="44"), "112", "dialled_112"),
        (NumberRules(default_cc="44"), "988", "dialled_988"),
        (NumberRules(default_cc="44"), "00112", ""),
        (NumberRules(strip_prefix="9"), "9011911", ""),
    ],
    ids=str,
)
def test_no_rule_of_a_trunk_hides_an_emergency(rules: NumberRules, user: str, reason: str) -> None:
    trunk = Trunk("pbx", "origination", read=rules)
    assert admit(attempt(f"sip:{user}@gw.example.com", trunk=trunk), Settings()) == reason


def test_a_urn_is_seen_past_the_rules_of_a_trunk() -> None:
    trunk = Trunk("pbx", "origination", read=NumberRules(tech_prefix="[a-z:]+"))
    assert admit(attempt("urn:service:sos", trunk=trunk), Settings()) == "sos_urn"


def test_to_admits_nothing() -> None:
    assert admit(attempt(to="<sip:911@example.com>"), SETTINGS) == ""


@pytest.mark.parametrize(
    ("trunk", "shown", "pai", "reason"),
    [
        (CARRIER, "+12025550199", "+12025550100", "psap_caller"),
        (CARRIER, "+12025550100", "+12025550199", ""),
        (TRUSTED, "+12025550100", "+12025550199", "psap_caller"),
        (TRUSTED, "+12025550199", "+12025550100", ""),
        (CARRIER, "anonymous", "+12025550100", ""),
    ],
)
def test_a_psap_is_known_by_the_number_that_counts(trunk: Trunk, shown: str, pai: str, reason: str) -> None:
    call = attempt(shown=f"<sip:{shown}@example.com>", pai=[f"<tel:{pai}>"], trunk=trunk)
    assert admit(call, SETTINGS) == reason


@pytest.mark.parametrize(
    ("trunk", "priority", "reason"),
    [
        (TRUSTED, "emergency", "priority_mark"),
        (TRUSTED, "Emergency", "priority_mark"),
        (TRUSTED, "psap-callback", "priority_mark"),
        (TRUSTED, "urgent", ""),
        (TRUSTED, "", ""),
        (CARRIER, "emergency", ""),
        (CARRIER, "psap-callback", ""),
    ],
)
def test_a_mark_counts_only_from_a_trunk_that_may_set_it(trunk: Trunk, priority: str, reason: str) -> None:
    assert admit(attempt(priority=priority, trunk=trunk), SETTINGS) == reason


def test_an_empty_configuration_admits_no_caller_without_a_number() -> None:
    assert admit(attempt(shown="<sip:alice@example.com>"), Settings(psap_callers=frozenset({""}))) == ""


@given(st.text(max_size=30), st.text(max_size=30))
def test_it_never_raises(uri: str, shown: str) -> None:
    assert admit(attempt(uri, shown), SETTINGS) in (*REASONS, "")
