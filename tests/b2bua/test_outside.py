"""Requests outside dialogs: what is refused and how, extensions, hops, loops and spirals."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sipguard.b2bua.extensions import END_TO_END, NOT_END_TO_END
from sipguard.b2bua.outside import REFUSED
from sipguard.screening.trunk import Trunk
from sipguard.sip.parse import METHODS
from tests.playbook import Playbook, body_of, lines, value, values


def outside(book: Playbook, method: str, *headers: str) -> list[str]:
    """A request outside of any dialog, by a."""
    a = book.a
    a.target = f"sip:{book.public('outside')}"
    a.call_id, a.local, a.remote, a.cseq = "out-1", f"<sip:a@{a.host}>;tag=o1", "<sip:us@192.0.2.1>", 0
    return a.request(method, *headers)


# ------------------------------------------------------------------------------------------ methods


@pytest.mark.parametrize(("method", "status", "phrase"), [(name, *how) for name, how in REFUSED.items()])
def test_a_method_that_is_not_served(book: Playbook, method: str, status: int, phrase: str) -> None:
    """405 with Allow (RFC 3261 §8.2.1), or 481 where the method belongs to a dialog that is not there."""
    assert outside(book, method) == [f"a {status} {phrase}"]
    answer = book.a.last(str(status))
    assert book.count("refused_methods") == 1
    if status == 405:
        allowed = value(answer, "Allow").split(", ")
        assert method not in allowed
        assert {"INVITE", "ACK", "BYE", "CANCEL", "OPTIONS"} <= set(allowed)
    else:
        assert values(answer, "Allow") == []


def test_a_method_that_nobody_knows(book: Playbook) -> None:
    """RFC 3261 §21.5.2: 501, since 405 says that it is known."""
    assert outside(book, "FROBNICATE") == ["a 501 Not Implemented"]


def test_every_method_has_its_answer() -> None:
    assert set(REFUSED) == METHODS - {"INVITE", "ACK", "CANCEL", "OPTIONS"}


@pytest.mark.parametrize("method", [*REFUSED, "FROBNICATE"])
def test_a_refusal_is_repeated_like_any_answer(book: Playbook, method: str) -> None:
    """RFC 3261 §17.2.2: by its transaction."""
    (first,) = outside(book, method)
    assert book.a.again() == [first]
    assert book.count("refused_methods") == 1


def test_a_cancel_for_nothing(book: Playbook) -> None:
    """RFC 3261 §9.2: 481; an ACK for nothing is dropped."""
    book.a.invite()
    book.a.cancel()
    book.b.reply("487 Request Terminated")
    other = book.a.invited.replace("z9hG4bK", "z9hG4bKother")
    book.a.invited = other
    assert book.a.cancel() == ["a 481 Call/Transaction Does Not Exist"]
    assert book.a.send(book.a.companion("ACK")) == []


# ------------------------------------------------------------------------------------------ extensions


@pytest.mark.parametrize("header", ["Require", "Proxy-Require"])
@pytest.mark.parametrize("tag", NOT_END_TO_END)
def test_what_does_not_pass_through_us(book: Playbook, header: str, tag: str) -> None:
    """RFC 3261 §8.2.2.3: 420, and what was not understood."""
    assert book.a.invite(f"{header}: timer, {tag.upper()}") == ["a 420 Bad Extension"]
    assert values(book.a.last("420"), "Unsupported") == [tag.upper()]
    book.a.ack()


@pytest.mark.parametrize("tag", END_TO_END)
def test_what_the_two_ends_must_know_crosses(book: Playbook, tag: str) -> None:
    assert book.a.invite(f"Require: {tag}") == ["b INVITE"]
    assert value(book.b.last("INVITE"), "Require") == tag
    assert book.b.reply("420 Bad Extension", f"Unsupported: {tag}") == ["b ACK", "a 420 Bad Extension"]
    assert value(book.a.last("420"), "Unsupported") == tag
    book.a.ack()


def test_every_tag_is_in_one_table_with_its_rfc() -> None:
    assert not END_TO_END.keys() & NOT_END_TO_END.keys()
    assert all(why.startswith("RFC ") for why in (*END_TO_END.values(), *NOT_END_TO_END.values()))


def test_an_emergency_call_is_for_its_answerer_to_judge(book: Playbook) -> None:
    assert book.a.invite("Require: nothingSIPible", callee="911") == ["b INVITE"]
    book.b.reply("486 Busy Here")
    book.a.ack()


def test_extensions_within_a_dialog(book: Playbook) -> None:
    """RFC 3261 §12.2.2, §8.2.2.3; the CSeq counts all the same."""
    book.establish()
    assert book.a.request("UPDATE", "Require: sec-agree") == ["a 420 Bad Extension"]
    assert book.a.request("UPDATE", "Require: sec-agree", cseq=2) == ["a 500 Request Out Of Order"]
    assert book.a.request("INFO", "Require: timer") == ["b INFO"]
    book.b.reply("200 OK", to="INFO")
    book.bye()


# ------------------------------------------------------------------------------------------ hops and loops


@pytest.mark.parametrize(("said", "left"), [("70", "69"), ("1", "0"), ("255", "254"), ("", "69")])
def test_hops(book: Playbook, said: str, left: str) -> None:
    """RFC 7332 §5: a B2BUA passes Max-Forwards on, less one."""
    given = [f"Max-Forwards: {said}"] if said else []
    book.a.invite(*given, leave_out=() if said else ("max-forwards",))
    assert value(book.b.last("INVITE"), "Max-Forwards") == left
    book.b.reply("486 Busy Here")
    book.a.ack()


def test_max_breadth_crosses(book: Playbook) -> None:
    """RFC 7332 §6."""
    book.a.invite("Max-Breadth: 60")
    assert value(book.b.last("INVITE"), "Max-Breadth") == "60"
    book.b.reply("486 Busy Here")
    book.a.ack()


@pytest.fixture
def open_book() -> Iterator[Playbook]:
    """A playbook in which a knows what b got, as a proxy between them does: nothing is hidden there."""
    book = Playbook(hop={"route": "far"}, trunks=(Trunk("far", "interconnect", (), ("outside",), "", ()),))
    yield book
    book.wait(32.5)
    book.require_empty()


def sent_back(book: Playbook, uri: str = "", joined: bool = False) -> list[str]:
    """The INVITE that b got comes back to where a sends, by a proxy: its Via on top, Request-URI to us."""
    invite = book.b.last("INVITE")
    uri = uri or f"sip:{invite.split(' ')[1].partition(':')[2].partition('@')[0]}@{book.public('outside')}"
    top = "SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK-proxy"
    kept = [line for line in lines(invite) if not line.startswith("Via:")]
    ours = value(invite, "Via")
    vias = [f"Via: {top}, {ours}"] if joined else [f"Via: {top}", f"Via: {ours}"]
    book.a.invited = "\r\n".join([f"INVITE {uri} SIP/2.0", *vias, *kept, "", invite.partition("\r\n\r\n")[2]])
    return book.a.send(book.a.invited)


@pytest.mark.parametrize("joined", [False, True])
def test_a_loop(open_book: Playbook, joined: bool) -> None:
    """RFC 3261 §16.3 step 4: our own Via, the same trunk and the same Request-URI."""
    book = open_book
    a, b = book.a, book.b
    a.invite()
    mine = a.invited
    assert sent_back(book, joined=joined) == ["a 482 Loop Detected"]
    assert a.send(a.companion("ACK", to=value(a.last("482"), "To"))) == []
    a.invited = mine
    b.reply("482 Loop Detected")
    a.ack()
    assert book.ends() == ["failed"]


def test_a_spiral_passes(open_book: Playbook) -> None:
    """RFC 5393 §4.2: with another Request-URI it is routed elsewhere."""
    book = open_book
    a, b = book.a, book.b
    a.invite()
    mine = a.invited
    assert sent_back(book, uri="sip:+12125550177@192.0.2.1") == ["b INVITE"]
    counted = book.engine.counters.trunks.of("carrier")
    assert counted is not None and (counted.attempts_1h(1_000_000), counted.concurrent) == (1, 1), "it counts once"
    assert b.reply("486 Busy Here") == ["b ACK", "a 486 Busy Here"]
    a.ack()
    first = next(m for m in b.got if m.startswith("INVITE"))
    b.reply("486 Busy Here", request=first)
    a.invited = mine
    a.ack()


def test_a_call_may_cross_us_twice_by_different_trunks(open_book: Playbook) -> None:
    """A core sends it on to another carrier."""
    book = open_book
    a, b = book.a, book.b
    a.invite()
    invite = b.last("INVITE")
    uri = f"sip:{invite.split('sip:')[1].partition('@')[0]}@198.51.100.1"
    kept = "\r\n".join(lines(invite))
    top = "Via: SIP/2.0/UDP 198.51.100.20:5060;branch=z9hG4bK-core"
    b.invited = f"INVITE {uri} SIP/2.0\r\n{top}\r\n{kept}\r\n\r\n{body_of(invite)}"
    assert b.send(b.invited) == ["b 500 No Peer Reachable"]
    assert b.send(b.companion("ACK", to=value(b.last("500"), "To"))) == []
    b.reply("486 Busy Here", request=invite)
    a.ack()


def test_vias_of_others_do_no_harm(book: Playbook) -> None:
    """Several of them, ours of a call that is over, broken ones below the first."""
    for via in ("SIP/2.0/UDP 203.0.113.7;branch=z9hG4bK0ffffffffffffffff", "nonsense", 'SIP/2.0/UDP x;branch="'):
        assert book.a.invite(f"Via: {via}") == ["b INVITE"]
        book.b.reply("486 Busy Here")
        book.a.ack()
