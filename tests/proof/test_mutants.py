"""Configurations and engines that harm emergency calls: the proof refuses each, and names the setting.

Where the product makes a mutation impossible, an engine that does it stands in its place: what is tested is that the
proof would see it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from sipguard.proof.emergency import Counterexample, new_engine, prove_emergencies
from sipguard.proof.prove import prove
from sipguard.screening.guard import Settings as GuardSettings
from sipguard.screening.policy.model import AllOf, OneOf, Rule
from sipguard.screening.route import RouteTable
from sipguard.screening.ruleset import PlainRuleset, Ruleset
from sipguard.screening.trunk import Limits, RedirectRules, Route, Trunk, WriteRules
from sipguard.settings.load import load
from tests.proof.build import AT, Astray, Between, Blind, Forgetful

SHIPPED = Path(__file__).parents[2] / "config"
DNO = "12025550111"

Mutation = Callable[[PlainRuleset], PlainRuleset]
Make = Callable[[Ruleset], Any]


def trunk(name: str, **fields: Any) -> Mutation:
    """Fields of one trunk, or with "*" of all."""

    def mutate(plain: PlainRuleset) -> PlainRuleset:
        trunks = {key: replace(each, **fields) if name in (key, "*") else each for key, each in plain.trunks.items()}
        return replace(plain, trunks=trunks)

    return mutate


def rules(*first: Rule) -> Mutation:
    """Rules before all others."""
    return lambda plain: replace(plain, policy=replace(plain.policy, rules=(*first, *plain.policy.rules)))


def emergency(**fields: Any) -> Mutation:
    return lambda plain: replace(plain, emergency=GuardSettings(**fields))


def redirecting(rules: RedirectRules) -> Mutation:
    return lambda plain: replace(
        plain, listeners={name: replace(each, redirect=rules) for name, each in plain.listeners.items()}
    )


def both(*mutations: Mutation) -> Mutation:
    def mutate(plain: PlainRuleset) -> PlainRuleset:
        for each in mutations:
            plain = each(plain)
        return plain

    return mutate


def nothing(plain: PlainRuleset) -> PlainRuleset:
    return plain


def void(plain: PlainRuleset) -> PlainRuleset:
    """emergency.route leads to a trunk without peers."""
    trunks = {**plain.trunks, "void": Trunk("void", "emergency")}
    return replace(plain, trunks=trunks, emergency_route="void")


def cutting(text: str) -> str:
    return text.replace("INVITE sip:911@", "INVITE sip:11@")


def lost_route(ruleset: Ruleset) -> Any:
    """An engine whose routes have no default, and nothing beside what fits."""
    routes = {name: RouteTable(each, {}) for name, each in ruleset.trunks.items()}
    return new_engine(replace(ruleset, routes=routes))


def without_psaps(ruleset: Ruleset) -> Any:
    return new_engine(replace(ruleset, emergency=replace(ruleset.emergency, psap_callers=frozenset())))


def refused_by_hops(text: str) -> str:
    return text.replace("SIP/2.0 200 OK", "SIP/2.0 407 Proxy Authentication Required")


STRIP = replace(Trunk("", "").read, strip_prefix="9")
EATS = replace(Trunk("", "").read, tech_prefix=r"\d")
EVERYTHING = Rule("everything", AllOf(()), basis="analytics")
GATEWAYS = Rule("gateways", OneOf("trunk.kind", ("gateway",)), basis="contract")


@dataclass(frozen=True)
class Row:
    """A mutation, and what the proof must say: the kind, the path of the setting, a state where it shows."""

    name: str
    mutation: Mutation
    kind: str
    path: tuple[str | int, ...]
    state: str = "normal"
    make: Make = new_engine


MUTANTS = [
    Row(
        "a strip rule turns 911 into 11",
        trunk("*", read=STRIP),
        "digits",
        ("trunks", "carrier-a", "read", "strip_prefix"),
        make=lambda ruleset: Between(new_engine(ruleset), coming=cutting),
    ),
    Row(
        "a rewrite rule turns 911 into 11",
        trunk("core", write=WriteRules(form="national")),
        "digits",
        ("trunks", "core", "write"),
        make=lambda ruleset: Between(new_engine(ruleset), leaving=cutting),
    ),
    Row("an emergency route without peers", void, "elsewhere", ("emergency", "route")),
    Row(
        "an emergency route that is no trunk",
        lambda plain: replace(plain, emergency_route="nowhere"),
        "refused",
        ("trunks", "carrier-a", "route"),
    ),
    Row("no route", trunk("carrier-a", route="", routes=()), "refused", ("trunks", "carrier-a", "route")),
    Row("the only peers are gone", trunk("core", peers=()), "refused", ("trunks", "carrier-a", "route")),
    Row(
        "a route table without default",
        trunk("*", route="", routes=(Route(("core",), ("1212",)),)),
        "refused",
        ("trunks", "carrier-a", "route"),
        make=lost_route,
    ),
    Row(
        "a limit of calls that counts them",
        trunk("*", limits=Limits(calls=5)),
        "refused",
        ("trunks", "carrier-a", "limits"),
        "calls",
        Blind,
    ),
    Row(
        "a limit of calls a second that counts them",
        trunk("*", limits=Limits(cps=5)),
        "refused",
        ("trunks", "carrier-a", "limits"),
        "cps",
        Blind,
    ),
    Row("a rule before the guard", rules(EVERYTHING), "refused", ("policy", "rules", 0), "normal", Blind),
    Row("a kind of trunk that is refused", rules(GATEWAYS), "refused", ("policy", "rules", 0), "normal", Blind),
    Row(
        "number rules read an emergency number as another",
        both(emergency(numbers=frozenset({"110"})), trunk("*", read=EATS)),
        "refused",
        ("overload",),
        "overload",
    ),
    Row(
        "a PSAP that calls back is on the do-not-originate list",
        emergency(psap_callers=frozenset({DNO})),
        "refused",
        ("policy", "rules", 1),
        "normal",
        without_psaps,
    ),
    Row(
        "a check that must not fail",
        nothing,
        "refused",
        ("screening", "checks", "identity", "on_failure"),
        "check_identity",
        lambda ruleset: Blind(replace(ruleset, policy=replace(ruleset.policy, rules=()))),
    ),
    Row("calls for help count as load", nothing, "refused", ("overload",), "overload", Blind),
    Row("they need room in the table", nothing, "refused", ("overload", "max_calls"), "full", Blind),
    Row("they are turned away by a drain", nothing, "refused", ("drain",), "draining", Blind),
    Row("they wait for a certificate", nothing, "nowhere", ("trunks", "carrier-a"), "certificate", Blind),
    Row(
        "they respect a peer that wants to be left alone",
        nothing,
        "refused",
        ("trunks", "carrier-a", "route"),
        "silence",
        Blind,
    ),
    Row(
        "a redirect listener has no peer to name",
        both(redirecting(RedirectRules(302)), trunk("core", peers=())),
        "given_back",
        ("listeners", "main", "redirect", "go_on"),
    ),
    Row(
        "the next hop refuses our credentials",
        nothing,
        "unanswered",
        ("trunks", "carrier-a"),
        make=lambda ruleset: Between(new_engine(ruleset), coming=refused_by_hops),
    ),
    Row(
        "a reload loses the calls that are under way",
        nothing,
        "unanswered",
        ("trunks", "carrier-a"),
        "reloading",
        lambda ruleset: Forgetful(new_engine(ruleset)),
    ),
    Row(
        "calls go to where no peer is",
        nothing,
        "stranger",
        ("trunks", "carrier-a"),
        make=lambda ruleset: Astray(new_engine(ruleset)),
    ),
]


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> PlainRuleset:
    """The shipped configuration."""
    directory = tmp_path_factory.mktemp("shipped") / "config"
    shutil.copytree(SHIPPED, directory)
    loaded = load(directory / "sipguard.yaml")
    assert loaded.ruleset is not None
    return loaded.ruleset


def test_the_shipped_configuration_holds(shipped: PlainRuleset) -> None:
    proof = prove(Ruleset.open(shipped), AT, lambda: 0.0, 60.0)
    assert proof.holds and proof.whole
    assert proof.emergencies.counterexamples == [] and proof.rules.rejections == []
    assert proof.emergencies.left_out == [] and proof.emergencies.calls > 1000


@pytest.mark.parametrize("go_on", [302, 404, 503])
def test_a_redirect_listener_lets_calls_go_on_as_it_is_told_to(go_on: int, shipped: PlainRuleset) -> None:
    proof = prove_emergencies(Ruleset.open(redirecting(RedirectRules(go_on, "switch.example"))(shipped)), AT)
    assert proof.counterexamples == [] and proof.calls > 1000


@pytest.mark.parametrize("row", MUTANTS, ids=lambda row: row.name)
def test_a_mutant_is_refused(row: Row, shipped: PlainRuleset) -> None:
    found = prove_emergencies(Ruleset.open(row.mutation(shipped)), AT, make=row.make).counterexamples
    told = {(each.kind, each.path) for each in found}
    assert (row.kind, row.path) in told, told
    assert row.state in {each.state for each in found if (each.kind, each.path) == (row.kind, row.path)}
    for each in found:
        shows_a_call(each)


def shows_a_call(found: Counterexample) -> None:
    assert found.invite.startswith("INVITE ") and "\r\nCall-ID: " in found.invite
    assert found.happened and found.mend and found.trunks[0] == found.trunk
