"""A call that is only asked about comes to what a call on the wire comes to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sipguard.screening.checks import ALL_FACTS, CHECKS
from sipguard.screening.counters import Counters
from sipguard.screening.finding import Context, FactValue
from sipguard.screening.guard import Settings as GuardSettings
from sipguard.screening.listspec import ListSpec
from sipguard.screening.policy.model import Vocabulary
from sipguard.screening.policy.read import read_policy
from sipguard.screening.question import Question
from sipguard.screening.ruleset import PlainRuleset, Ruleset
from sipguard.screening.trial import NOT_AT_HAND, Tried, tried
from sipguard.screening.trunk import Trunk
from sipguard.screening.verification.replays import Replays
from sipguard.stir.certificate import CertificateStore
from tests.pki import identity_value, new_key, passport
from tests.screening.policy.words import plain

AT = 1_795_000_000.0
CARRIER = Trunk("carrier", "interconnect")
POLICY = """
rules:
  - {name: dno, when: {lists.shown: dno}, reject: dno}
  - {name: signed, when: {identity.result: passed}, tag: signed, continue: true}
  - {name: burst, when: {rate.caller.attempts_1m: {over: 60}}, reject: contract}
  - {name: flood, when: {rate.callee.concurrent: {over: 30}}, reject: contract}
"""


@pytest.fixture(scope="module")
def ruleset() -> Ruleset:
    words = Vocabulary(ALL_FACTS, lists={"dno": ("shown",)}, trunks=("carrier",))
    policy, problems = read_policy(plain(POLICY), words)
    assert problems == []
    return Ruleset.open(
        PlainRuleset(
            revision="r",
            policy=policy,
            trunks={"carrier": CARRIER},
            listeners={},
            settings={name: check.Settings() for name, check in CHECKS.items()},
            on_failure={},
            complete_percent=0.0,
            emergency=GuardSettings(),
            lists=(ListSpec("dno", bind=("shown",), members=("12025550111",)),),
        )
    )


def asked(ruleset: Ruleset, question: Question, **said: FactValue) -> Tried:
    context = Context(ruleset.lists, Counters(), CertificateStore(), Replays(), shapes=ruleset.shapes)
    facts = {name.replace("__", "."): value for name, value in said.items()}
    return tried(question, CARRIER, ruleset.compiled("carrier"), ruleset, context, facts)


CALL = Question("+1 202 555 0100", "+12125550123", (), AT)


def test_lists_and_numbers_are_asked_as_for_a_call(ruleset: Ruleset) -> None:
    found = asked(ruleset, replace(CALL, caller='"Bank" <sip:2025550111@pbx.example;user=phone>'))
    assert (found.verdict.action, found.verdict.rule, found.attempt.shown.tn) == ("reject", "dno", "12025550111")
    assert [(rule.rule, rule.outcome) for rule in found.rules] == [
        ("dno", "matched"),
        ("signed", "not_reached"),
        ("burst", "not_reached"),
        ("flood", "not_reached"),
    ]


@pytest.mark.parametrize(
    ("said", "action", "tags"),
    [
        ({}, "allow", ()),
        ({"identity__result": "passed"}, "allow", ("signed",)),
        ({"identity__result": None}, "allow", ()),
        ({"rate__caller__attempts_1m": 61}, "reject", ()),
        ({"rate__callee__concurrent": 31}, "reject", ()),
        ({"rate__callee__concurrent": 30}, "allow", ()),
        ({"lists__shown": ("dno",)}, "reject", ()),
        ({"lists__shown": ("dno",), "identity__result": "passed"}, "reject", ()),
    ],
)
def test_what_is_said_stands_as_what_was_found(
    ruleset: Ruleset, said: dict[str, FactValue], action: str, tags: tuple[str, ...]
) -> None:
    found = asked(ruleset, CALL, **said)
    assert (found.verdict.action, found.verdict.tags) == (action, tags)


def test_nobody_has_called_before_where_nothing_is_said(ruleset: Ruleset) -> None:
    facts = asked(ruleset, CALL).screening.facts
    assert facts["rate.callee.concurrent"] == facts["rate.trunk.attempts_1h"] == 0


def test_facts_that_were_not_said_of_a_check_are_absent(ruleset: Ruleset) -> None:
    caller = replace(CALL, caller="+12025550111")
    assert asked(ruleset, caller).verdict.rule == "dno"
    assert asked(ruleset, caller, lists__callee=("dnc",)).verdict.rule == "default"


def test_an_emergency_call_passes_whatever_is_said(ruleset: Ruleset) -> None:
    found = asked(ruleset, replace(CALL, called="911", caller="+12025550111"), lists__shown=("dno",))
    assert (found.verdict.rule, found.screening.emergency, found.rules) == ("emergency", "dialled_911", ())


def test_a_certificate_that_is_not_at_hand_is_not_waited_for(ruleset: Ruleset) -> None:
    token = passport("12025550100", "12125550123", new_key(), "https://cr.example/a.pem", iat=int(AT))
    found = asked(ruleset, replace(CALL, identity=(identity_value(token, "https://cr.example/a.pem"),)))
    assert found.screening.findings["identity"].reason == NOT_AT_HAND
    assert found.verdict.action == "allow"
