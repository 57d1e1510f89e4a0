"""The rules of a recorded call, asked again: what became of each, and the verdict that was recorded."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipguard.b2bua.frames import VerdictFrame, decode, encode
from sipguard.records.judged_by import JudgedBy
from sipguard.records.rules import RuleFate, judged_again
from sipguard.screening.finding import FactValue
from sipguard.screening.listspec import ListSpec
from sipguard.screening.policy.compile import compile_policy
from sipguard.screening.policy.decide import Pending
from sipguard.screening.policy.decide import decide as decided
from sipguard.screening.policy.model import (
    AllOf,
    AnyOf,
    Compare,
    Condition,
    LabelSpec,
    Not,
    OneOf,
    Policy,
    Redress,
    Rule,
)
from sipguard.screening.policy.predicates import FAILED, FALSE
from sipguard.screening.ruleset import CLOSED
from sipguard.screening.trunk import Trunk
from sipguard.screening.verdict import Verdict, unscreened
from tests.playbook import Playbook
from tests.records import samples
from tests.screening.policy.drawn import CHECKS, FACTS, RULES, policy_of
from tests.screening.policy.words import COSTS

TRUNKS = {"carrier-a": Trunk("carrier-a", "interconnect")}
DNO = Rule("dno", OneOf("lists.shown", ("dno",)), basis="dno")
ODD = Rule(
    "odd", AllOf((OneOf("trunk.kind", ("interconnect",)), OneOf("number.shown.class", ("alpha",)))), basis="invalid"
)
LATE = Rule("late", OneOf("rate.caller", ("x",)), tags=("t",))


def of(*rules: Rule, verdict: VerdictFrame | None = None, **more: object) -> dict[str, RuleFate]:
    again = judged_again(verdict or samples.rejected(), JudgedBy(Policy(rules), TRUNKS, **more))  # type: ignore[arg-type]
    assert again is not None
    return {each.rule: each for each in again.rules}


def test_each_rule_up_to_the_one_that_decided() -> None:
    fates = of(ODD, Rule("elsewhere", AllOf(()), basis="dno", on=("core",)), DNO, LATE)
    assert fates["odd"] == RuleFate("odd", "no_match", ("{number.shown.class: alpha}",), {"number.shown.class": "ok"})
    assert fates["elsewhere"] == RuleFate("elsewhere", "other_trunks")
    assert fates["dno"] == RuleFate("dno", "matched", (), {"lists.shown": ("dno",)})
    assert fates["late"] == RuleFate("late", "not_reached")


def test_a_condition_whose_check_failed() -> None:
    verdict = samples.verdict(findings=[("lists", "failed", "late"), ("number", "clear", "")], unscreened=["lists"])
    fate = of(Rule("consent", Not(OneOf("lists.shown", ("dno",))), basis="contract"), verdict=verdict)["consent"]
    assert (fate.outcome, fate.lacks, fate.facts) == (
        "failed",
        ("{not: {lists.shown: dno}}",),
        {"lists.shown": "failed"},
    )


def test_another_policy_is_told_from_the_one_of_then() -> None:
    verdict = samples.rejected(matched=["dno"])
    agreed = judged_again(verdict, JudgedBy(Policy((DNO,)), TRUNKS))
    other = judged_again(verdict, JudgedBy(Policy((ODD,)), TRUNKS, as_then=False))
    assert agreed is not None and other is not None
    assert (agreed.agrees, other.agrees) == (True, False)
    assert other.verdict is not None and other.verdict.action == "allow"


def test_a_check_that_did_not_run_leaves_no_verdict() -> None:
    asks = Rule("asks", Compare("rate.caller.attempts_1m", "over", 5), basis="analytics")
    again = judged_again(samples.rejected(), JudgedBy(Policy((asks, DNO)), TRUNKS, as_then=False))
    assert again is not None
    assert (again.verdict, again.agrees, again.rules[0].outcome) == (None, False, "pending")


@pytest.mark.parametrize(
    "verdict",
    [
        samples.verdict(emergency="dialled 911", rule="emergency"),
        samples.verdict(mode="bypass", rule="bypass"),
        samples.rejected(rule="trunk_limit", status=480),
        samples.verdict(rule="unscreened"),
        samples.verdict(trunk="gone"),
    ],
    ids=["emergency", "bypass", "limit", "broken", "trunk gone"],
)
def test_where_no_rule_decided_none_is_asked(verdict: VerdictFrame) -> None:
    assert judged_again(verdict, JudgedBy(Policy((DNO,)), TRUNKS)) is None


# ------------------------------------------------------------------------------------------ properties


@given(RULES, FACTS, CHECKS, st.booleans())
@settings(max_examples=150, deadline=None)
def test_a_recorded_verdict_comes_out_again(
    rules: list[tuple[Condition, str]], facts: dict[str, FactValue], failed: set[str], closed: bool
) -> None:
    """Of facts that checks found in stages, some of which failed, and that were written to disk."""
    policy, trunk = policy_of(rules), Trunk("t", str(facts["trunk.kind"]))
    compiled = compile_policy(policy, trunk, COSTS)
    ran: set[str] = set()
    found: Verdict | Pending | None = None
    while not isinstance(found, Verdict):
        ran |= {found.check} if found is not None else set()
        known, asked = stated(facts, failed & ran, ran)
        found = decided(known, asked, compiled, "12025550101", 20_000)
    known, asked = stated(facts, failed & ran, ran)
    must = frozenset(failed) if closed else frozenset()
    if found.goes_on and must & ran:
        found = unscreened(found, compiled.unscreened)
    back = decode(encode(frame_of(found, known, asked, trunk)))
    assert isinstance(back, VerdictFrame)
    again = judged_again(back, JudgedBy(policy, {"t": trunk}, closed=must))
    assert again is not None and again.agrees


def stated(facts: dict[str, FactValue], failed: set[str], ran: set[str]) -> tuple[dict[str, FactValue], dict[str, int]]:
    """(facts, asked) as they stand when `ran` have run and `failed` of those have failed."""
    known = {
        name: value
        for name, value in facts.items()
        if name.startswith("trunk.") or (name.partition(".")[0] in ran - failed)
    }
    return known, {check: FAILED if check in failed else FALSE for check in ran}


def frame_of(verdict: Verdict, facts: dict[str, FactValue], asked: dict[str, int], trunk: Trunk) -> VerdictFrame:
    """The frame that the engine would write of it."""
    return VerdictFrame(
        "d-1",
        20_000 * 86_400.0 + 5.0,
        trunk=trunk.name,
        caller="12025550101",
        action=verdict.action,
        rule=verdict.rule,
        basis=verdict.basis,
        status=verdict.status,
        facts={name: value for name, value in facts.items() if value is not None},
        findings=[(name, "failed" if each == FAILED else "clear", "") for name, each in asked.items()],
        unscreened=[name for name, each in asked.items() if each == FAILED],
        tags=verdict.tags,
        matched=verdict.matched,
        reported=verdict.reported,
    )


LISTS = (
    ListSpec("dno", "numbers", ("shown",), members=("12025550111",)),
    ListSpec("blocked", "numbers", ("caller", "callee"), members=("12025550121", "12025550102")),
)
ATOMS = st.sampled_from(
    [
        OneOf("lists.shown", ("dno",)),
        OneOf("lists.caller", ("blocked",)),
        OneOf("lists.callee", ("blocked",)),
        OneOf("number.shown.class", ("ok", "fictional_555")),
        OneOf("identity.result", ("none", "failed")),
        OneOf("trunk.kind", ("interconnect",)),
        OneOf("call.anonymous", (True,)),
        Compare("rate.caller.attempts_1m", "over", 0),
    ]
)
WHENS: st.SearchStrategy[Condition] = st.one_of(
    ATOMS,
    ATOMS.map(Not),
    st.lists(ATOMS, min_size=1, max_size=3).map(lambda parts: AllOf(tuple(parts))),
    st.lists(ATOMS, min_size=1, max_size=3).map(lambda parts: AnyOf(tuple(parts))),
)
DOES = st.sampled_from(
    [
        {"basis": "analytics"},
        {"basis": "identity"},
        {"label": LabelSpec("SPAM? ")},
        {"tags": ("t",), "continues": True},
        {"basis": "dno", "report": True},
        {"basis": "contract", "rollout": 5_000},
        {"basis": "contract", "until_day": 1},
        {},
    ]
)
MADE = st.lists(st.tuples(WHENS, DOES), min_size=1, max_size=5)
CALLERS = st.sampled_from(["+12025550101", "+12025550111", "+12025550121", "911", "anonymous", "x"])


@given(MADE, CALLERS, st.sampled_from(["+12025550102", "+12025550103"]), st.booleans())
@settings(max_examples=40, deadline=None)
def test_explain_and_the_engine_agree(
    made: list[tuple[Condition, dict[str, object]]], caller: str, callee: str, shed: bool
) -> None:
    """Of calls through the engine; where it sheds verification, that must not fail."""
    rules = tuple(Rule(f"r{n}", when, **does) for n, (when, does) in enumerate(made))  # type: ignore[arg-type]
    policy = Policy(rules, redress=Redress(url="https://provider.example/redress"))
    book = Playbook(policy=policy, lists=LISTS, on_failure={"identity": CLOSED})
    book.backlog_s = 0.2 if shed else 0.0
    book.a.invite(callee=callee, caller=caller)
    (frame,) = [frame for frame in book.frames if isinstance(frame, VerdictFrame)]
    back = decode(encode(frame))
    assert isinstance(back, VerdictFrame)
    again = judged_again(back, JudgedBy(policy, book.plain.trunks, closed=frozenset(["identity"])))
    assert again is not None and again.agrees
    assert again.verdict is not None
    assert again.verdict.phrase == back.phrase
    if back.status:
        assert again.verdict.header_lines(back.decision_id) == list(back.wrote)
