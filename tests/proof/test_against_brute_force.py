"""The proof against brute force: each trunk, each writing, each state by itself, in an engine of its own.

Small spaces, generated: what the proof says of each trunk must be what going through everything says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network
from itertools import product
from typing import Any

import pytest

from sipguard.b2bua.commands import Clock, Drain
from sipguard.numbers.rules import NumberRules
from sipguard.proof.emergency import new_engine, prove_emergencies
from sipguard.screening.guard import Settings as GuardSettings
from sipguard.screening.ruleset import PlainRuleset, Ruleset
from sipguard.screening.trunk import Limits, Peer, Trunk
from sipguard.sip.flow import Flow, Send
from tests.playbook import B_AT, C_AT
from tests.playbook import ruleset as two_trunks
from tests.proof.build import AT

USERS = ("911", "9-1-1", "110", "9911", "9110", "7110")
READS = (NumberRules(), NumberRules(strip_prefix="9"), NumberRules(tech_prefix="7"), NumberRules(tech_prefix=r"\d"))
PEERS: tuple[tuple[Peer, ...], ...] = ((), (Peer(*B_AT),), (Peer(*B_AT), Peer(*C_AT)))


def spaces() -> Iterator[tuple[str, PlainRuleset]]:
    """Small configurations of three trunks that call: one of each kind of reading, two alike."""
    for (n, read), peers, route, limits in product(
        enumerate(READS), PEERS, ("hop", ""), (Limits(), Limits(cps=1, calls=1))
    ):
        more = [
            Trunk(f"t{m}", "gateway", (ip_network(f"192.0.2.{60 + m}"),), ("outside",), route, read=read, limits=limits)
            for m in range(2)
        ]
        plain = two_trunks(trunks=more, carrier={"read": READS[0]}, hop={"peers": peers, "sources": ()})
        emergency = GuardSettings(frozenset({"110"}))
        yield f"{n} {len(peers)} {route or 'none'} {limits.calls}", replace(plain, emergency=emergency)


def harmed(ruleset: Ruleset) -> set[str]:
    """Trunks of which a call does not arrive as it was dialled, or is told no, in one state at least."""
    found = set()
    for trunk in ruleset.trunks.values():
        for user, state in product(USERS, ("normal", "draining", "overload")) if trunk.sources else ():
            code = dialled(user, trunk.read)
            if code and not arrives(ruleset, trunk, user, code, state):
                found.add(trunk.name)
    return found


def dialled(user: str, read: NumberRules) -> str:
    """The code that peers of the trunk mean by it, "" where they mean none: none dials a prefix that is not his."""
    if user in ("911", "9-1-1", "110"):
        return user.replace("-", "")
    if user == "9911":
        return "911" if "9" in (read.strip_prefix, read.tech_prefix) else ""
    if user == "9110":
        return "110" if read.strip_prefix == "9" else ""
    return "110" if read.tech_prefix == "7" else ""


def arrives(ruleset: Ruleset, trunk: Trunk, user: str, code: str, state: str) -> bool:
    engine = new_engine(ruleset)
    clock = Clock(1.0, AT, 60.0 if state == "overload" else 0.0)
    if state == "draining":
        engine.control(Drain(), clock)
    address = str(trunk.sources[0].network_address)
    text = (
        f"INVITE sip:{user}@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP {address};branch=z9hG4bK1\r\n"
        f"From: <sip:+12025550101@{address}>;tag=1\r\nTo: <sip:{user}@192.0.2.1>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n"
        f"Contact: <sip:{address}>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
    sent: list[Any] = engine.received(Flow(0, "udp", "outside", (address, 5060)), text.encode(), clock)
    left = [each.octets.decode() for each in sent if isinstance(each, Send) and each.octets.startswith(b"INVITE")]
    if not left:
        return False
    return left[0].partition("sip:")[2].partition("@")[0].replace("-", "") == code


@pytest.mark.parametrize(("name", "plain"), [pytest.param(*each, id=each[0]) for each in spaces()])
def test_they_say_the_same(name: str, plain: PlainRuleset) -> None:
    ruleset = Ruleset.open(plain)
    proved = prove_emergencies(ruleset, AT)
    assert {trunk for each in proved.counterexamples for trunk in each.trunks} == harmed(ruleset)
