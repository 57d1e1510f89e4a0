"""Trunks that challenge by 401 and 407: crossed, or answered with the trunk's credentials."""

from __future__ import annotations

import hashlib
import re

import pytest

from sipguard.b2bua import frames
from sipguard.b2bua.credentials import once_more
from sipguard.sip.secret import Account, Secret
from tests.playbook import ANSWER_SDP, SDP, Play, Playbook, body_of, lines, tag_in, value, values

ACCOUNT = Account("sipguard", "trunk.example", Secret(b"open sesame"))
ANY_REALM = Account("sipguard", "", Secret(b"open sesame"))
BUSY = "407 Proxy Authentication Required"


def challenge(nonce: str = "n1", realm: str = "trunk.example", more: str = 'qop="auth", algorithm=MD5') -> str:
    return f'Digest realm="{realm}", nonce="{nonce}", {more}'


def asks(book: Playbook, *values_: str, to: str = "INVITE") -> list[str]:
    """b answers its last request 407 with these challenges."""
    return book.b.reply("407 Proxy Authentication Required", *(f"Proxy-Authenticate: {v}" for v in values_), to=to)


def parts(request: str, name: str = "Proxy-Authorization") -> dict[str, str]:
    """Parameters of the only credentials of a request."""
    (one,) = values(request, name)
    return {key: text.strip('"') for key, text in re.findall(r'([a-z]+)=("[^"]*"|[^,]+)', one)}


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def require_right(request: str, nonce: str, count: int, name: str = "Proxy-Authorization") -> None:
    """The credentials are those of ACCOUNT for this request."""
    found = parts(request, name)
    method, uri = request.split(" ")[:2]
    ha1, ha2 = md5("sipguard:trunk.example:open sesame"), md5(f"{method}:{uri}")
    assert (found["username"], found["realm"], found["nonce"]) == ("sipguard", "trunk.example", nonce)
    assert (found["uri"], found["nc"], found["qop"]) == (uri, f"{count:08x}", "auth")
    assert found["response"] == md5(f"{ha1}:{nonce}:{found['nc']}:{found['cnonce']}:auth:{ha2}")


@pytest.fixture
def ours(play: Play) -> Playbook:
    """A book whose trunk `hop` has given us credentials."""
    return play(accounts={"hop": ACCOUNT})


def established(book: Playbook) -> None:
    """A call whose INVITE was challenged once."""
    a, b = book.a, book.b
    a.invite()
    assert asks(book, challenge()) == ["b ACK", "b INVITE"]
    assert b.reply("200 OK", body=ANSWER_SDP) == ["a 200 OK"]
    assert a.ack() == ["b ACK"]


# ------------------------------------------------------------------------------------------ crossed


@pytest.mark.parametrize(
    ("status", "asking", "answering"),
    [
        ("407 Proxy Authentication Required", "Proxy-Authenticate", "Proxy-Authorization"),
        ("401 Unauthorized", "WWW-Authenticate", "Authorization"),
    ],
)
def test_without_credentials_both_cross(book: Playbook, status: str, asking: str, answering: str) -> None:
    """The caller is asked and answers; both byte for byte."""
    a, b = book.a, book.b
    a.invite()
    assert b.reply(status, f"{asking}: {challenge()}") == ["b ACK", f"a {status}"]
    assert values(a.last(status), asking) == [challenge()]
    a.ack()
    a.invite(f'{answering}: Digest username="x",realm="trunk.example"')
    assert values(b.last("INVITE"), answering) == ['Digest username="x",realm="trunk.example"']
    b.reply("486 Busy Here")
    a.ack()


@pytest.mark.parametrize(
    "asked",
    [
        challenge(realm="callee.example"),
        challenge(more="algorithm=AKAv1-MD5"),
        challenge(more='qop="other"'),
        'Basic realm="trunk.example"',
    ],
    ids=["another realm", "unknown algorithm", "unknown qop", "Basic"],
)
def test_what_is_not_for_us_crosses(ours: Playbook, asked: str) -> None:
    """Never credentials to another realm, never Basic (RFC 8760 §2.6)."""
    ours.a.invite()
    assert asks(ours, asked) == ["b ACK", f"a {BUSY}"]
    ours.a.ack()
    assert not any("username" in message for message in ours.b.got)


# ------------------------------------------------------------------------------------------ answered


def test_a_challenge_is_answered(ours: Playbook) -> None:
    """RFC 3261 §22.2: the same request with the next CSeq; the caller sees nothing of it."""
    a, b = ours.a, ours.b
    a.invite("X-Crosses: yes")
    first = b.last("INVITE")
    assert asks(ours, challenge()) == ["b ACK", "b INVITE"]
    again = b.last("INVITE")
    require_right(again, "n1", 1)
    assert value(again, "CSeq") == "2 INVITE"
    for name in ("Call-ID", "From", "To", "Contact", "X-Crosses", "Max-Forwards"):
        assert values(again, name) == values(first, name)
    assert value(again, "Via") != value(first, "Via")
    assert body_of(again) == body_of(first) == SDP
    assert lines(again)[:-1] == [line for line in lines(again) if not line.startswith("Proxy-Auth")]
    assert b.reply("180 Ringing") == ["a 180 Ringing"]
    assert b.reply("200 OK", body=ANSWER_SDP) == ["a 200 OK"]
    assert a.ack() == ["b ACK"]
    assert value(b.last("ACK"), "CSeq") == "2 ACK"
    assert values(b.last("ACK"), "Proxy-Authorization") == values(again, "Proxy-Authorization")  # §22.1
    assert "407" not in "".join(a.got)
    ours.bye()
    (end,) = ours.of(frames.EndFrame)
    assert [status for _, status in end.tries] == [407, 200]


def test_later_requests_carry_credentials_at_once(ours: Playbook) -> None:
    """RFC 3261 §22.3: the nonce is used again, and counted (RFC 7616 §3.4)."""
    established(ours)
    a, b = ours.a, ours.b
    assert a.request("INFO", body="x") == ["b INFO"]
    require_right(b.last("INFO"), "n1", 2)
    b.reply("200 OK", to="INFO")
    assert a.request("BYE") == ["b BYE"]
    require_right(b.last("BYE"), "n1", 3)
    assert b.reply("200 OK", to="BYE") == ["a 200 OK"]


def test_a_stale_nonce(ours: Playbook) -> None:
    """RFC 7616 §3.3: a new nonce, and another try without a word to anybody."""
    established(ours)
    a, b = ours.a, ours.b
    assert a.request("INVITE", body=SDP) == ["b INVITE"]
    assert asks(ours, challenge("n2", more='qop="auth", stale=true')) == ["b ACK", "b INVITE"]
    require_right(b.last("INVITE"), "n2", 1)
    assert asks(ours, challenge("n3", more='qop="auth", stale=true')) == ["b ACK", "b INVITE"]
    require_right(b.last("INVITE"), "n3", 1)
    assert b.reply("200 OK") == ["a 200 OK"]
    assert a.ack() == ["b ACK"]
    assert value(b.last("ACK"), "CSeq").partition(" ")[0] == value(b.last("INVITE"), "CSeq").partition(" ")[0]
    ours.bye()


def test_a_bye_of_ours_is_challenged(ours: Playbook) -> None:
    established(ours)
    assert ours.hang_up() == ["a BYE", "b BYE"]
    require_right(ours.b.last("BYE"), "n1", 2)
    assert asks(ours, challenge("n2"), to="BYE") == ["b BYE"]
    require_right(ours.b.last("BYE"), "n2", 1)
    assert asks(ours, challenge("n3"), to="BYE") == []  # a wrong answer once is enough
    ours.a.reply("200 OK", to="BYE")


def test_the_calling_side_may_challenge_too(play: Play) -> None:
    """A re-INVITE and a BYE that cross towards the trunk that the call came from."""
    book = play(accounts={"carrier": ACCOUNT})
    a, b = book.a, book.b
    book.establish()
    assert b.request("INVITE", body=SDP) == ["a INVITE"]
    assert a.reply(BUSY, f"Proxy-Authenticate: {challenge()}") == ["a ACK", "a INVITE"]
    require_right(a.last("INVITE"), "n1", 1)
    assert a.reply("200 OK") == ["b 200 OK"]
    assert b.ack() == ["a ACK"]
    assert b.request("BYE") == ["a BYE"]
    require_right(a.last("BYE"), "n1", 2)
    a.reply("200 OK", to="BYE")


def test_a_server_challenges_behind_a_proxy(ours: Playbook) -> None:
    """RFC 3261 §22.3: both credentials then."""
    a, b = ours.a, ours.b
    a.invite()
    assert asks(ours, challenge("p")) == ["b ACK", "b INVITE"]
    assert b.reply("401 Unauthorized", f"WWW-Authenticate: {challenge('w')}") == ["b ACK", "b INVITE"]
    require_right(b.last("INVITE"), "p", 2)
    require_right(b.last("INVITE"), "w", 1, "Authorization")
    b.reply("486 Busy Here")
    a.ack()


def test_the_first_challenge_that_is_understood(ours: Playbook) -> None:
    """RFC 8760 §2.4."""
    a, b = ours.a, ours.b
    a.invite()
    unknown, strong = challenge(more="algorithm=SHA3-256"), challenge(more='qop="auth", algorithm=SHA-256')
    asks(ours, challenge(realm="other.example"), unknown, strong, challenge())
    assert parts(b.last("INVITE"))["algorithm"] == "SHA-256"
    b.reply("486 Busy Here")
    a.ack()


def test_the_realm_of_the_first_challenge_holds(play: Play) -> None:
    """Where none is configured."""
    book = play(accounts={"hop": ANY_REALM})
    book.a.invite()
    assert asks(book, challenge()) == ["b ACK", "b INVITE"]
    require_right(book.b.last("INVITE"), "n1", 1)
    assert asks(book, challenge("n2", realm="other.example")) == ["b ACK", f"a {BUSY}"]
    book.a.ack()


def test_integrity_covers_the_body(ours: Playbook) -> None:
    ours.a.invite()
    asks(ours, challenge(more='qop="auth-int"'))
    found = parts(ours.b.last("INVITE"))
    uri = ours.b.last("INVITE").split(" ")[1]
    ha2 = md5(f"INVITE:{uri}:{md5(SDP)}")
    ha1 = md5("sipguard:trunk.example:open sesame")
    assert found["response"] == md5(f"{ha1}:n1:00000001:{found['cnonce']}:auth-int:{ha2}")
    ours.b.reply("486 Busy Here")
    ours.a.ack()


# ------------------------------------------------------------------------------------------ refused


@pytest.mark.parametrize("again", ["n1", "n2"])
def test_wrong_credentials(ours: Playbook, again: str) -> None:
    """One answer to a challenge; then it is our trouble, so the caller's side may go another way."""
    ours.a.invite()
    asks(ours, challenge())
    assert asks(ours, challenge(again)) == ["b ACK", "a 500 Trunk Credentials Refused"]
    ours.a.ack()
    assert ours.count("credentials_refused") == 1
    assert ours.ends() == ["failed"]


def test_a_server_for_which_every_nonce_is_stale(ours: Playbook) -> None:
    ours.a.invite()
    for n in range(3):
        assert asks(ours, challenge(f"n{n}", more='qop="auth", stale=true')) == ["b ACK", "b INVITE"]
    assert asks(ours, challenge("n9", more="stale=true")) == ["b ACK", "a 500 Trunk Credentials Refused"]
    ours.a.ack()


def test_wrong_credentials_within_a_dialog(ours: Playbook) -> None:
    established(ours)
    assert ours.a.request("INFO") == ["b INFO"]
    assert asks(ours, challenge("n2"), to="INFO") == ["b INFO"]
    assert asks(ours, challenge("n3"), to="INFO") == ["a 500 Trunk Credentials Refused"]
    assert ours.a.request("BYE") == ["b BYE"]
    assert asks(ours, challenge("n3"), to="BYE") == ["b BYE"]
    assert asks(ours, challenge("n4"), to="BYE") == ["a 200 OK"]  # there is nothing left to end


# ------------------------------------------------------------------------------------------ races


def test_a_cancel_follows_the_second_invite(ours: Playbook) -> None:
    """RFC 3261 §9.1: branch and CSeq of the INVITE that is under way."""
    a, b = ours.a, ours.b
    a.invite()
    asks(ours, challenge())
    b.reply("180 Ringing")
    assert a.cancel() == ["a 200 OK", "a 487 Request Terminated", "b CANCEL"]
    assert value(b.last("CANCEL"), "CSeq") == "2 CANCEL"
    assert value(b.last("CANCEL"), "Via") == value(b.last("INVITE"), "Via")
    assert values(b.last("CANCEL"), "Proxy-Authorization") == []  # §22.1: a CANCEL is not challenged
    a.ack()
    b.reply("200 OK", to="CANCEL")
    b.reply("487 Request Terminated")


def test_a_challenge_after_the_caller_gave_up(ours: Playbook) -> None:
    a, b = ours.a, ours.b
    a.invite()
    assert a.cancel() == ["a 200 OK", "a 487 Request Terminated"]
    a.ack()
    assert asks(ours, challenge()) == ["b ACK"]
    assert len(b.all("INVITE")) == 1


def test_a_repeated_challenge_is_acknowledged_again(ours: Playbook) -> None:
    """RFC 3261 §17.1.1.2: it belongs to the first transaction."""
    a, b = ours.a, ours.b
    a.invite()
    first = b.last("INVITE")
    asks(ours, challenge())
    assert b.reply(BUSY, f"Proxy-Authenticate: {challenge()}", request=first) == ["b ACK"]
    assert value(b.last("ACK"), "CSeq") == "1 ACK"
    b.reply("486 Busy Here")
    a.ack()


def test_the_other_peer_is_challenged_anew(ours: Playbook) -> None:
    a, b, c = ours.a, ours.b, ours.c
    a.invite()
    asks(ours, challenge())
    assert b.reply("503 Service Unavailable") == ["b ACK", "c INVITE"]
    assert values(c.last("INVITE"), "Proxy-Authorization") == []
    assert value(c.last("INVITE"), "CSeq") == "1 INVITE"
    c.reply(BUSY, f"Proxy-Authenticate: {challenge('c')}")
    require_right(c.last("INVITE"), "c", 1)
    c.reply("486 Busy Here")
    a.ack()


def test_an_early_dialog_of_a_challenged_call(ours: Playbook) -> None:
    """RFC 3262: RAck names the INVITE of each leg by its own CSeq."""
    a, b = ours.a, ours.b
    a.invite("Supported: 100rel")
    asks(ours, challenge())
    assert b.reply("183 Session Progress", "Require: 100rel", "RSeq: 7", body=ANSWER_SDP) == ["a 183 Session Progress"]
    assert tag_in(value(a.last("183"), "To"))
    assert a.request("PRACK", f"RAck: {value(a.last('183'), 'RSeq')} 1 INVITE") == ["b PRACK"]
    assert value(b.last("PRACK"), "RAck") == "7 2 INVITE"
    require_right(b.last("PRACK"), "n1", 2)
    b.reply("200 OK", to="PRACK")
    b.reply("200 OK")
    a.ack()
    ours.bye()


def test_an_early_response_to_a_challenged_reinvite(ours: Playbook) -> None:
    """The same of a re-INVITE whose nonce had grown old."""
    established(ours)
    a, b = ours.a, ours.b
    a.request("INVITE", body=SDP, cseq=9)
    asks(ours, challenge("n2", more='qop="auth", stale=true'))
    b.reply("183 Session Progress", "Require: 100rel", "RSeq: 7", body=ANSWER_SDP)
    assert a.request("PRACK", "RAck: 7 9 INVITE") == ["b PRACK"]
    assert value(b.last("PRACK"), "RAck") == f"7 {value(b.last('INVITE'), 'CSeq')}"
    b.reply("200 OK", to="PRACK")
    b.reply("200 OK")
    assert a.ack() == ["b ACK"]
    ours.bye()


def test_reports_of_a_challenged_refer(ours: Playbook) -> None:
    """RFC 3515 §2.4.6: the id is the CSeq number of the REFER that was accepted."""
    established(ours)
    a, b = ours.a, ours.b
    a.request("REFER", "Refer-To: <sip:+12125550199@pbx.example>", cseq=9)
    assert asks(ours, challenge("n2", more='qop="auth", stale=true'), to="REFER") == ["b REFER"]
    number = value(b.last("REFER"), "CSeq").split()[0]
    assert b.reply("202 Accepted", to="REFER") == ["a 202 Accepted"]
    b.request("NOTIFY", f"Event: refer;id={number}", "Subscription-State: terminated")
    assert value(a.last("NOTIFY"), "Event") == "refer;id=9"
    a.reply("200 OK", to="NOTIFY")
    ours.bye()
    ours.require_empty_legs()


def test_a_call_that_survived_a_crash(ours: Playbook) -> None:
    """Its trunk's account is that of the Ruleset; the nonce is asked for again."""
    established(ours)
    ours.crash()
    assert ours.a.request("BYE") == ["b BYE"]
    assert values(ours.b.last("BYE"), "Proxy-Authorization") == []
    assert asks(ours, challenge("n2"), to="BYE") == ["b BYE"]
    require_right(ours.b.last("BYE"), "n2", 1)
    assert ours.b.reply("200 OK", to="BYE") == ["a 200 OK"]


def test_a_request_once_more() -> None:
    octets = (
        b"BYE sip:x SIP/2.0\r\nVia: SIP/2.0/TCP h:5060;alias;branch=z9hG4bK1;rport\r\nCSeq: 9 BYE\r\n\r\nbody\r\n\r\n"
    )
    assert once_more(octets, "z9hG4bK2", 10) == (
        b"BYE sip:x SIP/2.0\r\nVia: SIP/2.0/TCP h:5060;alias;branch=z9hG4bK2;rport\r\nCSeq: 10 BYE\r\n\r\nbody\r\n\r\n"
    )
