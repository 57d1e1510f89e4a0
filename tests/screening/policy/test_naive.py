"""The compiled policy equals a naive interpreter of what is written; asking little never changes a verdict."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sipguard.screening.checks import ALL_FACTS
from sipguard.screening.policy.compile import CompiledPolicy, compile_policy, reduced
from sipguard.screening.policy.decide import Pending, decide
from sipguard.screening.policy.model import Redress, Vocabulary
from sipguard.screening.policy.predicates import FAILED, FALSE, TRUE, Asked, Facts, check_of, truth_of
from sipguard.screening.policy.read import read_policy
from sipguard.screening.trunk import Trunk
from sipguard.screening.verdict import Verdict
from sipguard.settings.policytext import PolicyText
from sipguard.settings.zones import MachineZones
from tests.screening.policy import naive
from tests.screening.policy.naive import Call

COSTS = {"time": 0, "number": 1, "lists": 2, "plan": 2, "rate": 3, "identity": 9}
TRUNKS = {"t1": "interconnect", "t2": "gateway", "t3": "origination"}
WORDS = Vocabulary(
    facts=ALL_FACTS,
    lists={"dno": ("shown",), "own": ("shown",), "consent": ("pair",), "bad": ("signer",)},
    trunks=(*TRUNKS, "core"),
    routes=("core",),
    redress=Redress(url="https://provider.example"),
    zones=MachineZones(),
)
EPOCH = date(1970, 1, 1)
BEGIN = 1_790_000_000  # 2026-09-21

# ------------------------------------------------------------------------------------------ calls

FACTS: dict[str, st.SearchStrategy[Any]] = {
    "call.anonymous": st.sampled_from([True, False, None]),
    "number.shown.class": st.sampled_from(["ok", "n11", None]),
    "number.shown.npa": st.sampled_from(["202", "212", "809", None]),
    "lists.shown": st.sampled_from([(), ("dno",), ("own", "dno"), ("?dno",), ("?dno", "own"), ("?own",)]),
    "lists.pair": st.sampled_from([(), ("consent",), ("?consent",)]),
    "lists.signer": st.sampled_from([(), ("bad",), None]),
    "rate.caller.attempts_1h": st.sampled_from([None, 0, 5, 301]),
    "rate.signer.short_ratio_1h": st.sampled_from([None, 0.0, 0.95]),
    "identity.result": st.sampled_from(["passed", "failed", "none"]),
    "identity.attest": st.sampled_from([None, "A", "B", "C"]),
    "identity.status": st.sampled_from([None, 428, 436, 438]),
    "identity.spc": st.sampled_from([None, (), ("709J",), ("709J", "818H")]),
    "time.at": st.one_of(st.none(), st.integers(BEGIN, BEGIN + 400 * 86_400).map(float)),
    "plan.callee.zones": st.sampled_from(
        [None, (), ("America/New_York",), ("America/Denver", "America/Phoenix"), ("America/Chicago", "Nowhere/Known")]
    ),
}
CHECKS = st.sets(st.sampled_from(sorted(COSTS)))


@st.composite
def calls(draw: st.DrawFn) -> Call:
    """A call of which all is known."""
    trunk = draw(st.sampled_from(sorted(TRUNKS)))
    facts = draw(st.fixed_dictionaries(FACTS))
    caller = draw(st.sampled_from(["", "12025550100", "12025550104", "12025550199"]))
    day = date.fromordinal(draw(st.integers(date(2027, 1, 29).toordinal(), date(2027, 2, 2).toordinal())))
    return Call(trunk, TRUNKS[trunk], facts, frozenset(COSTS), frozenset(draw(CHECKS)), caller, day)


def known_of(call: Call, ran: frozenset[str]) -> tuple[Facts, Asked]:
    """(facts, asked) as they stand when `ran` have run."""
    facts: Facts = {"trunk.name": call.trunk, "trunk.kind": call.kind}
    for name, value in call.facts.items():
        check = check_of(name)
        if value is not None and (not check or check in ran - call.failed):
            facts[name] = value
    return facts, {check: FAILED if check in call.failed else FALSE for check in ran}


# ------------------------------------------------------------------------------------------ policies

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "trunk.name": st.sampled_from(["t1", "t2", ["t1", "t3"]]),
    "trunk.kind": st.sampled_from(["interconnect", "gateway", ["gateway", "origination"]]),
    "call.anonymous": st.booleans(),
    "number.shown.class": st.sampled_from(["ok", "n11", ["ok", "n11"], "*o*"]),
    "number.shown.npa": st.sampled_from(["202", "2*", "*0*", ["212", "8*9"]]),
    "lists.shown": st.sampled_from(["dno", "own", ["dno", "own"]]),
    "lists.pair": st.just("consent"),
    "lists.signer": st.just("bad"),
    "rate.caller.attempts_1h": st.one_of(
        st.sampled_from([5, [0, 301]]),
        st.dictionaries(
            st.sampled_from(["over", "under", "at_least", "at_most"]), st.sampled_from([0, 5, 300]), min_size=1
        ),
    ),
    "rate.signer.short_ratio_1h": st.sampled_from([{"over": 0.9}, {"under": 0.5}]),
    "identity.result": st.sampled_from(["passed", "failed", ["failed", "none"]]),
    "identity.attest": st.sampled_from(["A", ["A", "B"], "C"]),
    "identity.spc": st.sampled_from(["709J", "8*", ["999X", "709*"]]),
    "time": st.builds(
        lambda zone, hours, more: {"zone": zone, **hours, **more},
        st.sampled_from(["callee", "utc", "America/New_York"]),
        st.sampled_from([{"inside": "08:00-21:00"}, {"outside": "08:00-21:00"}, {"inside": "21:00-08:00"}]),
        st.sampled_from([{}, {"days": "sat"}, {"days": ["fri-mon", "wed"]}, {"dates": ["12-25", "2026-11-26"]}]),
    ),
}
ATOMS = st.sampled_from(sorted(VALUES)).flatmap(lambda fact: st.fixed_dictionaries({fact: VALUES[fact]}))
CONDITIONS = st.recursive(
    st.one_of(ATOMS, st.sampled_from([{"is": "d0"}, {"is": ["d0", "d1"]}])),
    lambda parts: st.one_of(
        parts.map(lambda part: {"not": part}),
        st.lists(parts, min_size=1, max_size=3).map(lambda found: {"all": found}),
        st.lists(parts, min_size=1, max_size=3).map(lambda found: {"any": found}),
        st.lists(parts, min_size=2, max_size=3).map(lambda found: {key: each[key] for each in found for key in each}),
    ),
    max_leaves=6,
)
DEFINED = st.fixed_dictionaries({"d0": ATOMS, "d1": ATOMS.map(lambda atom: {"not": atom})})
LABELS = st.sampled_from(
    [
        {"prefix": "A "},
        {"prefix": "B ", "max": 9, "headers": {"X-A": "1"}},
        {"verstat": "No-TN-Validation", "headers": {"x-a": "2", "X-B": "3"}},
    ]
)
DOES: list[st.SearchStrategy[dict[str, Any]]] = [
    st.sampled_from(["dno", "invalid", "analytics", "identity", "contract"]).map(lambda basis: {"reject": basis}),
    st.just({"allow": True}),
    st.just({"redirect": {"contact": "sip:mail@pbx.example"}}),
    st.builds(lambda label: {"redirect": {"route": "core"}, "label": label}, LABELS),
    LABELS.map(lambda label: {"label": label}),
    st.builds(lambda label: {"label": label, "tag": ["a", "b"], "continue": True}, LABELS),
    st.just({"tag": ["b", "c"], "continue": True}),
]
MORE = st.fixed_dictionaries(
    {},
    optional={
        "mode": st.sampled_from(["report", "enforce"]),
        "rollout": st.sampled_from(["0%", "25%", "62.5%", "100%"]),
        "until": st.sampled_from(["2027-01-30", "2027-01-31", "2027-12-31"]),
        "on": st.sampled_from(["t1", ["t2", "t3"]]),
    },
)
OVERRIDES = st.one_of(
    st.sampled_from(["report", "enforce", "off"]),
    st.fixed_dictionaries(
        {},
        optional={
            "mode": st.sampled_from(["report", "enforce", "off"]),
            "rollout": st.sampled_from(["0%", "50%", "100%"]),
            "until": st.sampled_from(["2027-01-30", "2027-12-31"]),
        },
    ),
)
RULES = st.lists(
    st.builds(lambda when, does, more: {"when": when, **does, **more}, CONDITIONS, st.one_of(DOES), MORE), max_size=7
)


@st.composite
def policies(draw: st.DrawFn) -> dict[str, Any]:
    """A policy as it is written."""
    rules = [{"name": f"r{n}", **rule} for n, rule in enumerate(draw(RULES))]
    policy: dict[str, Any] = {"define": draw(DEFINED), "rules": rules}
    policy["default"] = draw(st.sampled_from(["allow", "allow", "reject contract"]))
    policy["responses"] = draw(st.sampled_from([{}, {"dno": 404, "contract": "480 Not Here"}]))
    names = [rule["name"] for rule in rules]
    if names:
        of_trunk = st.dictionaries(st.sampled_from(names), OVERRIDES, max_size=2)
        policy["overrides"] = draw(st.dictionaries(st.sampled_from(sorted(TRUNKS)), of_trunk, max_size=2))
    return policy


def compiled(document: Any, call: Call) -> CompiledPolicy:
    """The policy, compiled for the trunk of a call."""
    policy, problems = read_policy(document, WORDS)
    assert problems == []
    return compile_policy(policy, Trunk(call.trunk, call.kind), COSTS)


def told(verdict: Verdict) -> dict[str, Any]:
    """A verdict in the words of the naive interpreter."""
    found: dict[str, Any] = {
        "action": verdict.action,
        "rule": verdict.rule,
        "status": verdict.status,
        "tags": list(verdict.tags),
        "matched": list(verdict.matched),
        "reported": list(verdict.reported),
    }
    if verdict.basis:
        found["basis"] = verdict.basis
    elif verdict.redirect is not None and verdict.redirect.contact:
        found["contact"] = verdict.redirect.contact
    else:
        if verdict.redirect is not None:
            found["route"] = verdict.redirect.route
        label = verdict.label
        found["label"] = (
            {"prefix": label.prefix, "max": label.max, "verstat": label.verstat, "headers": dict(label.headers)}
            if label is not None
            else {}
        )
    return found


def judged(document: Any, call: Call, files: naive.Files | None = None) -> dict[str, Any]:
    """What the naive interpreter says, with what a label leaves out written as nothing."""
    found = naive.judge(document, call, files)
    if found.get("label"):
        found["label"] = {"prefix": "", "max": 0, "verstat": "", "headers": {}} | found["label"]
    return found


def decided(policy: CompiledPolicy, call: Call) -> Verdict:
    """The verdict when all checks have run."""
    outcome = decide(*known_of(call, call.ran), policy, call.caller, (call.day - EPOCH).days)
    assert isinstance(outcome, Verdict)
    return outcome


# ------------------------------------------------------------------------------------------ properties


@given(CONDITIONS, DEFINED, calls(), CHECKS)
@settings(max_examples=150, deadline=None)
def test_a_compiled_condition_is_as_true_as_a_plain_reading(
    when: dict[str, Any], defined: dict[str, Any], call: Call, ran: set[str]
) -> None:
    known = Call(call.trunk, call.kind, call.facts, call.failed | ran, call.failed)
    expected = naive.truth(when, known, defined)
    policy, problems = read_policy({"define": defined, "rules": [{"name": "r", "when": when, "allow": True}]}, WORDS)
    assert problems == []
    facts, asked = known_of(known, known.ran)
    condition = policy.rules[0].when
    assert naive.TRUTHS[truth_of(condition, COSTS).truth(facts, asked)] == expected
    left = reduced(condition, {"trunk.kind": call.kind})
    outcome = (TRUE if left else FALSE) if isinstance(left, bool) else truth_of(left, COSTS).truth(facts, asked)
    assert naive.TRUTHS[outcome] == expected


@given(policies(), calls())
@settings(max_examples=150, deadline=None)
def test_the_compiled_policy_equals_the_naive_interpreter(document: dict[str, Any], call: Call) -> None:
    assert told(decided(compiled(document, call), call)) == judged(document, call)


@given(policies(), policies(), calls())
@settings(max_examples=20, deadline=None)
def test_it_does_with_files_that_are_included(one: dict[str, Any], other: dict[str, Any], call: Call) -> None:
    """The rules of one policy stand in two files, those of the other around the places where they are included."""
    inner = [{**rule, "name": f"in-{rule['name']}"} for rule in other["rules"]]
    files = {
        "first.yaml": {"define": {"d0": one["define"]["d0"]}, "rules": [*inner[:2], {"include": "deep/second.yaml"}]},
        "deep/second.yaml": {"rules": inner[2:]},
    }
    rules = [*one["rules"][:1], {"include": ["first.yaml"]}, *one["rules"][1:]]
    document = {**one, "define": {"d1": one["define"]["d1"]}, "rules": rules}
    with TemporaryDirectory() as made:
        directory = Path(made)
        (directory / "deep").mkdir()
        for name, text in {**files, "policy.yaml": document}.items():
            (directory / name).write_text(json.dumps(text))
        text = PolicyText.of_file(directory / "policy.yaml")
    assert text.problems == []
    assert told(decided(compiled(text.plain, call), call)) == judged(document, call, files)


@given(policies(), calls())
@settings(max_examples=60, deadline=None)
def test_asking_little_never_changes_a_verdict(document: dict[str, Any], call: Call) -> None:
    policy, day = compiled(document, call), (call.day - EPOCH).days
    ran: frozenset[str] = frozenset()
    since: Pending | None = None
    while True:
        known = known_of(call, ran)
        resumed = decide(*known, policy, call.caller, day, since)
        again = decide(*known, policy, call.caller, day)
        if isinstance(resumed, Verdict):
            break
        assert isinstance(again, Pending) and again.check == resumed.check
        assert resumed.check not in ran
        ran |= {resumed.check}
        since = resumed
    assert isinstance(again, Verdict)
    assert told(resumed) == told(again) == told(decided(policy, call)) == judged(document, call)
