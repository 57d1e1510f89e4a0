"""Dialogs that a request names: the far side finds the identifiers that it knows."""

from __future__ import annotations

from urllib.parse import quote, unquote

import pytest

from sipguard.screening.policy.model import OneOf, Rule
from tests.playbook import ANSWER_SDP, SDP, Party, Playbook, lines, tag_in, uri_in, value

NAMES = {"Replaces": "to-tag={};from-tag={}", "Join": "to-tag={};from-tag={}"}


class Consultation:
    """a talks with b, and (as a2, another port of the same phone) with c: what comes before a transfer."""

    def __init__(self, book: Playbook) -> None:
        self.book = book
        a2 = self.a2 = book.party("a2", ("192.0.2.10", 5062), "outside")
        b, c = book.b, book.c
        book.establish()
        self.to_b = (b.local, b.remote, b.call_id)
        a2.invite()
        assert b.reply("503 Service Unavailable")[-1] == "c INVITE"
        b.local, b.remote, b.call_id = self.to_b
        c.reply("180 Ringing")
        assert c.reply("200 OK", body=ANSWER_SDP) == ["a2 200 OK"]
        assert a2.ack() == ["c ACK"]

    def as_a_sees_it(self, form: str = "to-tag={};from-tag={}") -> str:
        """The dialog with c, as a writes it for whoever is there."""
        return f"{self.a2.call_id};" + form.format(tag_in(self.a2.remote), self.a2.tag)

    def as_c_sees_it(self, form: str = "to-tag={};from-tag={}") -> str:
        """The same dialog, as c knows it."""
        invite = self.book.c.last_request("INVITE")
        return f"{value(invite, 'Call-ID')};" + form.format(self.book.c.tag, tag_in(value(invite, "From")))

    def over(self) -> None:
        """The end of both calls, by a."""
        b, c = self.book.b, self.book.c
        assert self.book.a.request("BYE") == ["b BYE"]
        b.reply("200 OK", to="BYE")
        assert self.a2.request("BYE") == ["c BYE"]
        c.reply("200 OK", to="BYE")


@pytest.fixture
def consultation(book: Playbook) -> Consultation:
    return Consultation(book)


@pytest.mark.parametrize(("header", "form"), NAMES.items(), ids=NAMES)
def test_an_invite_names_a_dialog_of_ours(consultation: Consultation, header: str, form: str) -> None:
    """RFC 3891 §3, RFC 3911 §4: it goes to the end that knows the dialog, by the names that it knows."""
    a3 = consultation.book.party("a3", ("192.0.2.10", 5063), "outside")
    c = consultation.book.c
    wanted = consultation.as_c_sees_it(form)
    name = consultation.as_a_sees_it(form)
    assert a3.invite(f"{header}: {name}") == ["c INVITE"]
    assert value(c.last("INVITE"), header) == wanted
    consultation.book.wait(0.1)
    assert c.reply("603 Decline") == ["c ACK", "a3 603 Decline"]
    a3.ack()
    consultation.over()


def test_an_invite_of_the_called_side_names_a_dialog_of_ours(book: Playbook) -> None:
    """The end that knows it is the caller: the call goes back by the trunk and the address it came from."""
    a, b = parties(book)
    b2 = book.party("b2", ("198.51.100.20", 5062), "inside")
    known = f"{a.call_id};to-tag={a.tag};from-tag={tag_in(a.remote)}"
    kept = (a.local, a.remote, a.call_id, a.cseq)
    assert b2.invite(f"Replaces: {b.call_id};to-tag={tag_in(b.remote)};from-tag={b.tag}", uri="sip:0@198.51.100.1") == [
        "a INVITE"
    ]
    assert value(a.last("INVITE"), "Replaces") == known
    assert a.last("INVITE").split(" ")[1] == uri_in(a.contact)
    assert a.reply("486 Busy Here", tag="new") == ["a ACK", "b2 486 Busy Here"]
    b2.ack()
    a.local, a.remote, a.call_id, a.cseq = kept
    book.bye()


def test_a_rule_stands_before_it(book: Playbook) -> None:
    """What a rule rejects is rejected, whatever it names."""
    a, b = parties(book)
    book.reload(Rule("unsigned", OneOf("identity.result", ("none",)), basis="identity"))
    third = book.party("a3", ("192.0.2.10", 5063), "outside")
    assert third.invite(f"Replaces: {a.call_id};to-tag={tag_in(a.remote)};from-tag={a.tag}") == [
        "a3 428 Use Identity Header"
    ]
    third.ack()
    assert len(b.all("INVITE")) == 1
    book.bye()


def test_other_parameters_and_order_stay(consultation: Consultation) -> None:
    """`early-only` and what is unknown crosses, where it stood."""
    book = consultation.book
    a3 = book.party("a3", ("192.0.2.10", 5063), "outside")
    call_id, to, own = consultation.as_a_sees_it().split(";")
    assert a3.invite(f"Replaces: {call_id};{own};early-only;x=1;{to}") == ["c INVITE"]
    theirs, c_to, c_from = consultation.as_c_sees_it("to-tag={};from-tag={}").split(";")
    assert value(book.c.last("INVITE"), "Replaces") == (
        f"{value(book.c.all('INVITE')[0], 'Call-ID')};"
        f"from-tag={tag_in(value(book.c.all('INVITE')[0], 'From'))};early-only;x=1;to-tag={book.c.tag}"
    )
    assert theirs and c_to and c_from
    book.c.reply("486 Busy Here")
    a3.ack()
    consultation.over()


@pytest.mark.parametrize("form", ["local-tag={1};remote-tag={0}", "local-tag={0};remote-tag={1}"])
def test_target_dialog(consultation: Consultation, form: str) -> None:
    """RFC 4538, in whosever view it is written."""
    book = consultation.book
    wanted = consultation.as_c_sees_it(form)
    assert consultation.a2.request("INFO", f"Target-Dialog: {consultation.as_a_sees_it(form)}") == ["c INFO"]
    assert value(book.c.last("INFO"), "Target-Dialog") == wanted
    book.c.reply("200 OK", to="INFO")
    consultation.over()


@pytest.mark.parametrize(
    "header",
    [
        "Replaces: 98732@pbx.example;to-tag=7743;from-tag=6472",
        "Replaces:   98732@pbx.example ;from-tag=1 ;to-tag=2;early-only",
        "Replaces: garbage",
        "Join: 98732@pbx.example;to-tag=7743",
        "Target-Dialog: 98732@pbx.example;local-tag=1;remote-tag=2",
    ],
)
def test_dialogs_of_others_cross_as_they_are(book: Playbook, header: str) -> None:
    assert book.a.invite(header) == ["b INVITE"]
    assert header in lines(book.b.last("INVITE"))
    book.b.reply("481 Call/Transaction Does Not Exist")
    book.a.ack()


def test_half_known_dialog_crosses_as_it_is(consultation: Consultation) -> None:
    """All three identifiers must be those of one dialog."""
    book = consultation.book
    a3 = book.party("a3", ("192.0.2.10", 5063), "outside")
    header = f"Replaces: other-call;to-tag={tag_in(consultation.a2.remote)};from-tag=other"
    assert a3.invite(header) == ["b INVITE"]
    book.b.got[-1] = book.b.got[-1].replace(
        header, "X: 1"
    )  # the tag that was written there is a secret of the other leg
    book.b.reply("481 Call/Transaction Does Not Exist")
    a3.ack()
    book.b.local, book.b.remote, book.b.call_id = consultation.to_b
    consultation.over()


def test_early_dialog_of_a_fork(book: Playbook) -> None:
    """Pickup: the dialog that is replaced is early, and one of two."""
    a, b = book.a, book.b
    a.invite()
    b.reply("180 Ringing", tag="fork-1")
    b.reply("180 Ringing", tag="fork-2")
    tags = [tag_in(value(m, "To")) for m in a.got]
    other = book.party("a3", ("192.0.2.10", 5063), "outside")
    first = b.last_request("INVITE")
    assert other.invite(f"Replaces: {a.call_id};to-tag={tags[1]};from-tag={a.tag};early-only") == ["b INVITE"]
    assert value(b.last("INVITE"), "Replaces") == (
        f"{value(first, 'Call-ID')};to-tag=fork-2;from-tag={tag_in(value(first, 'From'))};early-only"
    )
    b.reply("486 Busy Here")
    other.ack()
    b.reply("486 Busy Here", request=first)
    a.ack()


# ------------------------------------------------------------------------------------------ transfer


def test_attended_transfer(consultation: Consultation) -> None:
    """RFC 5589 §7: a refers b to c; b's INVITE replaces the dialog that c has with a, and reaches c."""
    book = consultation.book
    a, b, c, a2 = book.a, book.b, book.c, consultation.a2
    wanted = consultation.as_c_sees_it()
    ours = uri_in(value(a2.last("200"), "Contact"))
    escaped = quote(consultation.as_a_sees_it(), safe="")
    assert a.request("REFER", f"Refer-To: <{ours}?Replaces={escaped}>", "Referred-By: <sip:a@example.com>") == [
        "b REFER"
    ]
    refer_to = uri_in(value(b.last("REFER"), "Refer-To"))
    assert refer_to == f"{ours.replace('192.0.2.1', '198.51.100.1')}?Replaces={quote(wanted, safe='')}"
    assert b.reply("202 Accepted", to="REFER") == ["a 202 Accepted"]
    notify = ("Event: refer", "Content-Type: message/sipfrag")
    assert b.request("NOTIFY", *notify, "Subscription-State: active;expires=60") == ["a NOTIFY"]
    a.reply("200 OK", to="NOTIFY")

    b2 = book.party("b2", ("198.51.100.20", 5062), "inside")
    uri, _, replaces = refer_to.partition("?Replaces=")
    first = c.last_request("INVITE")
    assert b2.invite(f"Replaces: {unquote(replaces)}", uri=uri) == ["c INVITE"]
    assert value(c.last("INVITE"), "Replaces") == wanted
    assert c.last("INVITE").split(" ")[1] == uri_in(c.contact)
    assert c.reply("200 OK", body=ANSWER_SDP) == ["b2 200 OK"]
    assert b2.ack() == ["c ACK"]

    c_with_b2 = (c.local, c.remote, c.call_id)
    c.local, c.remote, c.call_id = f"{value(first, 'To')};tag={c.tag}", value(first, "From"), value(first, "Call-ID")
    assert c.request("BYE") == ["a2 BYE"]
    a2.reply("200 OK", to="BYE")
    assert b.request("NOTIFY", *notify, "Subscription-State: terminated;reason=noresource") == ["a NOTIFY"]
    a.reply("200 OK", to="NOTIFY")
    assert a.request("BYE") == ["b BYE"]
    b.reply("200 OK", to="BYE")
    c.local, c.remote, c.call_id = c_with_b2
    assert b2.request("BYE") == ["c BYE"]
    c.reply("200 OK", to="BYE")
    assert book.ends() == ["answered", "answered", "answered"]


@pytest.mark.parametrize(
    ("refer_to", "arrives"),
    [
        ("<sip:+12125550199@192.0.2.1>", "<sip:+12125550199@198.51.100.1>"),
        ("sip:+12125550199@192.0.2.1", "<sip:+12125550199@198.51.100.1>"),
        ('"C" <sip:+12125550199@192.0.2.1:5060;user=phone>;x=1', '"C" <sip:+12125550199@198.51.100.1;user=phone>;x=1'),
        ("<sip:+12125550199@192.0.2.1:5099>", "<sip:+12125550199@192.0.2.1:5099>"),
        ("<sip:+12125550199@pbx.example>", "<sip:+12125550199@pbx.example>"),
        ("<sip:c@pbx.example?Replaces=1%40pbx%3Bto-tag%3D1%3Bfrom-tag%3D2>", None),
        ("<sip:c@192.0.2.1?Replaces=1@pbx;to-tag=1>", "<sip:c@198.51.100.1?Replaces=1@pbx;to-tag=1>"),
        ("<sip:c@pbx.example?Replaces=1@pbx;to-tag=1;from-tag=2>", None),
        ("<sip:c@pbx.example?Subject=hello&Accept-Contact=x>", None),
        ("<http://www.example/>", None),
        ("not an address, at all", None),
    ],
)
def test_refer_to(book: Playbook, refer_to: str, arrives: str | None) -> None:
    """Our own address is that of the other side; what is not ours is not touched."""
    a, b = book.a, book.b
    book.establish()
    a.request("REFER", f"Refer-To: {refer_to}")
    assert value(b.last("REFER"), "Refer-To") == (arrives or refer_to)
    b.reply("603 Decline", to="REFER")
    book.bye()


def test_referrer_on_the_called_side(book: Playbook) -> None:
    """The same the other way: b refers a to whoever it talks to beside."""
    a, b = book.a, book.b
    book.establish()
    replaces = quote(f"{b.call_id};to-tag={tag_in(b.remote)};from-tag={b.tag}", safe="")
    b.request("REFER", f"Refer-To: <sip:0@198.51.100.1?Replaces={replaces}>")
    wanted = quote(f"{a.call_id};to-tag={a.tag};from-tag={tag_in(a.remote)}", safe="")
    assert value(a.last("REFER"), "Refer-To") == f"<sip:0@192.0.2.1?Replaces={wanted}>"
    a.reply("603 Decline", to="REFER")
    book.bye()


def parties(book: Playbook) -> tuple[Party, Party]:
    """The two ends of a call that stands."""
    book.establish()
    return book.a, book.b


def test_offer_of_a_replacing_invite_is_untouched(book: Playbook) -> None:
    a, b = parties(book)
    third = book.party("a3", ("192.0.2.10", 5063), "outside")
    third.invite(f"Replaces: {a.call_id};to-tag={tag_in(a.remote)};from-tag={a.tag}", body=SDP)
    assert b.last("INVITE").endswith(SDP)
    first = (b.all("INVITE")[0], b.last("INVITE"))
    b.reply("486 Busy Here", request=first[1])
    third.ack()
    b.call_id, b.remote = value(first[0], "Call-ID"), value(first[0], "From")
    book.bye()
