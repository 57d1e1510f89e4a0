"""The states are what they say: seen by usual calls, which are refused there for that reason alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sipguard.b2bua import frames
from sipguard.b2bua.commands import Clock, Record
from sipguard.proof.calls import entries_of, invite
from sipguard.proof.emergency import USUAL, new_engine, prove_emergencies
from sipguard.proof.states import NOW, peers_of, states
from sipguard.screening.checks import ALL_FACTS, CHECKS
from sipguard.screening.listspec import ListSpec
from sipguard.screening.policy.model import OneOf, Rule
from sipguard.screening.policy.predicates import check_of
from sipguard.screening.ruleset import PlainRuleset, Ruleset
from sipguard.screening.trunk import NamedPeer, Peer, Trunk
from sipguard.sip.locate import Query
from tests.playbook import B_AT, C_AT
from tests.playbook import ruleset as two_trunks
from tests.proof.build import AT, Between, Forgetful

STATES = {state.name: state for state in states()}
CLOCK = Clock(NOW, AT)


def verdict_in(state: str, plain: PlainRuleset) -> frames.VerdictFrame:
    """The verdict on a usual call in a state."""
    given = STATES[state].ruleset(Ruleset.open(plain))
    engine = new_engine(given)
    ((entry, *_), _) = entries_of(engine, given.trunks["carrier"])
    commands = engine.received(entry.flow, invite(entry, USUAL, 1).encode(), CLOCK)
    (found,) = [c.frame for c in commands if isinstance(c, Record) and isinstance(c.frame, frames.VerdictFrame)]
    return found


@pytest.mark.parametrize("check", CHECKS)
def test_a_check_that_has_failed_has_failed_alone(check: str) -> None:
    asked = next(spec.name for spec in ALL_FACTS if check_of(spec.name) == check)
    found = verdict_in(f"check_{check}", two_trunks(Rule("asks", OneOf(asked, ("none of those",)), basis="contract")))
    assert (found.rule, list(found.unscreened)) == ("unscreened", [check])


@pytest.mark.parametrize(
    ("kind", "which", "member"),
    [("texts", "upstream", "friendly-scanner"), ("networks", "upstream", "192.0.2.77"), ("trunks", "upstream", "hop")],
)
def test_where_all_is_listed_lists_of_texts_and_networks_hold_it_too(kind: str, which: str, member: str) -> None:
    spec = ListSpec("bad", kind=kind, bind=(which,), members=(member,))
    plain = two_trunks(Rule("listed", OneOf(f"lists.{which}", ("bad",)), basis="order"), lists=(spec,))
    assert verdict_in("normal", plain).rule == "default"
    assert verdict_in("listed", plain).rule == "listed"


def test_lists_of_signers_hold_them_all_too() -> None:
    spec = ListSpec("bad", kind="texts", bind=("signer",), members=("999X",))
    lists = STATES["listed"].ruleset(Ruleset.open(two_trunks(lists=(spec,)))).lists
    assert lists.signer is not None and lists.signer.of(["709J"], "", AT) == ("bad",)


def third(**fields: object) -> PlainRuleset:
    """Calls of `carrier` leave by `hop` with two peers, then by a trunk of its own with one."""
    more = Trunk("more", "interconnect", (), ("inside",), peers=(Peer("192.0.2.99", 5060),))
    plain = two_trunks(trunks=[more], hop={"peers": (Peer(*B_AT), Peer(*C_AT))}, **fields)  # type: ignore[arg-type]
    return replace(plain, emergency_route="more")


def test_all_peers_are_awaited_that_a_call_has_a_way_to() -> None:
    ruleset = Ruleset.open(third())
    assert peers_of(new_engine(ruleset), ruleset, ruleset.trunks["carrier"]) == {B_AT, C_AT, ("192.0.2.99", 5060)}
    assert prove_emergencies(ruleset, AT).counterexamples == []


def test_peers_under_names_are_there_again_behind_a_ruleset_without_them() -> None:
    named = NamedPeer(Query("sip.carrier.example", 0, ("udp",), ((4,),)), (((4, "inside"),),))
    ruleset = Ruleset.open(two_trunks(hop={"peers": (), "named": (named,)}))
    harmed = {each.state for each in prove_emergencies(ruleset, AT).counterexamples if each.trunk == "carrier"}
    assert harmed == set()


def ending(text: str) -> str:
    """A refusal that ends the search in the place of one that goes on."""
    return text.replace("SIP/2.0 503 Service Unavailable", "SIP/2.0 603 Decline")


def test_a_call_that_is_given_up_before_its_last_peer_is_found() -> None:
    proved = prove_emergencies(Ruleset.open(third()), AT, make=lambda given: Between(new_engine(given), ending))
    found = {(each.kind, each.state, each.path) for each in proved.counterexamples}
    assert found == {("given_up", "failover", ("trunks", "carrier", "route"))}


def test_a_call_that_ends_with_its_ruleset_is_found() -> None:
    proved = prove_emergencies(Ruleset.open(third()), AT, make=lambda given: Forgetful(new_engine(given)))
    assert {each.state for each in proved.counterexamples if each.kind == "unanswered"} == {"reloading", "replaced"}
