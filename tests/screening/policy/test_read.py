"""Policies as operators write them: what is understood, and what each mistake says."""

from __future__ import annotations

import pickle

import pytest

from sipguard.screening.policy.errors import PolicyError, dotted
from sipguard.screening.policy.model import (
    AllOf,
    AnyOf,
    Compare,
    LabelSpec,
    Not,
    OneOf,
    Redress,
    Vocabulary,
)
from sipguard.screening.policy.read import errors_of
from tests.screening.policy.words import FACTS, LISTS, compiled, good, read

EXAMPLE = """
define:
  outside: {trunk.kind: [interconnect, gateway]}
  consented: {lists.pair: [consent, ebr]}
rules:
  - {name: ordered-stop, when: {lists.upstream: fcc_orders}, reject: order}
  - {name: dno, when: {lists.shown: dno}, reject: dno}
  - name: impossible-caller
    when: {is: outside, number.shown.class: [invalid_format, invalid_npa, n11]}
    reject: invalid
  - {name: subscriber-block, when: {lists.pair: subscriber_block}, reject: subscriber}
  - name: not-their-number
    when:
      trunk.kind: origination
      not: {any: [{lists.caller: trunk_numbers}, {lists.diverting: trunk_numbers}]}
    reject: contract
  - name: telemarketing-dnc
    when: {trunk.kind: telemarketing, lists.callee: dnc, not: {is: consented}}
    reject: contract
  - name: campaign
    when: {is: outside, rate.caller.attempts_1h: {over: 300}, rate.caller.short_ratio_1h: {over: 0.9}}
    mode: report
    rollout: 25%
    until: 2027-01-31
    reject: analytics
  - name: our-number-from-outside
    when: {is: outside, lists.shown: own_numbers, not: {identity.result: passed}}
    tag: own_number_outside
    label: {prefix: "SPAM? "}
    continue: true
  - name: unverified-or-reported
    when: {any: [{identity.result: failed}, {lists.caller: complaints_30d}]}
    label: {prefix: "SPAM? "}
default: allow
responses: {order: 403, dno: 403, invalid: 404, contract: 403, subscriber: 607, analytics: 603+}
"""


def test_the_example_of_a_provider_is_understood() -> None:
    policy = good(EXAMPLE)
    outside = OneOf("trunk.kind", ("interconnect", "gateway"))
    by_name = {rule.name: rule for rule in policy.rules}
    assert by_name["impossible-caller"].when == AllOf(
        (outside, OneOf("number.shown.class", ("invalid_format", "invalid_npa", "n11")))
    )
    either = AnyOf((OneOf("lists.caller", ("trunk_numbers",)), OneOf("lists.diverting", ("trunk_numbers",))))
    assert by_name["not-their-number"].when == AllOf((OneOf("trunk.kind", ("origination",)), Not(either)))
    campaign = by_name["campaign"]
    assert (campaign.report, campaign.rollout, campaign.until_day) == (True, 2500, 20849)
    assert campaign.when.parts[1] == Compare("rate.caller.attempts_1h", "over", 300.0)
    labelled = by_name["our-number-from-outside"]
    assert (labelled.label, labelled.tags, labelled.continues) == (
        LabelSpec("SPAM? "),
        ("own_number_outside",),
        True,
    )
    assert policy.responses["analytics"].plus


def test_a_policy_can_be_sent_between_processes() -> None:
    policy = good(EXAMPLE)
    assert pickle.loads(pickle.dumps(policy)) == policy


RULE = "rules:\n  - {name: one, when: %s, reject: dno}"
ACTION = "rules:\n  - {name: one, when: {lists.shown: dno}, %s}"

PROBLEMS = {
    "unknown fact": (RULE % "{lists.shwon: dno}", "rules[0].when.lists.shwon", "did you mean lists.shown?"),
    "unknown list": (RULE % "{lists.shown: dnoo}", "rules[0].when.lists.shown", "did you mean dno?"),
    "unknown list in a list": (
        RULE % "{lists.pair: [consent, erb]}",
        "rules[0].when.lists.pair[1]",
        "did you mean ebr?",
    ),
    "list bound elsewhere": (
        RULE % "{lists.shown: dnc}",
        "rules[0].when.lists.shown",
        "ask lists.callee, or add shown to lists.dnc.bind",
    ),
    "unknown kind of trunk": (
        RULE % "{trunk.kind: gatway}",
        "rules[0].when.trunk.kind",
        "did you mean gateway?",
    ),
    "unknown trunk": (RULE % "{trunk.name: carier-a}", "rules[0].when.trunk.name", "did you mean carrier-a?"),
    "unknown choice": (RULE % "{identity.attest: D}", "rules[0].when.identity.attest", "known are A, B, C"),
    "nothing defined": (
        RULE % "{is: outside}",
        "rules[0].when.is",
        "write define: {outside: {FACT: VALUE}}",
    ),
    "definition misspelt": (
        "define: {outside: {trunk.kind: gateway}}\n" + RULE % "{is: outsid}",
        "rules[0].when.is",
        "did you mean outside?",
    ),
    "circle": (
        "define:\n  a: {is: b}\n  b: {not: {is: a}}\n" + RULE % "{is: a}",
        "define.b.not.is",
        "take one of these out",
    ),
    "time of day": (
        RULE % "{time: {zone: callee}}",
        "rules[0].when.time",
        'such as {zone: callee, outside: "08:00-21:00"}',
    ),
    "number where text": (
        RULE % "{number.shown.npa: 202}",
        "rules[0].when.number.shown.npa",
        'write "202" in quotes',
    ),
    "text where number": (
        RULE % "{rate.caller.attempts_1h: many}",
        "rules[0].when.rate.caller.attempts_1h",
        "write a number, or a bound such as {over: 5}",
    ),
    "text where flag": (RULE % "{call.anonymous: maybe}", "rules[0].when.call.anonymous", "write true or false"),
    "yes where true": (RULE % "{call.anonymous: yes}", "rules[0].when.call.anonymous", "write true without quotes"),
    "false in quotes": (
        RULE % '{call.anonymous: "False"}',
        "rules[0].when.call.anonymous",
        "write false without quotes",
    ),
    "number in quotes": (
        RULE % '{identity.status: "437"}',
        "rules[0].when.identity.status",
        "write 437 without quotes",
    ),
    "number in quotes in a list": (
        RULE % '{identity.status: [403, "437"]}',
        "rules[0].when.identity.status[1]",
        "write 437 without quotes",
    ),
    "bound in quotes": (
        RULE % '{rate.caller.attempts_1h: {over: "3"}}',
        "rules[0].when.rate.caller.attempts_1h.over",
        "write 3 without quotes",
    ),
    "number that never is": (RULE % "{identity.status: 439}", "rules[0].when.identity.status", "did you mean 438?"),
    "unknown member of a set": (
        RULE % "{identity.reasons: [x5u_dns, certificate_revokd]}",
        "rules[0].when.identity.reasons[1]",
        "did you mean certificate_revoked?",
    ),
    "pattern that fits nothing": (
        RULE % '{identity.reasons: "certifcate_*"}',
        "rules[0].when.identity.reasons",
        "did you mean certificate_revoked?",
    ),
    "comparison of a text": (
        RULE % "{identity.result: {over: 3}}",
        "rules[0].when.identity.result",
        "write the value itself, as identity.result: VALUE",
    ),
    "unknown comparison": (
        RULE % "{rate.caller.attempts_1h: {exceeds: 3}}",
        "rules[0].when.rate.caller.attempts_1h.exceeds",
        "known are at_least, at_most, over, under",
    ),
    "bound is no number": (
        RULE % "{rate.caller.attempts_1h: {over: lots}}",
        "rules[0].when.rate.caller.attempts_1h.over",
        "write a number",
    ),
    "all without list": (
        RULE % "{all: {lists.shown: dno}}",
        "rules[0].when.all",
        "such as all: [{lists.shown: dno}, {lists.caller: blocked}]",
    ),
    "empty condition": (RULE % "{}", "rules[0].when", "leave out the rule or name a fact"),
    "empty values": (
        RULE % "{lists.shown: []}",
        "rules[0].when.lists.shown",
        "write what is wanted into it, or take the fact out",
    ),
    "no condition": (RULE % "soon", "rules[0].when", "such as {lists.shown: dno}"),
    "all calls": (
        RULE % "always",
        "rules[0].when",
        "for all calls of a trunk write on: [TRUNK] and no when; for all calls default:",
    ),
    "missing when": (
        "rules: [{name: one, reject: dno}]",
        "rules[0]",
        "for all calls of a trunk write on: [TRUNK], for all calls default:",
    ),
    "missing name": (
        "rules: [{when: {lists.shown: dno}, reject: dno}]",
        "rules[0]",
        "write name: NAME; it stands in records, reports and metrics",
    ),
    "odd name": (
        'rules: [{name: "one rule", when: {lists.shown: dno}, reject: dno}]',
        "rules[0].name",
        "write one-rule",
    ),
    "reserved name": (
        "rules: [{name: emergency, when: {lists.shown: dno}, reject: dno}]",
        "rules[0].name",
        "choose another name",
    ),
    "second of a name": (
        "rules: [{name: a, when: {lists.shown: dno}, reject: dno}, {name: a, on: [core], reject: dno}]",
        "rules[1].name",
        "give one of them another name",
    ),
    "unknown rule key": (ACTION % "reject: dno, lable: {prefix: x}", "rules[0].lable", "did you mean label?"),
    "unknown top key": ("rule: []", "rule", "did you mean rules?"),
    "unknown basis": (ACTION % "reject: contrct", "rules[0].reject", "did you mean contract?"),
    "code instead of basis": (
        ACTION % "reject: 603",
        "rules[0].reject",
        "write one of order, dno, invalid, contract, subscriber, anonymous, analytics, identity, unscreened, "
        "and the answer beside rules, in responses: {BASIS: 603}",
    ),
    "two actions": (ACTION % "reject: dno, allow: true", "rules[0].allow", "take one of them out"),
    "label on a rejection": (ACTION % "reject: dno, label: {prefix: x}", "rules[0].label", "take one of them out"),
    "rejection continues": (ACTION % "reject: dno, continue: true", "rules[0].continue", "take one of them out"),
    "nothing to do": (ACTION % "mode: report", "rules[0]", "write reject, redirect, allow, label or tag"),
    "tag alone": (
        ACTION % "tag: odd",
        "rules[0]",
        "write continue: true to go on with the rules, or allow: true",
    ),
    "unknown mode": (ACTION % "reject: dno, mode: reprt", "rules[0].mode", "did you mean report?"),
    "no share": (ACTION % "reject: dno, rollout: 25", "rules[0].rollout", "write 25%"),
    "too large a share": (ACTION % "reject: dno, rollout: 250%", "rules[0].rollout", "write 25%"),
    "no date": (ACTION % "reject: dno, until: soon", "rules[0].until", "write 2027-01-31"),
    "rule for no trunk": (
        ACTION % "reject: dno, on: [carrier-b]",
        "rules[0].on[0]",
        "did you mean carrier-a?",
    ),
    "redirect to nowhere": (
        ACTION % "redirect: {route: croe}",
        "rules[0].redirect.route",
        "did you mean core?",
    ),
    "redirect without peers": (
        ACTION % "redirect: {route: customer-b}",
        "rules[0].redirect.route",
        "known are core",
    ),
    "contact is no URI": (
        ACTION % "redirect: {contact: voicemail}",
        "rules[0].redirect.contact",
        "such as sip:voicemail@pbx.example",
    ),
    "quote in prefix": (
        ACTION % """label: {prefix: 'a"b'}""",
        "rules[0].label.prefix",
        "without quotes and backslashes within",
    ),
    "line end in header": (
        ACTION % r'label: {headers: {X-A: "a\r\nVia: b"}}',
        "rules[0].label.headers.X-A",
        "facts stand in braces, such as {identity.attest}",
    ),
    "header of the dialog": (
        ACTION % "label: {headers: {Via: x}}",
        "rules[0].label.headers.Via",
        "write another header",
    ),
    "unknown fact in header": (
        ACTION % 'label: {headers: {X-A: "{identity.atest}"}}',
        "rules[0].label.headers.X-A",
        "did you mean identity.attest?",
    ),
    "unknown label key": (ACTION % "label: {prefx: x}", "rules[0].label.prefx", "did you mean prefix?"),
    "unknown default": (
        "default: deny",
        "default",
        "write default: reject BASIS, one of "
        "order, dno, invalid, contract, subscriber, anonymous, analytics, identity, unscreened",
    ),
    "rules are no list": (
        "rules: {name: one}",
        "rules",
        "write - name: one, and its other keys in the column of name",
    ),
}


@pytest.mark.parametrize(("text", "path", "hint"), PROBLEMS.values(), ids=PROBLEMS)
def test_one_mistake_makes_one_problem(text: str, path: str, hint: str) -> None:
    _, problems = read(text)
    assert [(dotted(problem.path), problem.hint) for problem in problems] == [(path, hint)]


def test_all_mistakes_are_shown_at_once() -> None:
    text = """
define: {outside: {trunk.kind: gatway}}
rules:
  - {name: a, when: {lists.shwon: dno}, reject: dno}
  - {name: a, when: {is: outsid}, reject: dnoo}
default: deny
responses: {dno: 603+}
"""
    _, problems = read(text)
    assert {dotted(problem.path) for problem in errors_of(problems)} == {
        "responses.dno",
        "define.outside.trunk.kind",
        "rules[0].when.lists.shwon",
        "rules[1].name",
        "rules[1].when.is",
        "rules[1].reject",
        "default",
    }
    assert "rules[0].when.lists.shwon: unknown fact lists.shwon; did you mean" in str(PolicyError(problems))


def test_analytics_needs_a_redress_contact() -> None:
    words = Vocabulary(facts=FACTS, lists=LISTS, redress=Redress())
    _, problems = read(ACTION % "reject: analytics", words)
    assert [dotted(problem.path) for problem in problems] == ["rules[0].reject"]


@pytest.mark.parametrize("text", ["[]", "5", "text"])
def test_what_is_no_map_is_no_policy(text: str) -> None:
    assert len(read(text)[1]) == 1


GOOD_VALUES = {
    "glob": (
        "{identity.x5u_host: ['*.example', cert.test]}",
        OneOf("identity.x5u_host", ("cert.test",), ("*.example",)),
    ),
    "flag": ("{call.anonymous: true}", OneOf("call.anonymous", (True,))),
    "number": ("{rate.caller.attempts_1h: 5}", OneOf("rate.caller.attempts_1h", (5,))),
    "two bounds": (
        "{rate.caller.attempts_1h: {over: 3, at_most: 9}}",
        AllOf(
            (
                Compare("rate.caller.attempts_1h", "over", 3.0),
                Compare("rate.caller.attempts_1h", "at_most", 9.0),
            )
        ),
    ),
    "several definitions": (
        "{is: [a, b]}",
        AnyOf((OneOf("lists.shown", ("dno",)), OneOf("lists.caller", ("blocked",)))),
    ),
}


@pytest.mark.parametrize(("when", "condition"), GOOD_VALUES.values(), ids=GOOD_VALUES)
def test_values_of_conditions(when: str, condition: object) -> None:
    text = "define: {a: {lists.shown: dno}, b: {lists.caller: blocked}}\n" + RULE % when
    assert good(text).rules[0].when == condition


def test_a_default_may_reject() -> None:
    assert good("default: reject contract").default_basis == "contract"
    assert good("default: {reject: contract}").default_basis == "contract"
    assert good("default: allow").default_basis == ""


OTHER = [
    ("carrier-a: {a: report}", ("report", 10_000, None)),
    ("carrier-a: {a: off}", ("off", 10_000, None)),
    ("carrier-a: {a: {mode: enforce, rollout: 5%, until: 2027-01-31}}", ("enforce", 500, 20849)),
    ("customer-b: {a: off}", ("enforce", 10_000, None)),
]


@pytest.mark.parametrize(("written", "expected"), OTHER, ids=[written for written, _ in OTHER])
def test_a_rule_may_be_other_on_one_trunk(written: str, expected: tuple[str, int, int | None]) -> None:
    rules = "rules: [{name: a, when: {lists.shown: dno}, reject: dno}]"
    (rule,) = compiled(f"{rules}\noverrides: {{{written}}}").rules
    mode = "off" if rule.test is None else "report" if rule.report else "enforce"
    assert (mode, rule.rollout, rule.until_day) == expected


def test_a_rule_that_reports_on_one_trunk_counts_as_one_that_reports() -> None:
    rules = "rules: [{name: a, when: {lists.shown: dno}, reject: dno}]"
    assert good(rules).reporting() == frozenset()
    assert good(f"{rules}\noverrides: {{carrier-a: {{a: report}}}}").reporting() == {"a"}


WRONG_OVERRIDES = [
    ("carrier-x: {a: off}", "overrides.carrier-x: carrier-x is no trunk; did you mean carrier-a?"),
    ("carrier-a: {aa: off}", "overrides.carrier-a.aa: aa is no rule; did you mean a?"),
    ("carrier-a: {a: of}", "overrides.carrier-a.a: unknown mode of; did you mean off?"),
    ("carrier-a: {a: {mod: off}}", "overrides.carrier-a.a.mod: unknown key mod; did you mean mode?"),
    ("carrier-a: {a: {rollout: 5}}", "overrides.carrier-a.a.rollout: 5 is no share of callers; write 25%"),
    ("carrier-a: [a]", "overrides.carrier-a: must map rules to what is other; such as {dno: report}"),
]


@pytest.mark.parametrize(("written", "told"), WRONG_OVERRIDES, ids=[written for written, _ in WRONG_OVERRIDES])
def test_what_is_wrong_with_an_override(written: str, told: str) -> None:
    rules = "rules: [{name: a, when: {lists.shown: dno}, reject: dno}]"
    _, problems = read(f"{rules}\noverrides: {{{written}}}")
    assert [str(problem) for problem in problems] == [told]
