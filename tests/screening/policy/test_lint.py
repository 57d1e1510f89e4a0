"""What is odd about a policy, and that nothing is said of one that is not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from ruamel.yaml import YAML

from sipguard.screening.checks import ALL_FACTS
from sipguard.screening.finding import FactSpec, FactValue
from sipguard.screening.policy.lint import Remark, Surroundings, lint
from sipguard.screening.policy.model import Condition, Redress, Vocabulary
from sipguard.screening.policy.read import read_policy
from sipguard.settings.zones import MachineZones
from tests.screening.policy import naive
from tests.screening.policy.drawn import CHECKS, FACTS, RULES, call_of, document_of, policy_of
from tests.screening.policy.words import WORDS, plain, read

TODAY = 20_783  # 2026-11-26
AROUND = Surroundings(TODAY, trunks={"carrier-a": "interconnect", "customer-b": "origination", "core": "interconnect"})

CLOCKS = replace(WORDS, zones=MachineZones())


def remarks(rules: str, around: Surroundings = AROUND, words: Vocabulary = WORDS) -> list[Remark]:
    policy, problems = read(rules, words)
    assert problems == []
    return lint(policy, plain(rules), words, around)


ODD = [
    ("{name: b, when: {lists.shown: dno, identity.result: failed}, reject: dno}", "has matched above, in a", True),
    ("{name: b, when: {lists.shown: dno}, mode: report, reject: dno}", "has matched above, in a", True),
    ("{name: b, when: {lists.shown: dno}, on: carrier-a, reject: dno}", "has matched above, in a", True),
    ("{name: b, when: {lists.shown: dno, not: {lists.shown: dno}}, reject: dno}", "exclude each other", True),
    ("{name: b, when: {all: [{call.anonymous: true}, {call.anonymous: false}]}, allow: true}", "exclude", True),
    ("{name: b, when: {identity.attest: A}, allow: true, until: 2026-11-25}", "its last day was 2026-11-25", True),
    ("{name: b, when: {identity.attest: A}, allow: true, rollout: 0%}", "acts for no caller", False),
    ("{name: b, when: {identity.attest: A}, reject: analytics}", "every caller that analytics finds", False),
    ("{name: b, when: {trunk.kind: gateway}, allow: true}", "no trunk of this configuration", False),
    ("{name: b, when: {trunk.kind: origination}, on: carrier-a, allow: true}", "no trunk of this", False),
    ("{name: b, when: {rate.caller.attempts_1h: 60}, mode: report, reject: analytics}", "at exactly 60 only", True),
    ("{name: b, when: {rate.caller.attempts_1h: {over: -5}}, allow: true}", "wherever there is a", True),
    ("{name: b, when: {any: [{not: {trunk.kind: gateway, identity.attest: A}}]}, allow: true}", "only one of", True),
    ('{name: b, when: {identity.attest: A}, label: {prefix: "SPAM?"}}', "runs into the name", False),
    ("{name: b, when: {lists.callee: dnc}, reject: contract}", "list dnc has no entry", False),
]


@pytest.mark.parametrize(
    ("document", "path", "becomes"),
    [
        ("{}", (), "every call passes"),
        ("rules: []", ("rules",), "every call passes"),
        ("rules:", ("rules",), "every call passes"),
        ("{rules: [], default: reject contract}", ("rules",), "every call is rejected on the basis contract"),
    ],
)
def test_a_policy_without_rules_is_told(document: str, path: tuple[str, ...], becomes: str) -> None:
    written = YAML(typ="safe").load(document)
    policy, problems = read_policy(written, WORDS)
    assert problems == []
    first = lint(policy, written, WORDS, AROUND)[0]
    assert (first.path, first.what, first.mistake) == (path, f"no rule stands here: {becomes}", True)


def test_bounds_beyond_all_there_is_are_not_said_to_hold_of_nothing() -> None:
    words = replace(WORDS, facts=ALL_FACTS)
    rules = "rules: [{name: a, when: {rate.caller.attempts_1h: {over: -5}}, allow: true}]"
    assert not [each for each in remarks(rules, words=words) if "no call can match" in each.what]
    below = "rules: [{name: a, when: {rate.caller.attempts_1h: {under: -5}}, allow: true}]"
    assert [each.mistake for each in remarks(below, words=words) if "no call can match" in each.what] == [True]


@pytest.mark.parametrize(("rule", "what", "mistake"), ODD, ids=[rule for rule, _, _ in ODD])
def test_what_is_odd_about_a_rule(rule: str, what: str, mistake: bool) -> None:
    first = "{name: a, when: {lists.shown: dno}, reject: dno}"
    found = remarks(f"rules: [{first}, {rule}]", replace(AROUND, empty_lists=frozenset({"dnc"})))
    assert [remark.mistake for remark in found] == [mistake]
    assert what in found[0].what
    assert found[0].path[:2] == ("rules", 1)


@pytest.mark.parametrize(
    "rule",
    [
        "{name: a, when: {rate.caller.attempts_1h: {at_least: 60, at_most: 60}}, mode: report, reject: analytics}",
        "{name: a, when: {not: {all: [{trunk.kind: interconnect}, {identity.attest: A}]}}, allow: true}",
        "{name: a, when: {not: {any: [{trunk.kind: interconnect}, {identity.attest: A}]}}, allow: true}",
        "{name: a, when: {identity.status: 403}, allow: true}",
        '{name: a, when: {identity.attest: A}, label: {prefix: "SPAM? "}}',
    ],
)
def test_nothing_is_said_of_what_says_what_it_means(rule: str) -> None:
    assert remarks(f"rules: [{rule}]") == []


def test_a_definition_that_reads_otherwise_is_told_with_the_cure() -> None:
    policy = """
define: {theirs: {not: {lists.caller: trunk_numbers, lists.diverting: trunk_numbers}}}
rules: [{name: a, when: {is: theirs}, reject: contract}]
"""
    (found,) = remarks(policy)
    assert found.path == ("define", "theirs", "not")
    assert found.hint.startswith("write not: {any: [{lists.caller: ...}, {lists.diverting: ...}]} for none of them")


def test_a_rule_on_a_list_that_nobody_imported_is_told() -> None:
    rule = "{name: a, when: {trunk.kind: telemarketing, not: {lists.callee: dnc}}, reject: contract}"
    around = replace(AROUND, missing_lists=frozenset({"dnc"}))
    found = [remark.what for remark in remarks(f"rules: [{rule}]", around)]
    assert any(what.startswith("nothing was imported as dnc yet: no condition on it holds") for what in found)


def test_a_rule_on_numbers_not_to_call_wants_lists_of_them() -> None:
    words = replace(WORDS, facts=(*WORDS.facts, FactSpec("rate.trunk.dnc_ratio_1h", "number", "share")))
    rules = "rules: [{name: a, when: {rate.trunk.dnc_ratio_1h: {over: 0.2}}, mode: report, reject: analytics}]"
    assert remarks(rules, words=words) == []
    (found,) = remarks(rules, replace(AROUND, do_not_call=False), words)
    assert (found.path, found.mistake) == (("rules", 0, "when"), False)
    assert found.what.startswith("a list of checks.rate.do_not_call is missing")


FINE = [
    "{name: a, when: {lists.shown: dno}, mode: report, reject: dno}",
    "{name: a, when: {lists.shown: dno}, rollout: 50%, reject: dno}",
    "{name: a, when: {lists.shown: dno}, until: 2027-01-31, reject: dno}",
    "{name: a, when: {lists.shown: dno}, tag: x, continue: true}",
    "{name: a, when: {lists.shown: dno}, on: carrier-a, reject: dno}",
    "{name: a, when: {lists.shown: dno, identity.result: failed}, reject: dno}",
    # matches every call unless its check fails
    "{name: a, when: {any: [{identity.attest: A}, {not: {identity.attest: A}}]}, allow: true}",
]


@pytest.mark.parametrize("rule", FINE)
def test_a_rule_that_leaves_calls_to_the_next_shadows_nothing(rule: str) -> None:
    assert remarks(f"rules: [{rule}, {{name: b, when: {{lists.shown: dno}}, reject: dno}}]") == []


def test_a_rule_that_is_other_on_one_trunk_shadows_nothing() -> None:
    first = "{name: a, when: {lists.shown: dno}, reject: dno}"
    rules = f"rules: [{first}, {{name: b, when: {{lists.shown: dno}}, reject: dno}}]"
    assert remarks(f"{rules}\noverrides: {{customer-b: {{a: off}}}}") == []


NEW_YORK = "zone: America/New_York"
TIMED: list[tuple[str, str, str]] = [  # condition of a, of b, what b is told
    (f'{NEW_YORK}, inside: "08:00-21:00"', f'{NEW_YORK}, inside: "09:00-20:00"', "has matched above, in a"),
    (f'{NEW_YORK}, inside: "09:00-20:00"', f'{NEW_YORK}, inside: "08:00-21:00"', ""),
    (f"{NEW_YORK}, days: [mon-fri]", f'{NEW_YORK}, days: tue, inside: "08:00-12:00"', "has matched above, in a"),
    (f'{NEW_YORK}, days: mon, inside: "21:00-08:00"', f'{NEW_YORK}, days: tue, inside: "00:00-07:00"', "in a"),
    (f'{NEW_YORK}, days: mon, inside: "21:00-08:00"', f'{NEW_YORK}, days: tue, inside: "00:00-09:00"', ""),
    (f'{NEW_YORK}, inside: "08:00-21:00"', 'zone: America/Chicago, inside: "09:00-10:00"', ""),
    ('zone: callee, outside: "08:00-21:00"', 'zone: callee, outside: "07:00-22:00"', "has matched above, in a"),
    ('zone: callee, outside: "07:00-22:00"', 'zone: callee, outside: "08:00-21:00"', ""),
    (f'{NEW_YORK}, dates: "12-25"', f"{NEW_YORK}, dates: 2026-12-25", "has matched above, in a"),
    (f"{NEW_YORK}, dates: 2026-12-24", f"{NEW_YORK}, dates: [2026-12-24, 2026-12-25]", ""),
]


@pytest.mark.parametrize(("above", "below", "what"), TIMED)
def test_windows_of_one_zone_are_compared(above: str, below: str, what: str) -> None:
    found = remarks(
        f"rules: [{{name: a, when: {{time: {{{above}}}}}, allow: true}}, "
        f"{{name: b, when: {{time: {{{below}}}, lists.shown: dno}}, reject: dno}}]",
        words=CLOCKS,
    )
    assert [what in remark.what for remark in found] == ([True] if what else [])


NEVER = [
    (f'{{time: {{{NEW_YORK}, inside: "08:00-12:00"}}}}, {{time: {{{NEW_YORK}, inside: "13:00-15:00"}}}}', "exclude"),
    (f"{{time: {{{NEW_YORK}, days: [mon-fri]}}}}, {{time: {{{NEW_YORK}, days: [sat, sun]}}}}", "exclude each other"),
    (f"{{time: {{{NEW_YORK}, dates: 2026-11-24}}}}", "never holds, since its dates are over"),
]


@pytest.mark.parametrize(("conditions", "what"), NEVER)
def test_windows_that_no_call_is_in(conditions: str, what: str) -> None:
    (found,) = remarks(f"rules: [{{name: a, when: {{all: [{conditions}]}}, reject: dno}}]", words=CLOCKS)
    assert what in found.what and found.mistake


def test_a_number_whose_zone_is_not_known_matches_neither_a_time_nor_its_contrary() -> None:
    day = '{time: {zone: callee, inside: "08:00-21:00"}}'
    last = "{name: c, when: {lists.shown: dno}, reject: dno}"
    rules = f"rules: [{{name: a, when: {day}, allow: true}}, {{name: b, when: {{not: {day}}}, allow: true}}, {last}]"
    assert remarks(rules, words=CLOCKS) == []


ON_TRUNKS = [
    ("on: carrier-a, when: {lists.shown: dno}", "on: customer-b, when: {lists.shown: dno}", "when: {lists.shown: dno}",
     "in a, b"),
    ("when: {trunk.name: carrier-a}", "when: {identity.attest: A}", "on: carrier-a, when: {lists.shown: dno}", "in a"),
    ("when: {trunk.kind: interconnect}", "when: {trunk.kind: origination}", "when: {lists.shown: dno}", "in a, b"),
    ("when: {trunk.kind: interconnect}", "when: {lists.caller: blocked}", "on: carrier-a, when: {lists.shown: dno}",
     "in a"),
    ("on: carrier-a, when: {lists.shown: dno}", "when: {lists.caller: blocked}", "when: {lists.shown: dno}", ""),
    ("when: {trunk.kind: interconnect}", "when: {lists.caller: blocked}", "when: {lists.shown: dno}", ""),
]  # fmt: skip


@pytest.mark.parametrize(("a", "b", "c", "what"), ON_TRUNKS)
def test_what_trunks_there_are_counts(a: str, b: str, c: str, what: str) -> None:
    found = remarks(
        f"rules: [{{name: a, {a}, allow: true}}, {{name: b, {b}, allow: true}}, {{name: c, {c}, reject: dno}}]",
        replace(AROUND, trunks={"carrier-a": "interconnect", "customer-b": "origination"}),
    )
    assert [remark.what for remark in found] == ([f"every call that matches has matched above, {what}"] if what else [])


OVERRIDDEN = [
    ("on: carrier-a, ", "carrier-a: {b: off}", "or the rule is off there"),
    ("on: carrier-a, ", "customer-b: {b: report}", "is not asked about calls of trunk customer-b in any case"),
    ("on: carrier-a, ", "customer-b: {a: off}", "has matched above, in a"),
    ("", "carrier-a: {a: enforce}", ""),
]


@pytest.mark.parametrize(("on", "override", "what"), OVERRIDDEN)
def test_what_is_other_on_a_trunk_counts_there(on: str, override: str, what: str) -> None:
    mode = "mode: report, " if "enforce" in override else ""
    found = remarks(
        f"rules: [{{name: a, when: {{lists.shown: dno}}, {mode}reject: dno}}, "
        f"{{name: b, {on}when: {{lists.shown: dno}}, reject: dno}}]\noverrides: {{{override}}}"
    )
    assert any(what in remark.what for remark in found) if what else found == []


def test_a_number_has_bounds() -> None:
    bounded = (
        FactSpec("rate.trunk.short_ratio_1h", "number", "share", least=0.0, most=1.0),
        FactSpec("call.hour_utc", "number", "hour", least=0.0, most=23.0),
    )
    words = replace(WORDS, facts=(*(each for each in WORDS.facts if each.name != "call.hour_utc"), *bounded))
    for never in ("rate.trunk.short_ratio_1h: {over: 1}", "call.hour_utc: {over: 23}", "call.hour_utc: {under: 0}"):
        (found,) = remarks(f"rules: [{{name: a, when: {{{never}}}, reject: dno}}]", words=words)
        assert "no call can match" in found.what
    some = "rate.trunk.short_ratio_1h: {at_least: 1}, call.hour_utc: {over: 22}"
    assert remarks(f"rules: [{{name: a, when: {{{some}}}, reject: dno}}]", words=words) == []


def test_several_rules_together_may_leave_none_to_another() -> None:
    found = remarks(
        """
rules:
  - {name: other, when: {lists.caller: blocked}, reject: subscriber}
  - {name: low, when: {rate.caller.attempts_1h: {at_most: 10}}, allow: true}
  - {name: high, when: {rate.caller.attempts_1h: {over: 10}}, allow: true}
  - {name: b, when: {rate.caller.attempts_1h: {over: 5, under: 99}}, reject: contract}
"""
    )
    assert [remark.what for remark in found] == ["every call that matches has matched above, in low, high"]


def test_definitions_that_nobody_uses() -> None:
    text = """
define:
  one: {lists.shown: dno}
  two: {is: one}
  three: {lists.caller: blocked}
  signs: {lists.caller: blocked}
rules: [{name: a, when: {any: [{is: [two]}]}, reject: dno}]
"""
    found = remarks(text, replace(AROUND, used_elsewhere=frozenset({"signs"})))
    assert [(remark.path, remark.mistake) for remark in found] == [(("define", "three"), False)]


def test_who_rejects_and_names_nobody_to_complain_to() -> None:
    words = replace(WORDS, redress=Redress())
    found = remarks("rules: [{name: a, when: {lists.shown: dno}, reject: dno}]", words=words)
    assert [remark.path for remark in found] == [("rules",)]
    assert remarks("rules: [{name: a, when: {lists.shown: dno}, allow: true}]", words=words) == []


@given(RULES, FACTS, CHECKS)
@settings(max_examples=300, deadline=None)
def test_a_rule_that_is_called_unreachable_never_decides(
    rules: list[tuple[Condition, str]], facts: dict[str, FactValue], failed: set[str]
) -> None:
    policy = policy_of(rules)
    trunks = {"t": str(facts["trunk.kind"]), "other": "gateway"}
    for around in (Surroundings(0), Surroundings(0, trunks)):
        never = {remark.path[1] for remark in lint(policy, {}, WORDS, around) if remark.mistake or around.trunks}
        decided = naive.judge(document_of(policy), call_of(facts, frozenset(failed)))["rule"]
        assert decided not in {policy.rules[int(at)].name for at in never if isinstance(at, int)}
