"""Verdicts: first match, continue, report, rollout, last days, failed checks."""

from __future__ import annotations

import pytest

from sipguard.screening.finding import FactValue
from sipguard.screening.policy.compile import CompiledPolicy, blocked_reason
from sipguard.screening.policy.decide import Pending, decide, trace
from sipguard.screening.policy.model import Redress
from sipguard.screening.policy.predicates import FAILED, FALSE, Glob
from sipguard.screening.verdict import Label, Verdict
from tests.screening.policy.words import CARRIER, COSTS, CUSTOMER, compiled

ALL_RAN = dict.fromkeys(COSTS, FALSE)
BASE: dict[str, FactValue] = {"trunk.name": "carrier-a", "trunk.kind": "interconnect"}


def verdict(
    policy: CompiledPolicy, facts: dict[str, FactValue], caller: str = "12025550100", day: int = 20000
) -> Verdict:
    """The verdict when all checks have run."""
    outcome = decide({**BASE, **facts}, ALL_RAN, policy, caller, day)
    assert isinstance(outcome, Verdict)
    return outcome


ORDER = """
rules:
  - {name: dno, when: {lists.shown: dno}, reject: dno}
  - {name: friend, when: {lists.caller: blocked}, allow: true, tag: friend}
  - {name: odd, when: {number.shown.class: n11}, reject: invalid}
"""


def test_the_first_rule_that_matches_decides() -> None:
    policy = compiled(ORDER)
    both: dict[str, FactValue] = {"lists.caller": ("blocked",), "number.shown.class": "n11"}
    assert verdict(policy, both).rule == "friend"
    assert verdict(policy, both).tags == ("friend",)
    assert verdict(policy, {**both, "lists.shown": ("dno",)}).rule == "dno"
    rejected = verdict(policy, {"number.shown.class": "n11"})
    assert (rejected.action, rejected.basis, rejected.status, rejected.phrase) == (
        "reject",
        "invalid",
        404,
        "Not Found",
    )
    assert rejected.matched == ("odd",)
    assert (verdict(policy, {}).action, verdict(policy, {}).rule) == ("allow", "default")


def test_a_pending_rule_holds_back_those_below_it() -> None:
    policy = compiled(ORDER)
    first = decide(BASE | {"number.shown.class": "n11"}, {"number": FALSE}, policy, "", 0)
    assert isinstance(first, Pending)
    assert first.check == "lists"


def test_the_cheapest_check_is_asked_first() -> None:
    policy = compiled(
        "rules: [{name: a, when: {identity.result: failed, lists.shown: dno, number.shown.class: n11}, reject: dno}]"
    )
    facts: dict[str, FactValue] = dict(BASE)
    asked: dict[str, int] = {}
    order = []
    for check, found in (("number", "n11"), ("lists", ("dno",)), ("identity", "failed")):
        outcome = decide(facts, asked, policy, "", 0)
        assert isinstance(outcome, Pending)
        order.append(outcome.check)
        name = {"number": "number.shown.class", "lists": "lists.shown", "identity": "identity.result"}[check]
        facts[name] = found
        asked[check] = FALSE
    assert order == ["number", "lists", "identity"]
    assert isinstance(decide(facts, asked, policy, "", 0), Verdict)


def test_a_false_part_spares_the_dear_check() -> None:
    policy = compiled("rules: [{name: a, when: {identity.result: failed, lists.shown: dno}, reject: dno}]")
    assert isinstance(decide({**BASE, "lists.shown": ()}, {"lists": FALSE}, policy, "", 0), Verdict)


CONTINUES = """
rules:
  - name: one
    when: {lists.shown: own_numbers}
    tag: [a, b]
    label: {prefix: "ONE ", max: 15, headers: {X-A: "1"}}
    continue: true
  - name: two
    when: {lists.caller: blocked}
    tag: [b, c]
    label: {prefix: "TWO ", headers: {x-a: "2", X-B: "{identity.attest}"}}
    continue: true
  - {name: watched, when: {lists.callee: dnc}, mode: report, reject: contract}
  - {name: last, when: {identity.result: failed}, label: {prefix: "LAST "}}
  - {name: stop, when: {lists.pair: subscriber_block}, reject: subscriber}
"""


def test_continuing_rules_add_up() -> None:
    found = verdict(
        compiled(CONTINUES),
        {
            "lists.shown": ("own_numbers",),
            "lists.caller": ("blocked",),
            "lists.callee": ("dnc",),
            "identity.attest": "B",
        },
    )
    assert (found.action, found.rule) == ("label", "one")
    assert (found.tags, found.matched, found.reported) == (("a", "b", "c"), ("one", "two"), ("watched",))
    label = found.label
    assert label is not None
    assert (label.prefix, label.max) == ("ONE ", 15)
    assert label.header_lines({"identity.attest": "B"}, "id-1") == ["X-A: 1", "X-B: B"]


def test_a_rejection_after_continuing_rules_drops_their_label() -> None:
    found = verdict(compiled(CONTINUES), {"lists.shown": ("own_numbers",), "lists.pair": ("subscriber_block",)})
    assert (found.action, found.rule, found.status, found.label) == ("reject", "stop", 607, None)
    assert (found.tags, found.matched) == (("a", "b"), ("one", "stop"))


def test_a_label_that_ends_the_rules_names_itself() -> None:
    found = verdict(compiled(CONTINUES), {"identity.result": "failed"})
    assert (found.action, found.rule, found.label.prefix if found.label else "") == ("label", "last", "LAST ")


def test_a_rule_in_report_mode_only_reports() -> None:
    found = verdict(compiled(CONTINUES), {"lists.callee": ("dnc",)})
    assert (found.action, found.rule, found.reported, found.matched) == ("allow", "default", ("watched",), ())


@pytest.mark.parametrize("rollout", [0, 25, 100])
def test_a_rollout_holds_for_a_share_of_callers_and_is_stable(rollout: int) -> None:
    policy = compiled(f"rules: [{{name: a, when: {{lists.shown: dno}}, reject: dno, rollout: {rollout}%}}]")
    callers = [f"1202555{number:04}" for number in range(2000)]
    facts: dict[str, FactValue] = {"lists.shown": ("dno",)}
    hit = [caller for caller in callers if verdict(policy, facts, caller).action == "reject"]
    assert hit == [caller for caller in callers if verdict(policy, facts, caller).action == "reject"]
    assert abs(len(hit) - 20 * rollout) <= (80 if rollout == 25 else 0)


def test_a_rule_acts_until_its_last_day() -> None:
    policy = compiled("rules: [{name: a, when: {identity.result: failed}, reject: contract, until: 2027-01-31}]")
    facts: dict[str, FactValue] = {"identity.result": "failed"}
    assert verdict(policy, facts, day=20849).action == "reject"
    assert verdict(policy, facts, day=20850).action == "allow"
    assert isinstance(decide(BASE, {}, policy, "", 20850), Verdict), "an expired rule must not ask a check"


def test_a_failed_check_matches_nothing_not_even_under_not() -> None:
    policy = compiled(
        """
rules:
  - {name: plain, when: {identity.result: none}, reject: contract}
  - {name: negated, when: {not: {identity.result: passed}}, reject: contract}
  - {name: either, when: {any: [{identity.result: failed}, {lists.shown: dno}]}, reject: dno}
"""
    )
    asked = {**ALL_RAN, "identity": FAILED}
    found = decide({**BASE, "lists.shown": ("dno",)}, asked, policy, "", 0)
    assert isinstance(found, Verdict)
    assert found.rule == "either"
    other = decide({**BASE, "lists.shown": ()}, asked, policy, "", 0)
    assert isinstance(other, Verdict)
    assert other.rule == "default"


def test_a_fact_that_a_check_did_not_give_is_absent() -> None:
    policy = compiled("rules: [{name: a, when: {not: {identity.attest: A}}, reject: contract}]")
    assert verdict(policy, {}).rule == "a"
    assert verdict(policy, {"identity.attest": None}).rule == "a"


AUTO = [
    ({"identity.result": "none", "identity.status": 428}, 428, "Use Identity Header"),
    ({"identity.result": "unsupported", "identity.status": 428}, 428, "Use Supported PASSporT Format"),
    ({"identity.result": "failed", "identity.status": 403}, 403, "Stale Date"),
    ({"identity.result": "failed", "identity.status": 436}, 436, "Bad Identity Info"),
    ({"identity.result": "failed", "identity.status": 437}, 437, "Unsupported Credential"),
    ({"identity.result": "failed", "identity.status": 438}, 438, "Invalid Identity Header"),
    ({"identity.result": "passed", "identity.status": None}, 403, "Forbidden"),
]


@pytest.mark.parametrize(("facts", "status", "phrase"), AUTO, ids=[f"{s} {p}" for _, s, p in AUTO])
def test_auto_answers_what_the_verification_says(facts: dict[str, FactValue], status: int, phrase: str) -> None:
    policy = compiled(
        "rules: [{name: a, when: {identity.result: [passed, failed, none, unsupported]}, reject: identity}]"
    )
    found = verdict(policy, facts)
    assert (found.status, found.phrase, found.goes_on, found.matched) == (status, phrase, False, ("a",))


@pytest.mark.parametrize(
    "text", ["rules: [{name: a, when: {lists.shown: dno}, reject: identity}]", "default: reject identity"]
)
def test_auto_waits_for_the_verification_that_no_condition_asks_for(text: str) -> None:
    policy = compiled(text)
    facts: dict[str, FactValue] = {**BASE, "lists.shown": ("dno",)}
    first = decide(facts, {"lists": FALSE}, policy, "", 0)
    assert isinstance(first, Pending) and first.check == "identity"
    found = decide({**facts, "identity.status": 438}, {"lists": FALSE, "identity": FALSE}, policy, "", 0, first)
    assert isinstance(found, Verdict) and found.status == 438
    failed = decide(facts, {"lists": FALSE, "identity": FAILED}, policy, "", 0, first)
    assert isinstance(failed, Verdict) and failed.status == 403


def test_analytics_is_answered_603_plus() -> None:
    found = verdict(
        compiled("rules: [{name: a, when: {lists.shown: dno}, reject: analytics}]"), {"lists.shown": ("dno",)}
    )
    assert (found.status, found.phrase) == (603, "Network Blocked")
    assert found.header_lines("3f2a-77") == [
        'Reason: Q.850;cause=21;text="v=analytics1;url=https://provider.example/redress;tel=+12025550100;'
        'id=3f2a-77";location=RLN'
    ]
    only = blocked_reason(Redress(email="redress@provider.example"), "LN")
    assert only == 'Reason: Q.850;cause=21;text="v=analytics1;email=redress@provider.example;id={id}";location=LN'


def test_redirects() -> None:
    policy = compiled(
        """
rules:
  - {name: mail, when: {lists.shown: dno}, redirect: {contact: "sip:mail@pbx.example"}}
  - {name: away, when: {lists.caller: blocked}, redirect: {route: core}, label: {prefix: "X "}}
"""
    )
    mail = verdict(policy, {"lists.shown": ("dno",)})
    assert (mail.action, mail.status, mail.headers) == ("redirect", 302, ("Contact: <sip:mail@pbx.example>",))
    away = verdict(policy, {"lists.caller": ("blocked",)})
    assert (away.action, away.status, away.goes_on) == ("redirect", 0, True)
    assert away.redirect is not None and away.redirect.route == "core"
    assert away.label is not None and away.label.prefix == "X "


def test_rules_that_cannot_match_on_a_trunk_are_gone_there() -> None:
    text = """
define: {outside: {trunk.kind: [interconnect, gateway]}}
rules:
  - {name: outside, when: {is: outside, lists.shown: dno}, reject: dno}
  - {name: inside, when: {trunk.kind: origination, identity.result: failed}, reject: contract}
  - {name: named, on: [customer-b], reject: contract}
  - {name: not-here, when: {not: {is: outside}, lists.caller: blocked}, reject: contract}
"""
    here, there = compiled(text, CARRIER), compiled(text, CUSTOMER)
    assert [rule.name for rule in here.steps] == ["outside"]
    assert here.checks == ("lists",)
    assert [rule.name for rule in there.steps] == ["inside", "named", "not-here"]
    outcomes = {each.rule: each.outcome for each in trace(BASE, ALL_RAN, here, "", 0)}
    assert outcomes == {
        "outside": "no_match",
        "inside": "other_trunks",
        "named": "other_trunks",
        "not-here": "other_trunks",
    }


def test_a_trace_says_what_became_of_each_rule() -> None:
    facts: dict[str, FactValue] = {
        **BASE,
        "lists.shown": ("own_numbers",),
        "lists.caller": (),
        "lists.callee": ("dnc",),
        "lists.pair": (),
    }
    outcomes = trace(facts, {"lists": FALSE, "identity": FAILED}, compiled(CONTINUES), "", 0)
    assert [(each.rule, each.outcome) for each in outcomes] == [
        ("one", "matched"),
        ("two", "no_match"),
        ("watched", "reported"),
        ("last", "failed"),
        ("stop", "no_match"),
    ]
    assert outcomes[3].facts == {"identity.result": "failed"}
    early = trace(BASE, {}, compiled(CONTINUES), "", 0)
    assert [each.outcome for each in early] == ["pending"] + ["not_reached"] * 4
    assert early[0].facts == {"lists.shown": "not_asked"}


def test_header_templates_drop_what_would_end_a_line() -> None:
    label = Label(headers=(("X-Host", "{identity.x5u_host}/{identity.spc}/{id}/{lists.shown}"),))
    facts: dict[str, FactValue] = {"identity.x5u_host": "a\r\nVia: b", "identity.spc": ("1", "2")}
    assert label.header_lines(facts, "d-1") == ["X-Host: aVia: b/1,2/d-1/"]


GLOBS = [
    ("*.example", "a.example", True),
    ("*.example", ".example", True),
    ("*.example", "example", False),
    ("a*", "a", True),
    ("a*b*c", "abc", True),
    ("a*b*c", "acb", False),
    ("ab*ba", "aba", False),
    ("*", "", True),
    ("**", "x", True),
    ("a*a", "a", False),
]


@pytest.mark.parametrize(("pattern", "text", "fits"), GLOBS, ids=[f"{p} {t}" for p, t, _ in GLOBS])
def test_globs(pattern: str, text: str, fits: bool) -> None:
    assert Glob(pattern).fits(text) is fits
