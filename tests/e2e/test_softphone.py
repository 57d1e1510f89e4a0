"""Softphones of other authors, PJSUA2 and baresip, call through sipguard: their SDP, hold, digits, transfer."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import MakeProduct, Signer
from tests.e2e.phones import Baresip, Phone, pjsua_is_missing
from tests.e2e.product import CALLER_HOST, HOP_HOST, INNER, OUTER, Product, configuration, wait_for
from tests.pki import Pki, identity_value, passport
from tests.standin import body, header
from tests.wanted import reason

pytestmark = pytest.mark.e2e


def needs(lacking: str) -> pytest.MarkDecorator:
    """Skips where something is missing, but not where CI is set."""
    return pytest.mark.skipif(bool(lacking) and not os.environ.get("CI"), reason=lacking or "it is there")


pjsua = needs(pjsua_is_missing())
baresip = needs(reason("baresip"))

CALLER, CALLEE = "+12025550101", "+12125550131"


class Pair:
    """A softphone on each side of a product."""

    def __init__(self, transport: str, make_product: MakeProduct, signer: Signer, directory: Path) -> None:
        self.transport = transport
        self.over = "" if transport == "udp" else f";transport={transport}"
        tls: tuple[str, ...] = ()
        shape: dict[str, Any] = {"transport": transport}
        if transport == "tls":
            pki = Pki()
            pki.write_tls(directory, "edge", (OUTER, INNER))
            pki.write_tls(directory, "phone", (CALLER_HOST, HOP_HOST))
            tls = tuple(str(directory / each) for each in ("ca.pem", "phone.pem", "phone.key"))
            names = {"ca": "ca.pem", "certificate": "edge.pem", "key": "edge.key"}
            shape["tls"] = {key: str(directory / name) for key, name in names.items()} | {"clients": "required"}
        self.a, self.b = Phone(transport, CALLER_HOST, *tls), Phone(transport, HOP_HOST, *tls)
        config: dict[str, Any] = configuration(self.b.port)
        for listener in config["listeners"].values():
            listener.update(shape)
        self.product: Product = make_product(
            listeners=config["listeners"], trunks=config["trunks"], identity=signer.identity()
        )

    def uri(self, callee: str) -> str:
        """How the caller's phone is told to dial."""
        host, port = self.product.address()
        return f"sip:{callee}@{host}:{port}{self.over}"

    def up(self, **headers: str) -> None:
        """A call from a to b, answered."""
        self.a.tell("call", uri=self.uri(CALLEE), headers=headers)
        self.b.wait("incoming")
        self.a.wait("state", state="EARLY")
        self.b.tell("answer", status=200)
        self.a.wait("state", state="CONFIRMED")
        self.b.wait("state", state="CONFIRMED")

    def close(self) -> None:
        """Ends both."""
        self.a.close()
        self.b.close()


@pytest.fixture
def pair(make_product: MakeProduct, signer: Signer, tmp_path: Path) -> Iterator[Callable[[str], Pair]]:
    """Opens a pair over a transport."""
    opened: list[Pair] = []

    def open_(transport: str) -> Pair:
        opened.append(Pair(transport, make_product, signer, tmp_path))
        return opened[-1]

    yield open_
    for each in opened:
        each.close()


def bodies(phone: Phone | Baresip, start: str, sent: bool) -> list[str]:
    """Bodies of messages that begin so, in transactions of INVITEs; each once."""
    found = [body(each) for each in phone.heard(start, sent) if header(each, "CSeq").endswith("INVITE")]
    return list(dict.fromkeys(found))


def require_the_same_sdp(one: Phone | Baresip, other: Phone | Baresip) -> None:
    """What either sent, in INVITEs and their 200, is what the other got, octet for octet."""
    for sender, receiver in ((one, other), (other, one)):
        for start in ("INVITE", "SIP/2.0 200"):
            sent = bodies(sender, start, True) if sender.count(start, sent=True) else []
            assert sent == (bodies(receiver, start, False) if sent else [])
            assert all(each.startswith("v=0\r\n") and each.endswith("\r\n") for each in sent)


def held(holding: Phone, other: Phone) -> None:
    """`holding` puts `other` on hold and takes it back; each re-INVITE is over before the next (RFC 3261 §14.2)."""
    for do, status in (("hold", 3), ("unhold", 1)):  # PJSUA_CALL_MEDIA_REMOTE_HOLD, _ACTIVE
        acknowledged = other.count("ACK")
        holding.tell(do)
        other.wait("media", status=[status])
        wait_for(lambda acknowledged=acknowledged: other.count("ACK") > acknowledged, "the ACK")


@pjsua
@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_a_call_with_hold_and_digits(pair: Callable[[str], Pair], signer: Signer, transport: str) -> None:
    two = pair(transport)
    a, b = two.a, two.b
    value = identity_value(passport(CALLER.lstrip("+"), CALLEE.lstrip("+"), signer.leaf.key, signer.x5u), signer.x5u)
    two.up(Identity=value)
    wait_for(lambda: b.count("ACK") == 1, "the ACK")
    assert [header(each, "Identity") for each in b.heard("INVITE")] == [value]

    held(a, b)
    held(b, a)
    a.tell("digit", digit="5")
    assert b.wait("digit")["digit"] == "5"
    b.tell("digit", digit="#")
    assert a.wait("digit")["digit"] == "#"

    b.tell("hangup")
    a.wait("state", state="DISCONNECTED")
    b.wait("state", state="DISCONNECTED")
    require_the_same_sdp(a, b)
    assert len(bodies(a, "INVITE", True)) == len(bodies(b, "INVITE", True)) + 1 == 3, "the call, on hold, and back"
    row = two.product.call_of(CALLEE, 0.0)
    assert (row["disposition"], row["identity"]) == ("answered", "passed")


@pjsua
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_caller_who_gives_up(pair: Callable[[str], Pair], transport: str) -> None:
    two = pair(transport)
    two.a.tell("call", uri=two.uri(CALLEE))
    two.b.wait("incoming")
    two.a.wait("state", state="EARLY")
    two.a.tell("hangup")
    assert two.a.wait("state", state="DISCONNECTED")["code"] == 487
    assert two.b.wait("state", state="DISCONNECTED")["code"] == 487
    assert two.product.call_of(CALLEE, 0.0)["disposition"] == "cancelled"


@pjsua
def test_a_callee_who_is_busy(pair: Callable[[str], Pair]) -> None:
    two = pair("udp")
    two.a.tell("call", uri=two.uri(CALLEE))
    two.b.wait("incoming")
    two.b.tell("answer", status=486)
    assert two.a.wait("state", state="DISCONNECTED")["code"] == 486
    assert two.product.call_of(CALLEE, 0.0)["disposition"] == "busy"


@pjsua
def test_a_transfer(pair: Callable[[str], Pair]) -> None:
    """The callee transfers the caller (RFC 3515): REFER and NOTIFY cross, the new call comes through us again."""
    two = pair("udp")
    a, b = two.a, two.b
    two.up()
    b.tell("transfer", uri=two.uri("+12125550132"))
    assert two.uri("+12125550132") in a.wait("transfer")["to"]
    b.wait("incoming")
    b.tell("answer", status=200)
    assert b.wait("transferred", final=True)["code"] == 200
    b.tell("hangup", first=True)
    b.wait("state", state="DISCONNECTED")
    b.tell("hangup")
    b.wait("state", state="DISCONNECTED")
    first, second = (two.product.call_of(number, 0.0) for number in (CALLEE, "+12125550132"))
    assert (first["disposition"], second["disposition"]) == ("answered", "answered")


@baresip
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_call_between_others(make_product: MakeProduct, tmp_path: Path, transport: str) -> None:
    opened: list[Baresip] = []
    try:
        for name, host, user in (("a", CALLER_HOST, CALLER), ("b", HOP_HOST, CALLEE)):
            opened.append(Baresip(tmp_path / name, transport, host, user))
        a, b = opened
        config: dict[str, Any] = configuration(b.port)
        for listener in config["listeners"].values():
            listener["transport"] = transport
        config["trunks"]["carrier"]["sources"] += ["127.0.0.1"]  # where connections of both come from
        config["trunks"]["hop"] |= {"sources": ["127.0.0.1"], "route": "hop"}
        product = make_product(listeners=config["listeners"], trunks=config["trunks"])
        host, port = product.address()
        a.tell("dial", f"sip:{CALLEE}@{host}:{port}{'' if transport == 'udp' else ';transport=tcp'}")
        a.heard("SIP/2.0 180")
        b.tell("accept")
        wait_for(lambda: b.count("ACK") == 1, "the call is up")
        for n, (who, other) in enumerate(((a, b), (b, a))):
            for k, do in enumerate(("hold", "resume")):
                who.tell(do)
                wait_for(lambda other=other, seen=k + 2 - n: other.count("ACK") == seen, f"{do} of {who.host}")
        a.tell("hangup")
        wait_for(lambda: b.count("BYE") == 1, "the BYE")
        require_the_same_sdp(a, b)
    finally:
        for each in opened:
            each.close()
    assert product.call_of(CALLEE, 0.0)["disposition"] == "answered"
