"""Identities at the border of the trust domain: which cross to whom (RFC 3323, RFC 3325, RFC 8224 §11)."""

from __future__ import annotations

import pytest

from sipguard.b2bua.privacy import ASSERTED, INFORMAL, without
from tests.playbook import ANSWER_SDP, SDP, Play, Playbook, lines, uri_in, value, values

PAI = "P-Asserted-Identity: <sip:+12025550101@carrier.example>"
PPI = "P-Preferred-Identity: <sip:+12025550101@carrier.example>"
RPID = "Remote-Party-ID: <sip:+12025550101@carrier.example>;party=calling"
IDENTITY = "Identity: eyJh.eyJi.c2ln;info=<https://certs.example/a.pem>;alg=ES256;ppt=shaken"
ALL = (PAI, PPI, RPID)
NAMES = tuple(line.partition(":")[0] for line in ALL)


def forwarded(book: Playbook, *headers: str, **fields: str) -> str:
    """The INVITE as it arrives; the call is refused afterwards."""
    book.a.invite(*headers, **fields)
    invite = book.b.last("INVITE")
    book.b.reply("486 Busy Here")
    book.a.ack()
    return invite


def shown(invite: str) -> list[str]:
    """Which of the three headers stand in it."""
    return [name for name in NAMES if values(invite, name)]


@pytest.mark.parametrize("privacy", ["", "id", "id;critical", "user;id", "header;user;id", "none"])
def test_by_default_all_is_one_trust_domain(book: Playbook, privacy: str) -> None:
    """RFC 3325 §5: a trusted neighbour gets the identity, and with it the wish to keep it."""
    given = [f"Privacy: {privacy}"] if privacy else []
    invite = forwarded(book, *ALL, *given)
    assert shown(invite) == list(NAMES)
    assert value(invite, "Privacy") == privacy


@pytest.mark.parametrize(
    ("send", "privacy", "kept"),
    [
        ("unless_private", "", NAMES),
        ("unless_private", "none", NAMES),
        ("unless_private", "header", NAMES),
        ("unless_private", "id", ()),
        ("unless_private", "ID ; critical", ()),
        ("unless_private", "header,id", ()),
        ("unless_private", "id;none", NAMES),
        ("never", "", ()),
        ("never", "none", ()),
    ],
)
def test_what_a_trunk_outside_gets(play: Play, send: str, privacy: str, kept: tuple[str, ...]) -> None:
    """RFC 3325 §7: `id` takes the assertions out, `none` forbids that."""
    book = play(hop={"send_pai": send})
    invite = forwarded(book, *ALL, *([f"Privacy: {privacy}"] if privacy else []), IDENTITY)
    assert shown(invite) == list(kept)
    assert values(invite, "Identity") == [IDENTITY.partition(": ")[2]]  # RFC 8224 §11: MUST NOT be removed


@pytest.mark.parametrize("accept", [True, False])
def test_what_a_trunk_outside_says(play: Play, accept: bool) -> None:
    """RFC 3325 §5: an assertion of who is not trusted does not cross."""
    book = play(carrier={"accept_pai": accept})
    assert shown(forwarded(book, *ALL)) == (list(NAMES) if accept else [])


def test_folded_and_compact_headers_are_found(play: Play) -> None:
    book = play(hop={"send_pai": "never"})
    invite = forwarded(book, "p-asserted-identity: <sip:a@b>\r\n ;x=1", "X-Kept: one\r\n two", "s: about you")
    assert shown(invite) == []
    assert ";x=1" not in invite
    assert "X-Kept: one\r\n two" in invite
    assert without("s: about\r\n\tyou\r\nA: b", INFORMAL) == "A: b"


@pytest.mark.parametrize("verify", [True, False])
def test_verstat_finds_its_place(play: Play, verify: bool) -> None:
    """It stands in From once P-Asserted-Identity is gone, and in the right line where others are gone."""
    book = play(hop={"send_pai": "unless_private"}, carrier={"verify": verify})
    mark = ";verstat=No-TN-Validation" if verify else ""
    invite = forwarded(book, PAI, "Privacy: id")
    assert uri_in(value(invite, "From")) == f"sip:+12025550101{mark}@198.51.100.1"
    invite = forwarded(book, "Subject: hello", "Call-Info: <https://x.example>", PAI, "Privacy: user")
    assert values(invite, "P-Asserted-Identity") == [f"<sip:+12025550101{mark}@carrier.example>"]
    assert not values(invite, "Subject") + values(invite, "Call-Info")


@pytest.mark.parametrize(
    ("send", "privacy", "anonymous"),
    [
        ("always", "user;id", False),
        ("unless_private", "user;id", True),
        ("unless_private", "user", True),
        ("never", "user", True),
        ("unless_private", "id", False),
        ("unless_private", "header", False),
        ("unless_private", "", False),
    ],
)
def test_from_is_anonymous_only_where_that_was_asked(play: Play, send: str, privacy: str, anonymous: bool) -> None:
    """RFC 3323 §5.3, §4.1.1.3."""
    book = play(hop={"send_pai": send, "verstat": "off"})
    given = [f"Privacy: {privacy}"] if privacy else []
    from_ = value(forwarded(book, *given, shown_as='"Alice" <sip:+12025550101@192.0.2.10>'), "From")
    hidden = from_.startswith('"Anonymous" <sip:anonymous@anonymous.invalid>;tag=')
    assert hidden is anonymous
    assert ("+12025550101" in from_) is not anonymous


def test_no_verstat_on_an_anonymous_from(play: Play) -> None:
    invite = forwarded(play(hop={"send_pai": "unless_private"}), PAI, "Privacy: user;id")
    assert "verstat" not in invite
    assert "+12025550101" not in invite


def test_an_emergency_call_keeps_its_identity(play: Play) -> None:
    """A PSAP must be able to call back, whatever was asked; nothing of its location is touched either (RFC 6442)."""
    book = play(hop={"send_pai": "never"}, carrier={"accept_pai": False})
    location = "Geolocation: <cid:target123@example.com>"
    invite = forwarded(book, *ALL, "Privacy: user;id", location, callee="911")
    assert shown(invite) == list(NAMES)
    assert location in lines(invite)
    assert "+12025550101" in value(invite, "From")


@pytest.mark.parametrize(
    ("send", "asked", "lacking"),
    [
        ("always", "session;critical", ""),
        ("unless_private", "session", ""),
        ("unless_private", "id;user;header;critical", ""),
        ("unless_private", "session;critical", "session"),
        ("never", "history;id;session;critical", "history, session"),
    ],
)
def test_critical_privacy_that_cannot_be_provided(play: Play, send: str, asked: str, lacking: str) -> None:
    """RFC 3323 §5: 500 with what is lacking; who is inside the trust domain may have it."""
    book = play(hop={"send_pai": send})
    sent = book.a.invite(f"Privacy: {asked}")
    assert sent == ([f"a 500 Privacy Failure - {lacking}"] if lacking else ["b INVITE"])
    if not lacking:
        book.b.reply("486 Busy Here")
    book.a.ack()
    assert len(book.ends()) == 1
    assert book.a.invite(f"Privacy: {asked}", callee="911") == ["b INVITE"]
    book.b.reply("486 Busy Here")
    book.a.ack()


def test_within_a_call_the_same_holds(play: Play) -> None:
    """Requests and responses of both sides (RFC 3325 §5, §6)."""
    book = play(hop={"send_pai": "unless_private"}, carrier={"send_pai": "never"})
    a, b = book.a, book.b
    a.invite()
    assert b.reply("180 Ringing", *ALL) == ["a 180 Ringing"]
    assert shown(a.last("180")) == []
    b.reply("200 OK", *ALL, body=ANSWER_SDP)
    assert shown(a.last("200")) == []
    a.ack()
    assert a.request("INVITE", *ALL, "Privacy: id", body=SDP) == ["b INVITE"]
    assert shown(b.last("INVITE")) == []
    b.reply("200 OK", *ALL)
    assert shown(a.last("200")) == []
    a.ack()
    assert a.request("UPDATE", *ALL) == ["b UPDATE"]
    assert shown(b.last("UPDATE")) == list(NAMES)
    b.reply("200 OK", to="UPDATE")
    book.crash()
    assert b.request("UPDATE", *ALL) == ["a UPDATE"]
    assert shown(a.last("UPDATE")) == []
    a.reply("200 OK", to="UPDATE")
    book.bye()


def test_failures_are_filtered_too(play: Play) -> None:
    book = play(carrier={"send_pai": "never"})
    book.a.invite()
    assert book.b.reply("486 Busy Here", PAI) == ["b ACK", "a 486 Busy Here"]
    assert shown(book.a.last("486")) == []
    book.a.ack()


def test_names_are_keys() -> None:
    assert all(name == name.lower() for name in ASSERTED | INFORMAL)


@pytest.mark.parametrize(("count", "crosses"), [(10, True), (11, False)])
def test_more_numbers_than_are_looked_at_do_not_cross(play: Play, count: int, crosses: bool) -> None:
    book = play()
    asserted = ", ".join(f"<tel:+1202555{n:04d}>" for n in range(100, 100 + count))
    book.a.invite(f"P-Asserted-Identity: {asserted}")
    assert (values(book.b.last("INVITE"), "P-Asserted-Identity") != []) is crosses
    book.b.reply("486 Busy Here")
    book.a.ack()


def test_a_psap_sees_them_all(play: Play) -> None:
    book = play()
    asserted = ", ".join(f"<tel:+1202555{n:04d}>" for n in range(100, 111))
    book.a.invite(f"P-Asserted-Identity: {asserted}", callee="911")
    assert value(book.b.last("INVITE"), "P-Asserted-Identity").count("<tel:+1202555") == 11
    book.b.reply("486 Busy Here")
    book.a.ack()
