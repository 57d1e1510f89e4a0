"""No rule rejects on a fact that is unknown: the weighing against a naive one, and a list that is missing."""

from __future__ import annotations

import shutil
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipguard.proof.unknown import MOST, Weighed, rejects, values_of, weigh
from sipguard.screening.counters import Counters
from sipguard.screening.finding import Context
from sipguard.screening.lists import Lists
from sipguard.screening.policy.model import AllOf, AnyOf, Compare, Condition, Not, Offsets, OneOf, Time
from sipguard.screening.policy.predicates import FAILED, FALSE, PENDING, TRUE, Asked, Facts, Test, truth_of
from sipguard.screening.question import Question
from sipguard.screening.ruleset import Ruleset
from sipguard.screening.trial import tried
from sipguard.screening.verification.replays import Replays
from sipguard.settings.load import load
from sipguard.stir.certificate import CertificateStore
from tests.proof.build import AT

SHIPPED = Path(__file__).parents[2] / "config"

LEAVES = st.sampled_from(
    [
        OneOf("lists.pair", ("consent",)),
        OneOf("lists.callee", ("dnc", "vip")),
        OneOf("identity.result", ("failed", "none")),
        OneOf("call.anonymous", (True,)),
        OneOf("number.shown.class", ("n11",), ("inv*",)),
        Compare("rate.caller.attempts_1m", "over", 60.0),
    ]
)
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: AllOf(tuple(parts))),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: AnyOf(tuple(parts))),
    ),
    max_leaves=4,
)


class TwoValued(Test):
    """A wrong test: what is unknown does not hold, so its opposite does."""

    def __init__(self, condition: Condition) -> None:
        self._condition = condition

    def truth(self, facts: Facts, asked: Asked) -> int:
        return TRUE if self._holds(self._condition, facts, asked) else FALSE

    def _holds(self, condition: Condition, facts: Facts, asked: Asked) -> bool:
        if isinstance(condition, Not):
            return not self._holds(condition.part, facts, asked)
        if isinstance(condition, AllOf):
            return all(self._holds(part, facts, asked) for part in condition.parts)
        if isinstance(condition, AnyOf):
            return any(self._holds(part, facts, asked) for part in condition.parts)
        return truth_of(condition, {}).truth(facts, asked) == TRUE


def naive(condition: Condition, test: Test) -> bool:
    """Whether the test ever holds with facts of a check unknown, and not with them known: all products."""
    values = values_of(condition)
    checks = sorted({fact.partition(".")[0] for fact in values} - {"call", "trunk"})
    for states in product((FALSE, FAILED, PENDING), repeat=len(checks)):
        asked = {check: state for check, state in zip(checks, states, strict=True) if state != PENDING}
        gone = [check for check, state in zip(checks, states, strict=True) if state != FALSE]
        if not gone or len(set(states) - {FALSE}) > 1:
            continue
        for row in product(*values.values()):
            facts: dict[str, Any] = {f: v for f, v in zip(values, row, strict=True) if v != "<absent>"}
            known = {fact: value for fact, value in facts.items() if fact.partition(".")[0] not in gone}
            whole = dict.fromkeys(checks, FALSE)
            if test.truth(known, asked) == TRUE and test.truth(facts, whole) != TRUE:
                return True
    return False


@given(CONDITIONS)
def test_the_language_never_rejects_on_what_is_unknown(condition: Condition) -> None:
    assert rejects(condition, truth_of(condition, {}), Weighed()) is None
    assert not naive(condition, truth_of(condition, {}))


@given(CONDITIONS)
def test_a_language_of_two_values_is_found_out_whenever_it_does(condition: Condition) -> None:
    test = TwoValued(condition)
    assert (rejects(condition, test, Weighed()) is not None) == naive(condition, test)


def test_the_counterexample_says_with_which_facts() -> None:
    condition = AllOf((OneOf("call.anonymous", (False,)), Not(OneOf("lists.pair", ("consent",)))))
    found = rejects(condition, TwoValued(condition), Weighed())
    assert found is not None
    failed, known, unknown = found
    assert failed == ("lists",)
    assert dict(known) == {"call.anonymous": False} and dict(unknown) == {"lists.pair": ("consent",)}


def test_a_space_that_is_too_large_is_told() -> None:
    parts = tuple(Compare(f"rate.caller.attempts_1{n}", "over", float(n)) for n in range(9))
    weighed = Weighed()
    assert rejects(AllOf((*parts, OneOf("lists.pair", ("consent",)))), truth_of(AllOf(parts), {}), weighed) is None
    assert len(weighed.sampled) == 1 and str(MOST) in weighed.sampled[0]
    assert weighed.combinations < 100 * MOST


# ------------------------------------------------------------------------------------------ a list that is missing


class Missing(frozenset[Any]):
    """The members of a list whose file is gone."""

    def __contains__(self, member: object) -> bool:
        raise OSError("there is no such file")


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Ruleset:
    directory = tmp_path_factory.mktemp("shipped") / "config"
    shutil.copytree(SHIPPED, directory)
    loaded = load(directory / "sipguard.yaml")
    assert loaded.ruleset is not None
    return Ruleset.open(loaded.ruleset)


def test_its_rules_were_all_weighed(shipped: Ruleset) -> None:
    weighed = weigh(shipped)
    assert weighed.rejections == [] and weighed.sampled == [] and weighed.not_done == []
    assert weighed.rules >= 15


def decided(ruleset: Ruleset, lists: Lists) -> str:
    """The rule that decides on a telemarketer's call to a number on the Do-Not-Call registry."""
    context = Context(lists, Counters(), CertificateStore(), Replays())
    question = Question("+12025550101", "+12025550131", (), AT)
    trunk = ruleset.trunks["dialer-c"]
    return tried(question, trunk, ruleset.compiled(trunk.name), ruleset, context).verdict.rule


def test_without_the_list_of_consent_no_call_is_rejected_for_lack_of_it(shipped: Ruleset) -> None:
    lists = shipped.lists
    assert decided(shipped, lists) == "telemarketing-dnc"
    names = [(name, Missing() if name == "consent" else frozenset()) for name in lists.names["pair"]]
    callee = (("dnc", frozenset({"12025550131"})),)
    gone = Lists({"callee": callee}, tuple(names))
    assert decided(shipped, gone) != "telemarketing-dnc"


@pytest.mark.parametrize("days", [frozenset[int](), frozenset({5, 6})], ids=["every day", "at weekends"])
def test_the_hour_of_a_zone_that_is_not_known_rejects_nothing(days: frozenset[int]) -> None:
    zones = (("America/New_York", Offsets((), (-18_000,))), ("Pacific/Honolulu", Offsets((), (-36_000,))))
    hours = Time("callee", False, 8 * 3600, 21 * 3600, days, zones=zones)
    for condition in (hours, Not(hours)):
        weighed = Weighed()
        assert rejects(condition, truth_of(condition, {}), weighed) is None
        assert weighed.sampled == []
    found = rejects(Not(hours), TwoValued(Not(hours)), Weighed())
    assert found is not None
    assert "plan" in found[0] or "time" in found[0]
