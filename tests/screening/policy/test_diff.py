"""What changes from one policy to another, in words, and calls that are judged otherwise."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipguard.screening.finding import FactValue
from sipguard.screening.policy.compile import compile_policy
from sipguard.screening.policy.decide import decide
from sipguard.screening.policy.diff import Change, differences
from sipguard.screening.policy.model import Condition, Policy
from sipguard.screening.policy.predicates import FALSE
from sipguard.screening.trunk import Trunk
from sipguard.screening.verdict import Verdict
from sipguard.settings.zones import MachineZones
from tests.screening.policy.drawn import CONDITIONS, FACTS, RULES, policy_of, told
from tests.screening.policy.words import CARRIER, COSTS, CUSTOMER, good
from tests.screening.policy.words import FACTS as SPECS
from tests.screening.policy.words import WORDS as WORDS_OF_POLICIES

OLD = """
rules:
  - {name: dno, when: {lists.shown: dno}, reject: dno}
  - {name: burst, when: {trunk.kind: interconnect, rate.caller.attempts_1h: {over: 300}}, mode: report, reject: dno}
  - {name: own, when: {lists.shown: own_numbers}, tag: own, continue: true}
  - {name: failed, when: {identity.result: failed}, label: {prefix: "SPAM? "}}
"""


NOW = 20_783  # 2026-11-26
TIMED = [
    ('zone: America/New_York, inside: "08:00-21:00"', 'zone: America/New_York, inside: "08:00-22:00"', "21:00"),
    ('zone: callee, inside: "08:00-21:00"', 'zone: callee, inside: "07:00-21:00"', "07:00"),
]


@pytest.mark.parametrize(("before", "after", "local"), TIMED)
def test_a_window_that_is_another_is_shown_by_a_call_at_that_time(before: str, after: str, local: str) -> None:
    words = replace(WORDS_OF_POLICIES, zones=MachineZones())
    old, new = (
        good(f"rules: [{{name: a, when: {{time: {{{window}}}}}, reject: dno}}]", words) for window in (before, after)
    )
    (change,) = differences(old, new, [(CARRIER, CARRIER)], SPECS, COSTS, NOW)
    (sample,) = change.samples
    instant = datetime.fromtimestamp(int(str(sample.facts["time.at"])), ZoneInfo("America/New_York"))
    assert f"{instant:%H:%M}" == local and instant.year == 2026
    assert sample.facts.get("plan.callee.zones") in (None, ("America/New_York",))


def changes(before: str, after: str) -> list[Change]:
    return differences(good(before), good(after), [(CARRIER, CARRIER), (CUSTOMER, CUSTOMER)], SPECS, COSTS, 20_000)


WORDS = [
    ("over: 300", "over: 200", "rule burst", "rate.caller.attempts_1h: {over: 200}}", "allow", ("burst",)),
    ("mode: report, ", "", "rule burst", "mode: report -> enforce", "reject", ()),
    ("mode: report, ", "mode: report, until: 1999-01-01, ", "rule burst", "until: no last day -> 1999", "allow", ()),
    ("dno}, reject: dno}", "dno}, reject: contract}", "rule dno", "does: reject dno -> reject contract", "reject", ()),
    ("SPAM? ", "JUNK? ", "rule failed", 'label: "SPAM? " -> "JUNK? "', "label", ()),
    ("tag: own,", "tag: ours,", "rule own", "tag: own -> ours", "allow", ()),
    ("lists.shown: dno}, ", "lists.shown: dno}, rollout: 50%, ", "rule dno", "rollout: 100% -> 50%", "allow", ()),
    ("lists.shown: dno}, ", "lists.shown: dno}, on: core, ", "rule dno", "on: all trunks -> core", "allow", ()),
    ("rules:", "responses: {dno: 404}\nrules:", "responses.dno", "403 Forbidden -> 404 Not Found", "reject", ()),
    ("rules:", "overrides: {carrier-a: {burst: enforce}}\nrules:", "overrides.carrier-a.burst",
     "as everywhere -> mode: enforce", "reject", ()),
    ("rules:", "overrides: {customer-b: {dno: off}}\nrules:", "overrides.customer-b.dno", "-> mode: off", "allow", ()),
    ("rules:", "default: reject contract\nrules:", "default", "allow -> reject contract", "reject", ()),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "instead", "about", "what", "after", "reported"), WORDS, ids=[what for _, _, _, what, _, _ in WORDS]
)
def test_a_change_is_said_in_words_with_a_call(
    text: str, instead: str, about: str, what: str, after: str, reported: tuple[str, ...]
) -> None:
    assert text in OLD
    (found,) = changes(OLD, OLD.replace(text, instead))
    assert (found.about, len(found.what)) == (about, 1)
    assert what in found.what[0]
    assert (after, reported) in [(sample.after.action, sample.after.reported) for sample in found.samples]


def test_rules_that_come_go_and_move() -> None:
    lines = OLD.strip().splitlines()
    added = "  - {name: new, when: {lists.caller: blocked}, reject: subscriber}"
    found = changes(OLD, "\n".join([lines[0], lines[4], *lines[1:3], added]))
    assert [(change.about, change.what) for change in found] == [
        ("rule failed", ("moved, now before dno",)),
        ("rule new", ("added",)),
        ("rule own", ("removed",)),
    ]
    moved = found[0].samples[0]
    assert moved.facts == {"trunk.name": "carrier-a", "trunk.kind": "interconnect", "lists.shown": ("dno",),
                           "identity.result": "failed"}  # fmt: skip
    assert (moved.before.rule, moved.after.rule) == ("dno", "failed")


def test_a_policy_does_not_differ_from_itself() -> None:
    assert changes(OLD, OLD) == []


def test_a_rule_that_says_the_same_otherwise_judges_no_call_otherwise() -> None:
    (found,) = changes(OLD, OLD.replace("{lists.shown: dno}", "{not: {not: {lists.shown: dno}}}"))
    assert found.samples == []


EDITS = st.sampled_from(["take out", "report", "to the end", "other condition"])


@given(RULES, st.integers(0, 7), EDITS, CONDITIONS, FACTS)
@settings(max_examples=200, deadline=None, derandomize=True)  # it need not find all; see the documentation
def test_where_calls_are_judged_otherwise_one_is_found(
    rules: list[tuple[Condition, str]], which: int, edit: str, other: Condition, facts: dict[str, FactValue]
) -> None:
    old = policy_of(rules)
    edited = list(old.rules)
    rule = edited.pop(which % len(edited))
    if edit == "to the end":
        edited.append(rule)
    elif edit != "take out":
        changed = replace(rule, when=other) if edit == "other condition" else replace(rule, report=not rule.report)
        edited.insert(which % len(old.rules), changed)
    new = Policy(tuple(edited))
    trunk = Trunk("t", str(facts["trunk.kind"]))
    verdicts = []
    for policy in (old, new):
        compiled = compile_policy(policy, trunk, COSTS)
        verdict = decide(facts | {"trunk.name": "t"}, dict.fromkeys(COSTS, FALSE), compiled, "12025550100", 0)
        assert isinstance(verdict, Verdict)
        verdicts.append(told(verdict)[0:1] + told(verdict)[2:4] + told(verdict)[5:])
    found = differences(old, new, [(trunk, trunk)], SPECS, COSTS, 0)
    if verdicts[0] != verdicts[1]:
        assert any(change.samples for change in found)


def test_a_trunk_of_another_kind_is_a_change_with_its_calls() -> None:
    policy = good("rules: [{name: sold, when: {trunk.kind: telemarketing, lists.callee: dnc}, reject: contract}]\n")
    was, now = Trunk("carrier-a", "interconnect"), Trunk("carrier-a", "telemarketing")
    (change,) = differences(policy, policy, [(was, now)], SPECS, COSTS, 0)
    assert (change.about, change.what) == ("trunks.carrier-a.kind", ("interconnect -> telemarketing",))
    (sample,) = change.samples
    assert (sample.before.action, sample.after.rule, sample.facts["lists.callee"]) == ("allow", "sold", ("dnc",))
