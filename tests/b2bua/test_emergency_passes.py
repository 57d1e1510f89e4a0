"""An emergency call from an admitted source reaches a peer, whatever else would keep a call from it.

One row for each refusal that stands between an INVITE and its forwarding. Each is met by a usual call first, which must
be refused there: a row that stops nobody proves nothing. Messages that cannot be read are in test_mending.py. What is
left stands with its reasons in docs/sip.md: a loop (482), hops used up (483), a URI of another scheme (416), a To-tag
of no dialog (481).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from sipguard.numbers.rules import NumberRules
from sipguard.screening.listspec import ListSpec
from sipguard.screening.policy.model import OneOf, Rule
from sipguard.screening.ruleset import CLOSED, Overload
from sipguard.screening.trunk import (
    Limits,
    NamedPeer,
    Peer,
    RedirectRules,
    RefreshTimer,
    Route,
    Trunk,
    WriteRules,
)
from sipguard.sip.flow import Flow
from sipguard.sip.locate import Query
from sipguard.sip.secret import Account, Secret
from sipguard.sip.uri import user_of
from tests.playbook import ANSWER_SDP, B_AT, C_AT, INSIDE, OUTSIDE, Play, Playbook, value, values

BLOCKED = Rule("blocked", OneOf("lists.caller", ("blocked",)), basis="analytics")
BLOCK_LIST = ListSpec("blocked", bind=("caller",), members=("12025550101",))
UNSIGNED = Rule("unsigned", OneOf("identity.result", ("none",)), basis="identity")
ONE: dict[str, Any] = {"peers": (Peer(*B_AT),)}
UNRESOLVED = NamedPeer(Query("sip.carrier.example", 0, ("udp",), ((4,),)), (((4, "inside"),),))
EAST = Trunk("east", "origination", (), ("inside",), "", (Peer(*C_AT),))
BY_PREFIX = {"route": "", "routes": (Route(("hop",), ("1305",)), Route(("east",), ("1310",)))}
TO_BOTH = {"route": "", "routes": (Route(("hop",)), Route(("east",), ("1310",)))}
LISTENERS = {
    each.name: each
    for each in (
        OUTSIDE,
        INSIDE,
        replace(INSIDE, name="inside-tcp", transport="tcp"),
        replace(INSIDE, name="inside-tls", port=5061, transport="tls"),
    )
}
ALL_INSIDE = ("inside", "inside-tcp", "inside-tls")
ACCOUNT = {"hop": Account("sipguard", "", Secret(b"open sesame"))}
ASKS = 'Digest realm="trunk.example", nonce="n1", qop="auth"'


@dataclass(frozen=True)
class Row:
    """`usual` is the last message that a usual call brings about; `before` comes first, `then` behind the INVITE."""

    usual: str
    rules: tuple[Rule, ...] = ()
    fields: dict[str, Any] = field(default_factory=dict)
    headers: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    before: Callable[[Playbook], object] | None = None
    then: Callable[[Playbook], list[str]] | None = None


def drains(book: Playbook) -> None:
    book.drain()


def falls_behind(book: Playbook) -> None:
    book.backlog_s = 5.0


def is_up(book: Playbook) -> None:
    """Another call of the trunk, which rings on."""
    book.party("a2", ("192.0.2.10", 5070), "outside").invite()
    book.b.reply("180 Ringing")


def all_ask_for_peace(book: Playbook) -> None:
    book.a.invite()
    for peer in (book.b, book.c):
        peer.reply("503 Service Unavailable", "Retry-After: 50")
    book.a.ack()


def crashes(book: Playbook) -> None:
    """Calls that were up are taken up, and fill the table."""
    book.establish()
    book.crash(1.0)


def refuses_credentials(book: Playbook) -> list[str]:
    book.b.reply("407 Proxy Authentication Required", f"Proxy-Authenticate: {ASKS}")
    return book.b.reply("407 Proxy Authentication Required", f"Proxy-Authenticate: {ASKS}")


def asks_for_credentials(book: Playbook) -> list[str]:
    return book.b.reply("401 Unauthorized", f"WWW-Authenticate: {ASKS}")


def forbids(book: Playbook) -> list[str]:
    return book.b.reply("403 Forbidden")


def knows_no_extension(book: Playbook) -> list[str]:
    return book.b.reply("420 Bad Extension", "Unsupported: geolocation-http")


def never_stands(book: Playbook) -> list[str]:
    """The first peer's certificate is that of another: its connection never stands."""
    return book.closed(Flow(2, "tls", "inside-tls", B_AT), stood=False)


REJECTED = "a 603 Network Blocked"
ROWS = {
    "rule": Row(REJECTED, (BLOCKED,), {"lists": (BLOCK_LIST,)}),
    "no signature": Row("a 428 Use Identity Header", (UNSIGNED,)),
    "check that must not fail": Row(
        "a 403 Forbidden",
        (),
        {"on_failure": {"identity": CLOSED}, "overload": Overload(0.01, 9.0)},
        before=falls_behind,
    ),
    "draining": Row("a 503 Draining", before=drains),
    "overload": Row("a 503 Overloaded", before=falls_behind),
    "table of calls": Row("a 503 Overloaded", fields={"overload": Overload(max_calls=1)}, before=is_up),
    "table of calls after a crash": Row("a 503 Overloaded", fields={"overload": Overload(max_calls=1)}, before=crashes),
    "trunk limit of calls": Row(
        "a 480 Trunk Limit Reached", fields={"carrier": {"limits": Limits(calls=1)}}, before=is_up
    ),
    "trunk limit of rate": Row(
        "a 480 Trunk Limit Reached", fields={"carrier": {"limits": Limits(cps=0.01)}}, before=is_up
    ),
    "unknown extension": Row("a 420 Bad Extension", headers=("Require: x-unknown",)),
    "unknown extension for a proxy": Row("a 420 Bad Extension", headers=("Proxy-Require: x-unknown",)),
    "session interval": Row(
        "a 422 Session Interval Too Small",
        fields={"carrier": {"session_timer": RefreshTimer(1800, 120)}},
        headers=("Supported: timer", "Session-Expires: 90"),
    ),
    "critical privacy": Row(
        "a 500 Privacy Failure - session",
        fields={"hop": {"send_pai": "never"}},
        headers=("Privacy: session;critical",),
    ),
    "no Contact": Row("a 400 Contact Missing Or Malformed", leave_out=("contact",)),
    "broken Contact": Row("a 400 Contact Missing Or Malformed", headers=("Contact: <tel:+12025550101>",)),
    "broken Record-Route": Row("a 400 Contact Missing Or Malformed", headers=("Record-Route: <sip:192.0.2.9",)),
    "no route to the number": Row("a 404 No Route To Number", fields={"carrier": BY_PREFIX, "trunks": (EAST,)}),
    "route to a trunk whose name leads nowhere": Row(
        "a 500 No Peer Reachable",
        fields={"carrier": TO_BOTH, "hop": {"peers": (), "named": (UNRESOLVED,)}, "trunks": (EAST,)},
    ),
    "peers that said Retry-After": Row("a 500 No Peer Reachable", before=all_ask_for_peace),
    "credentials refused": Row(
        "a 500 Trunk Credentials Refused", fields={"accounts": ACCOUNT}, then=refuses_credentials
    ),
    "no credentials": Row("a 401 Unauthorized", then=asks_for_credentials),
    "peer that forbids": Row("a 403 Forbidden", then=forbids),
    "peer that lacks an extension": Row("a 420 Bad Extension", then=knows_no_extension),
    "peer of another name": Row(
        "a 500 No Peer Reachable",
        fields={
            "carrier": TO_BOTH,
            "hop": {"listeners": ALL_INSIDE, "peers": (Peer(*B_AT, "tls", "inside-tls"),)},
            "trunks": (EAST,),
            "listeners": LISTENERS,
        },
        then=never_stands,
    ),
}  # fmt: skip


def begun(book: Playbook, row: Row, callee: str) -> list[str]:
    """The column of a call to there."""
    if row.before is not None:
        row.before(book)
    column = book.a.invite(*row.headers, callee=callee, leave_out=row.leave_out)
    return row.then(book) if row.then is not None else column


def reached(book: Playbook, column: list[str]) -> str:
    """The INVITE that the last peer got; it answers, and all is hung up."""
    name, _, method = column[-1].partition(" ")
    assert method == "INVITE", column
    party = book.b if name == "b" else book.c
    assert name == party.name
    invite = party.last("INVITE")
    assert party.reply("200 OK", body=ANSWER_SDP)[-1] == "a 200 OK"
    assert book.a.ack() == [f"{name} ACK"]
    book.backlog_s = 0.0
    book.hang_up()
    for each in (book.a, book.b, book.c):
        for bye in each.all("BYE"):
            each.reply("200 OK", request=bye)
    return invite


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_what_refuses_a_usual_call(play: Play, row: Row) -> None:
    book = play(*row.rules, **row.fields)
    assert begun(book, row, "+12125550123")[-1] == row.usual
    book.a.ack()
    book.hang_up()


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_does_not_keep_an_emergency_call_from_a_peer(play: Play, row: Row) -> None:
    book = play(*row.rules, **row.fields)
    invite = reached(book, begun(book, row, "911"))
    assert user_of(invite.split(" ")[1]) == "911"
    assert book.verdicts()[-1] == ("allow", "emergency")


URIS = {  # Request-URI -> what the peer is asked for
    "sip:911@192.0.2.1": "sip:911@198.51.100.20",
    "SIP:911@192.0.2.1;user=phone": "SIP:911@198.51.100.20;user=phone",
    "sips:911@192.0.2.1": "sip:911@198.51.100.20",
    "sip:9-1-1@192.0.2.1": "sip:9-1-1@198.51.100.20",
    "sip:%39%31%31@192.0.2.1": "sip:%39%31%31@198.51.100.20",
    "sip:+911@192.0.2.1": "sip:+911@198.51.100.20",
    "sip:911;phone-context=+1@192.0.2.1": "sip:911;phone-context=+1@198.51.100.20",
    "sip:911:secret@192.0.2.1": "sip:911:secret@198.51.100.20",
    "tel:911": "sip:911@198.51.100.20;user=phone",
    "tel:911;phone-context=+1": "sip:911;phone-context=+1@198.51.100.20;user=phone",
    "TEL:9-1-1": "sip:9-1-1@198.51.100.20;user=phone",
    "urn:service:sos": "urn:service:sos",
    "URN:SERVICE:SOS.fire": "URN:SERVICE:SOS.fire",
    "sip:112@192.0.2.1": "sip:112@198.51.100.20",
    "sip:988@192.0.2.1": "sip:988@198.51.100.20",
}


@pytest.mark.parametrize(("uri", "wanted"), URIS.items(), ids=URIS)
def test_however_it_is_written(play: Play, uri: str, wanted: str) -> None:
    """The trunk has no route for the number, and drains."""
    book = play(BLOCKED, lists=(BLOCK_LIST,), carrier=BY_PREFIX, trunks=(EAST,))
    book.drain()
    assert reached(book, book.a.invite(uri=uri)).split(" ")[1] == wanted


@pytest.mark.parametrize(
    "write",
    [
        WriteRules(form="e164", prefix="9"),
        WriteRules(form="national", prefix="0"),
        WriteRules(form="plain", prefix="+1"),
        WriteRules(prefix="1234#", user_phone=True),
        WriteRules(tel="keep", prefix="7"),
    ],
)
@pytest.mark.parametrize("uri", ["sip:911@192.0.2.1", "tel:911", "sip:+911@192.0.2.1", "sip:9-1-1@192.0.2.1"])
def test_what_a_trunk_wants_written_leaves_it_what_it_is(play: Play, write: WriteRules, uri: str) -> None:
    """Such as a prefix, which would make another number of it."""
    book = play(hop={"write": write})
    invite = reached(book, book.a.invite(uri=uri))
    asked = invite.split(" ")[1]
    number = asked[4:] if asked.startswith("tel:") else user_of(asked)
    assert number == (uri[4:] if uri.startswith("tel:") else user_of(uri))


@pytest.mark.parametrize(
    "rules",
    [
        NumberRules(strip_prefix="9"),
        NumberRules(strip_prefix="+9"),
        NumberRules(tech_prefix="9"),
        NumberRules(tech_prefix=r"\d{1,2}"),
        NumberRules(default_cc="44"),
        NumberRules(local_npa="212"),
    ],
    ids=repr,
)
def test_what_is_read_of_it(play: Play, rules: NumberRules) -> None:
    book = play(BLOCKED, lists=(BLOCK_LIST,), carrier={"read": rules})
    assert user_of(reached(book, book.a.invite(callee="911")).split(" ")[1]) == "911"


def test_dialled_behind_the_digit_for_an_outside_line(play: Play) -> None:
    book = play(BLOCKED, lists=(BLOCK_LIST,), carrier={"read": NumberRules(strip_prefix="9")})
    reached(book, book.a.invite(callee="9911"))


@pytest.mark.parametrize("mode", ["enforce", "report", "bypass"])
def test_in_every_mode(play: Play, mode: str) -> None:
    book = play(BLOCKED, lists=(BLOCK_LIST,))
    book.mode(mode)
    reached(book, book.a.invite(callee="911"))


def test_with_the_identity_of_its_caller_whatever_is_set(play: Play) -> None:
    book = play(carrier={"accept_pai": False}, hop={"send_pai": "never"})
    pai = "P-Asserted-Identity: <sip:+12025550101@192.0.2.10>"
    invite = reached(book, book.a.invite(pai, "Privacy: id;user", callee="911"))
    assert value(invite, "P-Asserted-Identity").startswith("<sip:+12025550101")
    assert "+12025550101" in value(invite, "From")


def test_by_udp_where_it_is_long_and_nobody_takes_tcp(play: Play) -> None:
    book = play(hop={"listeners": ALL_INSIDE, "udp_max": 1300}, listeners=LISTENERS)
    book.a.invite(f"X-Long: {'x' * 1300}", callee="911")
    reached(book, book.closed(Flow(5, "tcp", "inside-tcp", B_AT), stood=False))


def test_where_it_names_a_dialog_that_is_not_there(play: Play) -> None:
    book = play(BLOCKED, lists=(BLOCK_LIST,))
    reached(book, book.a.invite("Replaces: gone;to-tag=1;from-tag=2", callee="911"))


@pytest.mark.parametrize("forked", [False, True])
def test_whose_caller_names_no_place_is_reached_where_it_calls_from(play: Play, forked: bool) -> None:
    book = play()
    a, b = book.a, book.b
    a.invite(callee="911", leave_out=("contact",))
    if forked:
        b.reply("180 Ringing", tag="first")
    b.reply("200 OK", body=ANSWER_SDP)
    a.ack()
    assert b.request("BYE") == ["a BYE"]
    assert a.last("BYE").startswith("BYE sip:192.0.2.10:5060 SIP/2.0")
    assert a.reply("200 OK", to="BYE") == ["b 200 OK"]


def test_the_last_hop_is_enough(book: Playbook) -> None:
    """RFC 3261 §16.6 step 3: one that has none left is not forwarded."""
    assert value(reached(book, book.a.invite("Max-Forwards: 1", callee="911")), "Max-Forwards") == "0"
    assert book.a.invite("Max-Forwards: 0", callee="911") == ["a 483 Too Many Hops"]
    book.a.ack()


@pytest.mark.parametrize("status", [302, 404, 503])
def test_who_asks_a_redirect_listener_is_told_to_go_on(play: Play, status: int) -> None:
    """The number in Contact is the one dialled, though the trunk wants a prefix."""
    listener = replace(OUTSIDE, redirect=RedirectRules(status, ""))
    book = play(
        BLOCKED,
        lists=(BLOCK_LIST,),
        listeners={"outside": listener, "inside": INSIDE},
        hop={"write": WriteRules(prefix="9")},
    )
    book.drain()
    (only,) = book.a.invite(callee="911")
    assert only.startswith(f"a {status} ")
    found = values(book.a.last(str(status)), "Contact")
    assert [one.partition("@")[0] for one in found] == (["<sip:911"] * 2 if status == 302 else [])
    book.a.ack()
