"""Screening from attempt to verdict, with checks that the tests write: who runs, who fails, who waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from sipguard.screening import pipeline
from sipguard.screening.attempt import CallAttempt, read_attempt
from sipguard.screening.counters import Counters
from sipguard.screening.finding import (
    CLEAR,
    FAILED,
    HIT,
    Context,
    FactSpec,
    FactValue,
    Finding,
    Need,
    Waiting,
)
from sipguard.screening.guard import Settings as GuardSettings
from sipguard.screening.lists import Lists
from sipguard.screening.pipeline import Screening, fail, screen, skip
from sipguard.screening.policy.compile import CompiledPolicy, compile_policy
from sipguard.screening.policy.model import Vocabulary
from sipguard.screening.policy.read import read_policy
from sipguard.screening.ruleset import Ruleset
from sipguard.screening.trunk import Trunk
from sipguard.screening.verdict import Verdict
from sipguard.screening.verification.replays import Replays
from sipguard.screening.verification.settings import Settings as Verifying
from sipguard.stir.certificate import NO_ANCHORS, CertificateStore
from tests.screening.policy.words import plain

COSTS = {"number": 1, "lists": 2, "rate": 3, "identity": 9}
WORDS = Vocabulary(
    facts=(
        FactSpec("number.shown.class", "text", ""),
        FactSpec("lists.shown", "set", ""),
        FactSpec("rate.caller.attempts_1h", "number", ""),
        FactSpec("identity.result", "text", ""),
    ),
    lists={"dno": ("shown",)},
)
RULES = """
rules:
  - {name: dno, when: {lists.shown: dno}, reject: dno}
  - {name: n11, when: {number.shown.class: n11}, reject: invalid}
  - {name: failed, when: {identity.result: failed}, tag: bad, continue: true}
"""
TRUNK = Trunk("carrier-a", "interconnect")


class Checks:
    """Fake checks: what each answers, and which ran."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.answers: dict[str, Callable[[], Finding | Waiting]] = {
            "number": lambda: Finding(CLEAR, "", {"number.shown.class": "ok"}),
            "lists": lambda: Finding(CLEAR, "", {"lists.shown": ()}),
            "rate": lambda: Finding(CLEAR, "", {"rate.caller.attempts_1h": 1}),
            "identity": lambda: Finding(CLEAR, "passed", {"identity.result": "passed"}),
        }

    def modules(self) -> dict[str, Any]:
        """As `checks.CHECKS` holds them."""
        return {name: SimpleNamespace(COST=cost, check=self._check(name)) for name, cost in COSTS.items()}

    def _check(self, name: str) -> Callable[..., Finding | Waiting]:
        def check(attempt: CallAttempt, settings: object, context: Context) -> Finding | Waiting:
            assert settings == f"settings of {name}"
            assert context.unix_at == attempt.received_at
            self.ran.append(name)
            return self.answers[name]()

        return check


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Checks]:
    fake = Checks()
    monkeypatch.setattr(pipeline, "CHECKS", fake.modules())
    yield fake


def compiled(rules: str = RULES, trunk: Trunk = TRUNK) -> CompiledPolicy:
    policy, problems = read_policy(plain(rules), WORDS)
    assert problems == []
    return compile_policy(policy, trunk, COSTS)


def ruleset(complete: float = 0.0, **on_failure: str) -> Ruleset:
    return Ruleset(
        revision="r",
        policy=read_policy(plain(RULES), WORDS)[0],
        trunks={},
        listeners={},
        settings={name: f"settings of {name}" for name in COSTS},
        on_failure=on_failure,
        complete_percent=complete,
        emergency=GuardSettings(),
        lists=Lists.open(()),
        anchors=NO_ANCHORS,
        policies={},
    )


def attempt(trunk: Trunk = TRUNK, callee: str = "+12025550199", call_id: str = "c1") -> CallAttempt:
    return read_attempt(
        trunk,
        1.8e9,
        f"sip:{callee}@gw.example",
        "<sip:+12025550100@a.example>;tag=1",
        f"<sip:{callee}@gw.example>",
        (),
        (),
        (),
        "",
        "",
        call_id,
    )


CONTEXT = Context(Lists.open(()), Counters(), CertificateStore(), Replays())


def verdict(screening: Screening, call: CallAttempt, policy: CompiledPolicy, rules: Ruleset) -> Verdict:
    outcome = screen(screening, call, policy, rules, CONTEXT)
    assert isinstance(outcome, Verdict)
    return outcome


def answering(**facts: FactValue) -> Callable[[], Finding]:
    return lambda: Finding(HIT, "", {name.replace("__", "."): value for name, value in facts.items()})


def test_a_call_that_goes_on_is_verified(checks: Checks) -> None:
    screening = Screening()
    found = verdict(screening, attempt(), compiled(), ruleset())
    assert (found.action, found.rule) == ("allow", "default")
    assert checks.ran == ["lists", "number", "identity"]
    assert screening.not_asked() == ["rate"]
    assert screening.facts["trunk.kind"] == "interconnect"
    assert screening.facts["identity.result"] == "passed"


def test_a_rejected_call_costs_no_further_check(checks: Checks) -> None:
    checks.answers["lists"] = answering(lists__shown=("dno",))
    screening = Screening()
    assert verdict(screening, attempt(), compiled(), ruleset()).rule == "dno"
    assert checks.ran == ["lists"]
    assert screening.not_asked() == ["number", "rate", "identity"]


NO_IDENTITY_RULES = "rules: [{name: dno, when: {lists.shown: dno}, reject: dno}]"


@pytest.mark.parametrize("verify", [True, False])
def test_verification_runs_for_verstat_only_where_the_trunk_verifies(checks: Checks, verify: bool) -> None:
    trunk = replace(TRUNK, verify=verify)
    verdict(Screening(), attempt(trunk), compiled(NO_IDENTITY_RULES, trunk), ruleset())
    assert checks.ran == (["lists", "identity"] if verify else ["lists"])


ANSWERS: dict[str, Callable[[], Finding | Waiting]] = {
    "failed": lambda: Finding(HIT, "signature", {"identity.result": "failed"}),
    "waits": lambda: Waiting(Need("certificate", "https://cert.example/a", 0.25)),
    "raises": lambda: raising(),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_an_emergency_call_passes_by_no_check_but_verification_which_stops_nothing(
    checks: Checks, answer: Callable[[], Finding | Waiting]
) -> None:
    checks.answers["identity"] = answer
    checks.answers["lists"] = answering(lists__shown=("dno",))
    screening = Screening()
    found = verdict(screening, attempt(callee="911"), compiled(), ruleset(lists="closed", identity="closed"))
    assert (found.action, found.rule, found.goes_on) == ("allow", "emergency", True)
    assert screening.emergency == "dialled_911"
    assert checks.ran == ["identity"]
    assert screening.facts["trunk.name"] == "carrier-a"


def test_the_guard_is_not_asked_again_where_it_has_answered(checks: Checks) -> None:
    checks.answers["lists"] = answering(lists__shown=("dno",))
    assert verdict(Screening(""), attempt(callee="911"), compiled(), ruleset()).rule == "dno"
    assert verdict(Screening("psap_caller"), attempt(), compiled(), ruleset()).rule == "emergency"


def test_a_waiting_check_is_run_again_and_the_others_are_not(checks: Checks) -> None:
    checks.answers["identity"] = lambda: Waiting(Need("certificate", "https://cert.example/a", 0.25))
    screening, call, policy, rules = Screening(), attempt(), compiled(), ruleset()
    outcome = screen(screening, call, policy, rules, CONTEXT)
    assert isinstance(outcome, Waiting)
    assert outcome.needs[0].key == "https://cert.example/a"
    checks.answers["identity"] = answering(identity__result="failed")
    found = verdict(screening, call, policy, rules)
    assert (found.action, found.tags) == ("allow", ("bad",))
    assert checks.ran == ["lists", "number", "identity", "identity"]


def raising() -> Finding:
    raise ZeroDivisionError


FAILING: dict[str, Callable[[], Finding | Waiting]] = {
    "raised_zerodivisionerror": raising,
    "broken": lambda: Finding(FAILED, "broken", {"identity.result": "failed"}),
}


@pytest.mark.parametrize("reason", FAILING)
def test_a_check_that_fails_matches_nothing_and_lets_the_call_go_on(checks: Checks, reason: str) -> None:
    checks.answers["identity"] = FAILING[reason]
    screening = Screening()
    found = verdict(screening, attempt(), compiled(), ruleset())
    assert (found.action, found.tags) == ("allow", ())
    assert screening.unscreened() == ["identity"]
    assert screening.findings["identity"].reason == reason
    assert "identity.result" not in screening.facts


def test_priority_that_cannot_be_told_lifts_no_call_and_takes_none_down(
    checks: Checks, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(pipeline, "signed_priority", broken)
    rules = ruleset()
    rules = replace(rules, settings={**rules.settings, "identity": Verifying()})
    call = attempt()
    call.resource_priority = ("ets.0",)
    screening = Screening()
    found = verdict(screening, call, compiled(), rules)
    assert (found.action, screening.emergency) == ("allow", "")


@pytest.mark.parametrize("reason", FAILING)
def test_a_check_that_must_not_fail_rejects(checks: Checks, reason: str) -> None:
    checks.answers["identity"] = FAILING[reason]
    found = verdict(Screening(), attempt(), compiled(), ruleset(identity="closed"))
    assert (found.action, found.rule, found.basis, found.status) == (
        "reject",
        "unscreened",
        "unscreened",
        403,
    )


def test_a_failure_above_a_rejection_leaves_the_rejection(checks: Checks) -> None:
    checks.answers["lists"] = FAILING["broken"]
    checks.answers["number"] = answering(number__shown__class="n11")
    assert verdict(Screening(), attempt(), compiled(), ruleset(lists="closed")).rule == "n11"


def test_a_late_check_fails_and_a_later_answer_does_not_count(checks: Checks) -> None:
    checks.answers["identity"] = lambda: Waiting(Need("certificate", "u", 0.25))
    screening, call, policy, rules = Screening(), attempt(), compiled(), ruleset()
    assert isinstance(screen(screening, call, policy, rules, CONTEXT), Waiting)
    fail(screening, "identity", "x5u_timeout")
    assert verdict(screening, call, policy, rules).action == "allow"
    assert screening.findings["identity"].reason == "x5u_timeout"
    assert checks.ran.count("identity") == 1


def test_fail_leaves_a_finding_alone(checks: Checks) -> None:
    screening = Screening()
    verdict(screening, attempt(), compiled(), ruleset())
    fail(screening, "identity", "x5u_timeout")
    assert screening.findings["identity"].reason == "passed"


def test_a_skipped_check_fails_only_where_it_is_needed(checks: Checks) -> None:
    screening = Screening()
    skip(screening, "identity", "overload")
    assert verdict(screening, attempt(), compiled(), ruleset()).action == "allow"
    assert "identity" not in checks.ran
    assert screening.findings["identity"].reason == "overload"

    checks.answers["lists"] = answering(lists__shown=("dno",))
    other = Screening()
    skip(other, "identity", "overload")
    verdict(other, attempt(), compiled(), ruleset(identity="closed"))
    assert other.unscreened() == []


def test_a_sample_of_calls_runs_all_checks(checks: Checks) -> None:
    checks.answers["lists"] = answering(lists__shown=("dno",))
    checks.answers["rate"] = FAILING["broken"]
    screening = Screening()
    assert verdict(screening, attempt(), compiled(), ruleset(100.0, rate="closed")).rule == "dno"
    assert checks.ran == ["lists", "number", "rate", "identity"]
    assert screening.not_asked() == []


def test_a_check_of_the_sample_cannot_close_a_call(checks: Checks) -> None:
    checks.answers["rate"] = lambda: Waiting(Need("lookup", "u", 0.25))
    screening, call, policy, rules = Screening(), attempt(), compiled(), ruleset(100.0, rate="closed")
    assert isinstance(screen(screening, call, policy, rules, CONTEXT), Waiting)
    fail(screening, "rate", "late")
    assert verdict(screening, call, policy, rules).action == "allow"


def test_the_sample_has_the_size_that_was_asked_for(checks: Checks) -> None:
    complete = 0
    for number in range(400):
        screening = Screening()
        verdict(screening, attempt(call_id=f"call-{number}"), compiled(), ruleset(25.0))
        complete += not screening.not_asked()
    assert 60 <= complete <= 140
